"""What a task is told and what it answers: the JSON files in its directory."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

SPEC_FILE = "spec.json"
RESULT_FILE = "result.json"
LOG_FILE = "log.txt"
WORK_FOLDER = "work"

GUIDING_SEED = 20231
"""Seed of the guiding check, so that one file gets one verdict."""


@dataclass(frozen=True)
class ScreenSpec:
    """Find out whether one exposure can be used."""

    path: str
    """The exposure."""
    seed: int = GUIDING_SEED
    kind: str = "screen"


@dataclass(frozen=True)
class DrizzleSpec:
    """Drizzle one layer over one box."""

    poller_name: str
    """File name of the poller; drizzlepac derives the name of its log from it."""
    poller: str
    """Text of the poller: rows of the layer NEW, all others OLD."""
    links: tuple[tuple[str, str], ...]
    """(name in the working directory, path) of every exposure in the poller."""
    limits: tuple[int, int, int, int]
    """xmin, xmax, ymin, ymax in fine pixels of the projection cell."""
    prefix: str
    """Prefix of the products."""
    products: tuple[str, ...]
    """File names that the task makes, trailers included."""
    log_level: str = "info"
    kind: str = "drizzle"


TaskSpec = ScreenSpec | DrizzleSpec


@dataclass(frozen=True)
class TaskResult:
    """What a task answers."""

    ok: bool
    """Whether the task did what it was told."""
    data: dict[str, Any] = field(default_factory=dict)
    """Findings; their keys are documented by each task."""
    error: str = ""
    """What went wrong, in one line."""
    retry: bool = False
    """Whether trying again could help (the cause is not in the data)."""


def spec_to_json(spec: TaskSpec) -> str:
    """Return the text of a spec file."""
    return json.dumps(asdict(spec), indent=1)


def spec_from_json(text: str) -> TaskSpec:
    """Read the text of a spec file.

    Raises
    ------
    ValueError
        If it names no known kind of task.
    """
    raw = json.loads(text)
    match raw.get("kind"):
        case "screen":
            return ScreenSpec(**raw)
        case "drizzle":
            raw["links"] = tuple((name, path) for name, path in raw["links"])
            raw["limits"] = tuple(raw["limits"])
            raw["products"] = tuple(raw["products"])
            return DrizzleSpec(**raw)
        case kind:
            raise ValueError(f"no task of kind {kind!r}")


def write_result(folder: Path, result: TaskResult) -> None:
    """Write a task's answer whole or not at all."""
    draft = folder / (RESULT_FILE + ".part")
    draft.write_text(json.dumps(asdict(result), indent=1))
    draft.replace(folder / RESULT_FILE)


def read_result(folder: Path) -> TaskResult | None:
    """Return a task's answer, or None where there is none."""
    try:
        return TaskResult(**json.loads((folder / RESULT_FILE).read_text()))
    except FileNotFoundError:
        return None
