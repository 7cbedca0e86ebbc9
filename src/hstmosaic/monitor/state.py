"""Progress of a run: tasks and layers, workers and jobs, and messages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from hstmosaic.store.task_names import Stage, stage_of

WAITING, RUNNING, DONE, FAILED, DROPPED = "waiting", "running", "done", "failed", "dropped"
DRAWING = "drawing"
"""Name of the last stage, which is not a task of the pool."""
_OVER = frozenset({DONE, FAILED, DROPPED})


@dataclass(frozen=True)
class Task:
    """A task of a run."""

    seconds: float
    """Estimated wall time."""
    memory_mb: int
    """Memory that it claims while it runs, 10^6 bytes."""
    group: str
    """Group of similar tasks."""
    after: tuple[str, ...] = ()
    """Tasks that must be over before it can start."""
    state: str = WAITING
    """``waiting``, ``running``, ``done``, ``failed``, or ``dropped`` if it is not needed any more."""
    worker: str = ""
    started: float = 0.0
    """When its worker got it, seconds since 1970."""
    took: float | None = None
    """Measured wall time in seconds; None if it did not end in this start."""
    cpu: float | None = None
    """CPU time in seconds; of a running task, at the last look."""
    looked_at: float = 0.0
    """When a running task was last looked at, seconds since 1970."""
    advanced: float = 0.0
    """When its CPU time last grew, or was first known."""
    attempt: int = 1

    @property
    def over(self) -> bool:
        """Return whether it has ended or is not needed."""
        return self.state in _OVER


@dataclass(frozen=True)
class Report:
    """A regular report of the driver, and the tasks at that time."""

    time: float
    """Seconds since 1970."""
    seconds_left: float | None
    """Time remaining; None if it was unknown."""
    tasks: Mapping[str, Task]


@dataclass(frozen=True)
class ProgressState:
    """Progress of a run."""

    tasks: Mapping[str, Task] = field(default_factory=dict)
    """By name, in the order of the stages."""
    layers: Mapping[str, str] = field(default_factory=dict)
    """State of each layer: ``waiting``, ``running``, ``done`` (its products are gathered) or ``failed``."""
    pace: float = 1.0
    """Wall time for a second of CPU time, as estimated."""
    share: float = 0.0
    """Largest share that was reported as done."""
    report: Report | None = None
    """The last report of the driver."""
    recent: tuple[float, float] = (0.0, 0.0)
    """Recent wall time and CPU time of running tasks."""
    pictures_seconds: float = 0.0
    """Estimated time to draw the pictures at the end."""
    drawing_since: float | None = None
    """When drawing began after the last task, seconds since 1970."""
    begun: float = 0.0
    """When the plan was made, seconds since 1970."""
    ended: float | None = None
    exit_code: int | None = None
    workers: int = 0
    slots: int = 0
    """Tasks at a time."""
    memory_mb: int = 0
    """Memory for all tasks together, 10^6 bytes."""
    jobs: tuple[str, ...] = ()
    """Numbers of the jobs that were submitted."""
    retries: int = 0
    pending: str = ""
    """Last message about waiting jobs; empty once a task runs."""
    last: str = ""
    """Last message."""
    warnings: tuple[str, ...] = ()

    def stages(self) -> dict[str, list[Task]]:
        """Return the tasks of each stage, in the order of the stages."""
        found: dict[str, list[Task]] = {stage.label: [] for stage in Stage}
        for name, task in self.tasks.items():
            found[stage_of(name).label].append(task)
        return {stage: tasks for stage, tasks in found.items() if tasks}

    @property
    def drawing(self) -> str | None:
        """State of the drawing of pictures; None for a run that draws none."""
        if not self.pictures_seconds:
            return None
        if self.drawing_since is None:
            return WAITING
        return RUNNING if self.ended is None else DONE

    @property
    def claimed_mb(self) -> int:
        """Memory that the running tasks claim, 10^6 bytes."""
        return sum(task.memory_mb for task in self.tasks.values() if task.state == RUNNING)
