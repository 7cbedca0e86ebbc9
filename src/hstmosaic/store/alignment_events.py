"""Data of events of the alignment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from hstmosaic.store.alignment_results import ExposureFit
from hstmosaic.store.payload import EventKind, Payload

if TYPE_CHECKING:
    from hstmosaic.store.alignment_results import AlignmentResult


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
class Imprecise(Payload):
    """The formal errors of exposures are large."""

    kind = EventKind.IMPRECISE
    exposures: tuple[str, ...]


@dataclass(frozen=True)
class ExposureMovedFar(Payload):
    """An exposure moved far although its WCS was good."""

    kind = EventKind.LARGE_MOVE
    exposure: str


class MovedFar(Payload):
    """Exposures moved farther than errors of pointing explain."""

    kind = EventKind.LARGE_MOVE
