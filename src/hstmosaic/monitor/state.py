"""How far a run is: its tasks and layers, workers and jobs, and what was told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from hstmosaic.store.task_names import Stage, stage_of

WAITING, RUNNING, DONE, FAILED, DROPPED = "waiting", "running", "done", "failed", "dropped"
_OVER = frozenset({DONE, FAILED, DROPPED})


@dataclass(frozen=True)
class Task:
    """A task of a run."""

    seconds: float
    """What it was estimated to take."""
    memory_mb: int
    """The same; what it claims while it runs."""
    group: str
    """Tasks that are alike."""
    after: tuple[str, ...] = ()
    """Tasks that must be over before it can start."""
    state: str = WAITING
    """``waiting``, ``running``, ``done``, ``failed``, or ``dropped`` where nobody needs it any more."""
    worker: str = ""
    started: float = 0.0
    """When it was handed to its worker, seconds since 1970."""
    took: float | None = None
    """Wall time in seconds, where it has run in this run and was measured."""
    cpu: float | None = None
    """The same of CPU time; of a running task, what it had taken when it was looked at."""
    looked_at: float = 0.0
    """When that was."""
    advanced: float = 0.0
    """When its CPU time was last seen to grow, or first looked at."""
    attempt: int = 1

    @property
    def over(self) -> bool:
        """Whether nothing is to be done for it any more."""
        return self.state in _OVER


@dataclass(frozen=True)
class ProgressState:
    """How far a run is."""

    tasks: Mapping[str, Task] = field(default_factory=dict)
    """By name, in the order of the stages."""
    layers: Mapping[str, str] = field(default_factory=dict)
    """What became of each layer: ``waiting``, ``running``, ``done`` or ``failed``; done when its products are out."""
    pace: float = 1.0
    """Wall time that the estimates reckon with for a second of CPU time."""
    recent: tuple[float, float] = (0.0, 0.0)
    """Wall time and CPU time of running tasks as far as they were looked at of late."""
    pictures_seconds: float = 0.0
    """What the pictures at the end were estimated to take."""
    drawing_since: float | None = None
    """When the last task was over and drawing began, seconds since 1970."""
    begun: float = 0.0
    """When the plan was made, seconds since 1970."""
    ended: float | None = None
    exit_code: int | None = None
    workers: int = 0
    slots: int = 0
    """Tasks at a time."""
    memory_mb: int = 0
    """What tasks may claim together."""
    jobs: tuple[str, ...] = ()
    """Numbers of the jobs that were submitted."""
    retries: int = 0
    pending: str = ""
    """Why jobs wait, in the words that were told last; empty once a task runs."""
    last: str = ""
    """What was told last."""
    warnings: tuple[str, ...] = ()

    def stages(self) -> dict[str, list[Task]]:
        """Return the tasks of each stage, in the order of the stages."""
        found: dict[str, list[Task]] = {stage.label: [] for stage in Stage}
        for name, task in self.tasks.items():
            found[stage_of(name).label].append(task)
        return {stage: tasks for stage, tasks in found.items() if tasks}

    @property
    def claimed_mb(self) -> int:
        """Memory that the running tasks claim, 10^6 bytes."""
        return sum(task.memory_mb for task in self.tasks.values() if task.state == RUNNING)
