"""Data of events of tasks, workers and Slurm jobs, as the run log has them."""

from __future__ import annotations

from dataclasses import dataclass, field

from hstmosaic.store.measured import Measured
from hstmosaic.store.payload import EventKind, Payload


@dataclass(frozen=True)
class Skipped(Payload):
    """A task was finished in an earlier start."""

    kind = EventKind.SKIPPED
    task: str


@dataclass(frozen=True)
class Running(Payload):
    """A task runs on a worker."""

    kind = EventKind.RUNNING
    task: str
    worker: str
    attempt: int
    memory_mb: int | None = None


@dataclass(frozen=True)
class Ended(Payload):
    """A task ended."""

    kind = EventKind.ENDED
    task: str
    ok: bool
    measured: Measured | None
    """None where no attempt ran to its end."""


@dataclass(frozen=True)
class Retrying(Payload):
    """A task will run again."""

    kind = EventKind.RETRYING
    task: str
    cause: str
    attempt: int
    memory_mb: int


@dataclass(frozen=True)
class Unable(Payload):
    """A worker cannot run tasks."""

    kind = EventKind.UNABLE
    worker: str
    details: str


@dataclass(frozen=True)
class Workers(Payload):
    """The workers of a run changed."""

    kind = EventKind.WORKERS
    workers: int
    slots: int
    memory_mb: int


@dataclass(frozen=True)
class RunsAlone(Payload):
    """A task runs alone because its estimate exceeds the memory."""

    kind = EventKind.MEMORY_LIMIT
    limit: str
    memory_mb: int
    task: str


@dataclass(frozen=True)
class MemoryLimit(Payload):
    """Memory limits the number of simultaneous tasks."""

    kind = EventKind.MEMORY_LIMIT
    limit: str
    memory_mb: int
    cores: int
    running: int


@dataclass(frozen=True)
class Progress(Payload):
    """Progress of a run."""

    kind = EventKind.PROGRESS
    done: int = 0
    tasks: int = 0
    share: float = 0.0
    seconds_left: float | None = None
    cpu: dict[str, float] = field(default_factory=dict)
    """CPU time of the running tasks of this node, seconds."""


@dataclass(frozen=True)
class JobSubmitted(Payload):
    """A job was submitted."""

    kind = EventKind.JOB
    job: str
    memory_mb: int


@dataclass(frozen=True)
class JobLost(Payload):
    """A job ended before its worker started."""

    kind = EventKind.JOB_LOST
    job: str


@dataclass(frozen=True)
class JobsLeft(Payload):
    """Jobs could not be cancelled."""

    kind = EventKind.JOBS_LEFT
    name: str


@dataclass(frozen=True)
class JobRefused(Payload):
    """Slurm accepts no job now."""

    kind = EventKind.REFUSED
    words: str


@dataclass(frozen=True)
class StrayJob(Payload):
    """A job of this run is not used."""

    kind = EventKind.STRAY
    job: str


@dataclass(frozen=True)
class JobsPending(Payload):
    """Jobs wait in the queue."""

    kind = EventKind.PENDING
    reason: str = ""
    jobs: list[str] = field(default_factory=list)


class SlurmSilent(Payload):
    """Slurm does not answer."""

    kind = EventKind.SILENT


class SlurmAnswers(Payload):
    """Slurm answers again."""

    kind = EventKind.ANSWERS


class ListenerLost(Payload):
    """A listener was removed because it cannot write."""

    kind = EventKind.LISTENER_LOST
