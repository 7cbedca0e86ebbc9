"""Status of a run, read from its run directory."""

from __future__ import annotations

import fcntl
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from hstmosaic.errors import OutputError
from hstmosaic.monitor.eta import time_left
from hstmosaic.monitor.reducer import advance
from hstmosaic.monitor.share import layer_shares, share_done
from hstmosaic.monitor.state import DONE, DRAWING, DROPPED, FAILED, RUNNING, WAITING, ProgressState
from hstmosaic.monitor.view import notes, stage_words
from hstmosaic.store.events import event_from_line
from hstmosaic.store.files import ENCODING
from hstmosaic.store.run_directory import RunDirectory
from hstmosaic.text import count_of

if TYPE_CHECKING:
    from hstmosaic.monitor.state import Task


@dataclass(frozen=True)
class Stage:
    """Counts of the tasks of a stage."""

    name: str
    planned: int
    finished: int
    failed: int
    running: int


@dataclass(frozen=True)
class Status:
    """Status of a run."""

    driver: str
    """Host and process of the driver; empty if none runs."""
    progress: ProgressState
    now: float
    """When that was, seconds since 1970."""

    @property
    def stages(self) -> tuple[Stage, ...]:
        """Counts of each stage, in their order."""
        drawing = self.progress.drawing
        stages = [_stage(name, tasks) for name, tasks in self.progress.stages().items()]
        if drawing is not None:
            stages.append(Stage(DRAWING, 1, int(drawing == DONE), 0, int(drawing == RUNNING)))
        return tuple(stages)

    @property
    def finished(self) -> bool:
        """Return whether every layer was made and nothing is left to do."""
        return self.progress.ended is not None and all(what == DONE for what in self.progress.layers.values())

    def to_dict(self) -> dict[str, object]:
        """Return the status for programs; times are in seconds."""
        progress = self.progress
        return {
            "driver": self.driver,
            "finished": self.finished,
            "exit_code": progress.exit_code,
            "share_done": round(share_done(progress, self.now), 4),
            "seconds_left": time_left(progress, self.now),
            "started": progress.begun or None,
            "ended": progress.ended,
            "stages": [asdict(stage) for stage in self.stages],
            "layers": dict(progress.layers),
            "layer_shares": {name: round(share, 4) for name, share in layer_shares(progress, self.now).items()},
            "workers": progress.workers,
            "slots": progress.slots,
            "jobs": list(progress.jobs),
            "retries": progress.retries,
            "pending": progress.pending,
            "warnings": list(progress.warnings),
            "last": progress.last,
        }

    def __str__(self) -> str:
        return "\n".join(f"{heading:<14} {words}" for heading, words in self._lines())

    def _lines(self) -> list[tuple[str, str]]:
        return [
            ("driver", self.driver or self._idle()),
            *((name, stage_words(tasks)) for name, tasks in self.progress.stages().items()),
            *([(DRAWING, self.progress.drawing)] if self.progress.drawing is not None else []),
            *notes(self.progress, self.now),
            *(("warning", words) for words in self.progress.warnings),
            ("last", self.progress.last or "none"),
        ]

    def _idle(self) -> str:
        if self.finished:
            return "none, the run is finished"
        failed = sum(what == FAILED for what in self.progress.layers.values())
        ended = f"the run ended and {count_of(failed, 'layer')} failed; " if self.progress.ended is not None else ""
        return f"none; {ended}rerun the same command to resume"


class RunLog:
    """The log of a run, read as it grows.

    Parameters
    ----------
    run : pathlib.Path
        The run directory.
    """

    def __init__(self, run: Path) -> None:
        self.run = run
        self._state, self._read = ProgressState(), 0

    def status(self, now: float) -> Status:
        """Return the present status of the run.

        Raises
        ------
        OutputError
            If the run is missing.
        """
        # a driver that ends between the two has recorded its end
        driver = _driver(self.run)
        try:
            with RunDirectory(self.run).log_file.open("rb") as log:
                log.seek(self._read)
                text = log.read()
        except OSError as error:
            raise OutputError(
                f"{self.run} is not a run directory: {error.strerror}", "its name ends in _run"
            ) from error
        whole = text[: text.rfind(b"\n") + 1]  # the last line may be incomplete
        self._read += len(whole)
        for line in whole.splitlines():
            try:
                event = event_from_line(line)
            except ValueError:  # broken off: a driver was killed, or its disk was full
                continue
            self._state = advance(self._state, event)
        return Status(driver, self._state if driver else _stopped(self._state), now)


def read_status(run: Path, now: float | None = None) -> Status:
    """Read the status of a run.

    Parameters
    ----------
    run : pathlib.Path
        The run directory.
    now : float, optional
        Seconds since 1970.

    Raises
    ------
    OutputError
        If it is not a run directory.
    """
    return RunLog(run).status(time.time() if now is None else now)


def _stage(name: str, tasks: list[Task]) -> Stage:
    count = {state: sum(task.state == state for task in tasks) for state in (DONE, FAILED, RUNNING, DROPPED)}
    return Stage(name, len(tasks) - count[DROPPED], count[DONE], count[FAILED], count[RUNNING])


def _stopped(state: ProgressState) -> ProgressState:
    """Return the progress of a run without a driver."""
    tasks = {
        name: replace(task, state=WAITING) if task.state == RUNNING else task for name, task in state.tasks.items()
    }
    layers = {layer: WAITING if what == RUNNING else what for layer, what in state.layers.items()}
    return replace(state, tasks=tasks, layers=layers, workers=0, slots=0, pending="", share=0.0)


def _driver(run: Path) -> str:
    """Return the text of the lock file while a driver holds the lock."""
    try:
        with RunDirectory(run).lock_file.open("rb") as lock:
            try:
                # shared, so that two readers do not take each other for a driver
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return lock.read().decode(ENCODING, errors="replace").strip()
    except OSError:  # no driver can work where nothing can be locked
        return ""
    return ""
