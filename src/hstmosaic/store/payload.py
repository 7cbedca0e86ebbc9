"""Kinds of events, and what the data of all events have in common."""

from __future__ import annotations

from dataclasses import MISSING, asdict, dataclass, field, fields
from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar, Self

from hstmosaic.store.alignment_results import ExposureFit
from hstmosaic.store.measured import Measured
from hstmosaic.store.pixel_repair import PixelRepair

if TYPE_CHECKING:
    from collections.abc import Mapping


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
    IMPRECISE = "imprecise"
    LARGE_MOVE = "large move"
    DRIZZLING = "drizzling"
    GATHERED = "gathered"
    REGISTERED = "registered"
    STARS = "stars"
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
class CommandRecord:
    """The command of a run."""

    command: str = ""
    """As typed."""
    stub: bool = False
    """True if its tasks are placeholders."""
    options: dict[str, bool | int | float | str] = field(default_factory=dict)
    """Options that differ from their defaults, and the profile."""

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> CommandRecord:
        """Read what `dataclasses.asdict` returned."""
        return cls(raw.get("command", ""), raw.get("stub", False), dict(raw.get("options", {})))


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
