"""Results of tasks: files of a task directory."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, Self, TypeVar

from hstmosaic.store.files import ENCODING, write_atomically

if TYPE_CHECKING:
    from pathlib import Path

ANSWER_FILE = "answer.json"
"""Result from the task's process, before its files are in place."""
RESULT_FILE = "result.json"
"""Result of a finished task: written last, after all other files."""
CRASHED, STATUS, OUT_OF_MEMORY = "crashed", "status", "short_of_memory"
"""Keys of the data of results: of an exception, of the exit code of a process without a result, of a lack of memory."""


class _Readable(Protocol):
    @classmethod
    def from_dict(cls, raw: dict[str, Any]) -> Self: ...


Findings = TypeVar("Findings", bound=_Readable)


@dataclass(frozen=True)
class TaskWarning:
    """A fallback of a library: a step that it replaced or omitted without an error."""

    step: str
    """Processing step, such as ``sky matching``."""
    message: str
    """Description, one sentence without a full stop."""
    strict: bool = True
    """True if ``--strict`` makes it an error."""

    def __str__(self) -> str:
        return self.message


@dataclass(frozen=True)
class TaskResult:
    """Result of a task."""

    ok: bool
    """True if the task succeeded."""
    data: dict[str, Any] = field(default_factory=dict)
    """Findings as JSON has them; other rooms get them by `read`."""
    error: str = ""
    """Cause of the failure, one line."""
    retry: bool = False
    """True if another attempt may succeed, because the data are not the cause."""
    warnings: tuple[TaskWarning, ...] = ()
    """Fallbacks of the libraries that did the task."""

    def read(self, shape: type[Findings]) -> Findings:
        """Return the findings, or those of another kind that every task has.

        Parameters
        ----------
        shape : type
            One of `hstmosaic.store.task_results`, or `AlignmentResult`.

        Raises
        ------
        KeyError
            If the task returned other findings.
        """
        return shape.from_dict(self.data)

    @property
    def status(self) -> int | None:
        """Exit code of a process that left no result, or minus its signal."""
        return self.data.get(STATUS)

    @property
    def ran_out_of_memory(self) -> bool:
        """Return whether the log of the task shows a lack of memory."""
        return bool(self.data.get(OUT_OF_MEMORY, False))

    @property
    def crashed(self) -> bool:
        """Return whether the task ended by an exception or without a result, which is not evidence about its data."""
        return not self.ok and not self.retry and (CRASHED in self.data or STATUS in self.data)

    @property
    def files(self) -> dict[str, str]:
        """SHA-256 of the files in its working directory that are still needed, by name."""
        return {file["name"]: file["sha256"] for file in self.data.get("files", [])}


def write_result(folder: Path, result: TaskResult, name: str = RESULT_FILE) -> None:
    """Write a task's result (or with `ANSWER_FILE` its answer) atomically."""
    write_atomically(folder / name, json.dumps(asdict(result), indent=1))


def read_result(folder: Path, name: str = RESULT_FILE) -> TaskResult | None:
    """Return a task's result (or with `ANSWER_FILE` its answer), or None if it is missing."""
    try:
        raw = json.loads((folder / name).read_text(ENCODING))
    except FileNotFoundError:
        return None
    return TaskResult(**raw | {"warnings": tuple(TaskWarning(**warning) for warning in raw.get("warnings", ()))})
