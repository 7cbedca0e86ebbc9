"""Kinds of events, and the data that each carries in the run log."""

from __future__ import annotations

from dataclasses import MISSING, asdict, dataclass, field, fields
from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar, Self

from hstmosaic.store.alignment_results import ExposureFit
from hstmosaic.store.measured import Measured
from hstmosaic.store.pixel_repair import PixelRepair

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hstmosaic.store.alignment_results import AlignmentResult


class EventKind(StrEnum):
    """Kinds of events, as the run log has them."""

    READING = "reading"
    PLANNED = "planned"
    LEFT_OUT = "left out"
    NOTE = "note"
    SCREENING = "screening"
    SCREENED = "screened"
    KEPT = "kept"
    REPAIRED = "repaired"
    ALIGNING = "aligning"
    CATALOG = "catalog"
    ALIGNED = "aligned"
    NOT_ALIGNED = "not aligned"
    CARRIED = "carried"
    LARGE_MOVE = "large move"
    DRIZZLING = "drizzling"
    GATHERED = "gathered"
    REGISTERED = "registered"
    REUSED = "reused"
    FAILED = "failed"
    FALLBACK = "fallback"
    DRAWING = "drawing"
    PICTURES = "pictures"
    REPORT = "report"
    WARNINGS = "warnings"
    FINISHED = "finished"
    STOPPED = "stopped"
    SKIPPED = "skipped"
    RUNNING = "running"
    ENDED = "ended"
    RETRYING = "retrying"
    UNABLE = "unable"
    WORKERS = "workers"
    MEMORY_LIMIT = "memory limit"
    PROGRESS = "progress"
    JOB = "job"
    JOB_LOST = "job lost"
    JOBS_LEFT = "jobs left"
    REFUSED = "refused"
    STRAY = "stray"
    PENDING = "pending"
    SILENT = "silent"
    ANSWERS = "answers"
    LISTENER_LOST = "listener lost"


@dataclass(frozen=True)
class Payload:
    """Data of an event; the subclasses are the shapes in the run log."""

    kind: ClassVar[EventKind]

    def to_dict(self) -> dict[str, Any]:
        """Return the data as the run log has them."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Return the payload that `to_dict` turned into `values`; unknown fields are ignored.

        Raises
        ------
        KeyError
            If a field is missing.
        """
        return cls(**{name: _typed(name, values[name]) for name in cls.names() if name in values or cls.needs(name)})

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """Names of the fields."""
        return tuple(item.name for item in fields(cls))

    @classmethod
    def needs(cls, name: str) -> bool:
        """Return whether a field has no default."""
        (found,) = (item for item in fields(cls) if item.name == name)
        return found.default is MISSING and found.default_factory is MISSING


