"""Data of events of a run and its stages, apart from the alignment."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from hstmosaic.store.measured import Measured
from hstmosaic.store.payload import CommandRecord, EventKind, Payload
from hstmosaic.store.pixel_repair import PixelRepair


@dataclass(frozen=True)
class _Count(Payload):
    done: int
    total: int


class Reading(_Count):
    """Headers of exposures were read."""

    kind = EventKind.READING


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
    """True if screening crashed."""


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


LARGEST_OFFSET = 0.5
"""Pixels from which a mosaic is badly registered."""


@dataclass(frozen=True)
class Registered(Payload):
    """The offset of a mosaic from another one, or from the catalogue, was measured on its stars."""

    kind = EventKind.REGISTERED
    layer: str
    reference: str
    """The layer or the catalogue that it was compared with."""
    stars: int
    """Stars that match; 0 if there are too few."""
    x: float
    """Median offset of the layer along x, pixels of the mosaic."""
    y: float
    scatter: float
    """Robust standard deviation of the offsets of single stars, per axis, pixels."""

    @property
    def distance(self) -> float:
        """Length of the offset, pixels."""
        return math.hypot(self.x, self.y)

    @property
    def is_bad(self) -> bool:
        """Return whether the offset is above half a pixel, and above five times its error."""
        return self.stars > 0 and self.distance > max(LARGEST_OFFSET, 5 * self.scatter / math.sqrt(self.stars))


@dataclass(frozen=True)
class StarsMeasured(Payload):
    """The width of stars in a mosaic was measured."""

    kind = EventKind.STARS
    layer: str
    stars: int
    """Stars that were measured."""
    fwhm_arcsec: float
    """Median full width at half maximum."""


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
    """Warnings about the products, a few words each."""


@dataclass(frozen=True)
class Stopped(Payload):
    """An error ended a run."""

    kind = EventKind.STOPPED
    exit_code: int
    next_step: str = ""