@dataclass(frozen=True)
class Unknown(Payload):
    """Data of an event that another version of hstmosaic emitted."""

    name: str
    data: dict[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """Return the data as the run log has them."""
        return self.data


@dataclass(frozen=True)
class _Count(Payload):
    done: int
    total: int


class Reading(_Count):
    """Headers of exposures were read."""

    kind = EventKind.READING


@dataclass(frozen=True)
class CommandRecord:
    """The command of a run."""

    command: str = ""
    """As typed."""
    stub: bool = False
    """Whether its tasks are placeholders."""
    options: dict[str, bool | int | float | str] = field(default_factory=dict)
    """Options that differ from their defaults, and the profile."""

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> CommandRecord:
        """Read what `dataclasses.asdict` returned."""
        return cls(raw.get("command", ""), raw.get("stub", False), dict(raw.get("options", {})))


@dataclass(frozen=True)
class Planned(Payload):
    """A run begins."""

    kind = EventKind.PLANNED
    command: CommandRecord = field(default_factory=CommandRecord)
    tasks: dict[str, tuple[float, int, str]] = field(default_factory=dict)
    """Estimated seconds and memory (10^6 bytes), and group of alike tasks, by name of the task."""
    layers: dict[str, list[str]] = field(default_factory=dict)
    """Exposures of each layer."""
    pace: float = 1.0
    """Wall time for a second of CPU time."""
    pictures_s: float = 0.0
    """Estimated seconds to draw the pictures."""


class HeaderRejected(Payload):
    """The header of an exposure excludes it."""

    kind = EventKind.LEFT_OUT


class Note(Payload):
    """A note for the user."""

    kind = EventKind.NOTE


class Screening(_Count):
    """Exposures were screened."""

    kind = EventKind.SCREENING


@dataclass(frozen=True)
class _Verdict(Payload):
    exposure: str
    measured: Measured | None = None
    """None for a result of an earlier start."""
    reason: str = ""
    """Why it cannot be used, or a remark."""
    crashed: bool = False
    """Whether screening crashed."""


class Screened(_Verdict):
    """An exposure can be used."""

    kind = EventKind.SCREENED


class Kept(_Verdict):
    """An exposure is used only because of ``--keep``."""

    kind = EventKind.KEPT


class ScreeningRejected(_Verdict):
    """Screening rejected an exposure."""

    kind = EventKind.LEFT_OUT


@dataclass(frozen=True)
class Repaired(Payload):
    """Working copies of an exposure are repaired."""

    kind = EventKind.REPAIRED
    exposure: str
    repair: PixelRepair


@dataclass(frozen=True)
class FindingSources(Payload):
    """The search for sources begins."""

    kind = EventKind.ALIGNING
    exposures: int


class Fitting(Payload):
    """The fit begins."""

    kind = EventKind.ALIGNING


@dataclass(frozen=True)
class CatalogRead(Payload):
    """A catalogue was read."""

    kind = EventKind.CATALOG
    catalog: str
    sources: int


@dataclass(frozen=True)
class CatalogFailed(Payload):
    """A catalogue cannot be used."""

    kind = EventKind.CATALOG
    catalog: str


@dataclass(frozen=True)
class Aligned(Payload):
    """Exposures were aligned."""

    kind = EventKind.ALIGNED
    catalog: str
    method: str
    fitgeom: str
    matches: int
    rms_mas: tuple[float, float]
    exposures: dict[str, ExposureFit]
    left_out: dict[str, str]
    chance_log10: float | None = None

    @classmethod
    def of(cls, result: AlignmentResult) -> Self:
        """Return the payload of an alignment."""
        return cls(**{name: getattr(result, name) for name in cls.names()})


@dataclass(frozen=True)
class ExposureAligned(Payload):
    """An exposure was aligned."""

    kind = EventKind.ALIGNED
    exposure: str


@dataclass(frozen=True)
class NotAligned(Payload):
    """The alignment failed."""

    kind = EventKind.NOT_ALIGNED
    cause: str


@dataclass(frozen=True)
class ExposureNotAligned(Payload):
    """An exposure keeps its WCS."""

    kind = EventKind.NOT_ALIGNED
    exposure: str
    reason: str = ""


@dataclass(frozen=True)
class Carried(Payload):
    """An exposure moves with the others of its visit."""

    kind = EventKind.CARRIED
    exposure: str
    reason: str


@dataclass(frozen=True)
class ExposureMovedFar(Payload):
    """An exposure moved far although its WCS was good."""

    kind = EventKind.LARGE_MOVE
    exposure: str


class MovedFar(Payload):
    """Exposures moved farther than errors of pointing explain."""

    kind = EventKind.LARGE_MOVE


@dataclass(frozen=True)
class Drizzling(Payload):
    """A layer is being drizzled."""

    kind = EventKind.DRIZZLING
    layer: str


@dataclass(frozen=True)
class Gathered(Payload):
    """The products of a layer are in the output directory."""

    kind = EventKind.GATHERED
    layer: str
    measured: Measured | None = None
    """None where the task ended in an earlier start."""


@dataclass(frozen=True)
class Reused(Payload):
    """The products of a layer were in the output directory already."""

    kind = EventKind.REUSED
    layer: str
    task: str


@dataclass(frozen=True)
class FailureDigested(Payload):
    """The digest of the failure of a layer, at the end of the run."""

    kind = EventKind.FAILED
    layer: str
    cause: str
    sentence: str
    lines: tuple[str, ...]
    next_step: str
    log: str


@dataclass(frozen=True)
class LayerFailed(Payload):
    """A layer failed."""

    kind = EventKind.FAILED
    layer: str


@dataclass(frozen=True)
class Fallback(Payload):
    """A library did something else than its task."""

    kind = EventKind.FALLBACK
    name: str
    """The layer or the exposure."""
    fallback: str
    step: str


class Drawing(Payload):
    """The pictures are being drawn."""

    kind = EventKind.DRAWING


@dataclass(frozen=True)
class PicturesFailed(Payload):
    """The pictures could not be drawn."""

    kind = EventKind.PICTURES
    details: str


@dataclass(frozen=True)
class ReportWritten(Payload):
    """The report is written."""

    kind = EventKind.REPORT
    path: str


class ReportFailed(Payload):
    """The report could not be written."""

    kind = EventKind.REPORT


class Warnings(Payload):
    """Summary of the warnings of a run."""

    kind = EventKind.WARNINGS


@dataclass(frozen=True)
class Finished(Payload):
    """A run ended after its last stage."""

    kind = EventKind.FINISHED
    exit_code: int | None = None
    warnings: list[str] = field(default_factory=list)
    """What the user should know about the products, in a few words each."""


@dataclass(frozen=True)
class Stopped(Payload):
    """An error ended a run."""

    kind = EventKind.STOPPED
    exit_code: int
    next_step: str = ""


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


@dataclass(frozen=True)
class Registered(Payload):
    """The registration of two mosaics was measured on their stars."""

    kind = EventKind.REGISTERED
    layer: str
    reference: str
    """The layer that it was compared with."""
    stars: int
    """Stars that match; 0 if there are too few."""
    x: float
    """Median offset of the layer along x, pixels of the mosaic."""
    y: float
    scatter: float
    """Robust standard deviation of the offsets of single stars, per axis, pixels."""


class SlurmAnswers(Payload):
    """Slurm answers again."""

    kind = EventKind.ANSWERS


class ListenerLost(Payload):
    """A listener was removed because it cannot write."""

    kind = EventKind.LISTENER_LOST


def payload_from(kind: str, data: Mapping[str, Any]) -> Payload:
    """Return the payload of a line of the run log.

    Parameters
    ----------
    kind : str
        Kind of the event.
    data : mapping
        Its other fields.

    Returns
    -------
    Payload
        `Unknown` if no shape of the kind fits the data.
    """
    for shape in _SHAPES.get(kind, ()):
        try:
            return shape.from_dict(data)
        except (KeyError, TypeError, AttributeError):
            continue
    return Unknown(kind, dict(data))


def _typed(name: str, value: Any) -> Any:
    if name == "measured" and value is not None:
        return Measured.from_dict(value)
    if name == "repair":
        return PixelRepair.from_dict(value)
    if name == "command" and isinstance(value, dict):
        return CommandRecord.from_dict(value)
    if name == "exposures" and isinstance(value, dict):
        return {exposure: ExposureFit.from_dict(fit) for exposure, fit in value.items()}
    if name == "tasks" and isinstance(value, dict):
        return {task: tuple(estimate) for task, estimate in value.items()}
    return tuple(value) if name in ("lines", "rms_mas") else value


def payload_shapes() -> dict[str, list[type[Payload]]]:
    """Return the shapes of each kind of event; the one with most fields comes first."""
    found: dict[str, list[type[Payload]]] = {}
    todo = list(Payload.__subclasses__())
    while todo:
        shape = todo.pop()
        todo += shape.__subclasses__()
        if "kind" in vars(shape):
            found.setdefault(shape.kind, []).append(shape)
    return {kind: sorted(shapes, key=lambda shape: -len(shape.names())) for kind, shapes in found.items()}


_SHAPES = payload_shapes()
