"""Findings of tasks, as `TaskResult.data` holds them; those of the alignment are in `alignment_results`.

Tasks write ``to_dict``; ``from_dict`` reads it, or the same from JSON. Unknown keys of other versions are ignored.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from hstmosaic.store.drizzle_steps import DrizzleSteps
from hstmosaic.store.files import MadeFile
from hstmosaic.store.image_identity import ImageIdentity
from hstmosaic.store.pixel_repair import PixelRepair
from hstmosaic.store.task_specs import BoxPlace

if TYPE_CHECKING:
    from collections.abc import Mapping

Parameters = dict[str, str | int | float | bool | list[str] | None]
"""Parameters of AstroDrizzle by name, and ``set``: the conditions by which drizzlepac chose them."""
_SOFTWARE = "software"


@dataclass(frozen=True)
class StarShapes:
    """Shapes of the stars of an exposure, and the elongation that they share."""

    stars: int
    """Sources as wide as stars along their minor axis."""
    elongated: int
    """Those of them that are longer than stars are."""
    aligned: int
    """Elongated sources with a common direction; pieces of one line count once."""
    length: float = 0.0
    """Length of the trail of a star, pixels; 0 without a common direction."""
    angle: float = 0.0
    """Its direction, degrees from the x axis of the chip towards the y axis."""
    chance: float = 1.0
    """Probability that this number of elongated sources share a direction by chance."""
    lines: int = 0
    """Linear features that cross the frame, as of satellites."""

    @property
    def round(self) -> int:
        """Sources as round as stars."""
        return self.stars - self.elongated

    def __str__(self) -> str:
        """Write what was seen, in one clause."""
        if not self.aligned:
            return f"{self.stars} stars, none elongated"
        trail = f"elongated by {self.length:.1f} pixels at {self.angle:.0f} degrees from the x axis"
        return f"{self.aligned} of {self.stars} stars are {trail}"


@dataclass(frozen=True)
class ScreenResult:
    """The verdict on an exposure."""

    usable: bool
    reason: str = ""
    """Why not, or a remark; empty for a usable exposure without remarks."""
    sha256: str | None = None
    """Of the file that was judged; None for a placeholder task."""
    repair: PixelRepair | None = None
    """Faults of its pixels; None for a placeholder task."""
    shapes: StarShapes | None = None
    """Shapes of its stars; None where they were not measured."""
    doubtful: bool = False
    """True if it is usable only for lack of evidence against it, so that the user should look at it."""

    def to_dict(self) -> dict[str, Any]:
        """Return the result as JSON can have it, without unknown values and without a doubt that there is not."""
        raw = {key: value for key, value in asdict(self).items() if value is not None}
        return raw if self.doubtful else {key: value for key, value in raw.items() if key != "doubtful"}

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> ScreenResult:
        """Read what `to_dict` returns.

        Raises
        ------
        KeyError
            If there is no verdict.
        """
        repair = PixelRepair.from_dict(raw["repair"]) if "repair" in raw else None
        shapes = StarShapes(**raw["shapes"]) if "shapes" in raw else None
        doubtful = raw.get("doubtful", False)
        return cls(raw["usable"], raw.get("reason", ""), raw.get("sha256"), repair, shapes, doubtful)


@dataclass(frozen=True)
class SourcesResult:
    """The sources of an exposure."""

    fwhm: float
    """Width of a star, arcsec."""
    counts: tuple[int, ...]
    """Sources by chip."""
    tables: tuple[str, ...]
    """File names of the tables in the working directory, by chip; empty for a chip without sources."""
    files: tuple[MadeFile, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the result as JSON can have it."""
        return asdict(self)

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> SourcesResult:
        """Read what `to_dict` returns.

        Raises
        ------
        KeyError
            If it is not the result of a search for sources.
        """
        return cls(raw["fwhm"], tuple(raw["counts"]), tuple(raw["tables"]), _files(raw))


@dataclass(frozen=True)
class MosaicSource:
    """A compact source in a mosaic."""

    x: float
    """From the reference pixel of the grid, pixels."""
    y: float
    fwhm: float | None
    """Width along its mean axis, pixels; None where it cannot be measured."""


@dataclass(frozen=True)
class DrizzleResult:
    """The products of a task that drizzles."""

    files: tuple[MadeFile, ...]
    """The products, in the working directory."""
    parameters: dict[str, Parameters] = field(default_factory=dict)
    """Parameters of AstroDrizzle, by name of the mosaic."""
    steps: DrizzleSteps = field(default_factory=DrizzleSteps)
    sources: tuple[MosaicSource, ...] = ()
    """Compact sources of the mosaic on the finest grid."""

    def to_dict(self) -> dict[str, Any]:
        """Return the result as JSON can have it."""
        rows = [(source.x, source.y, source.fwhm) for source in self.sources]
        return asdict(replace(self, sources=())) | {"sources": rows}

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> DrizzleResult:
        """Read what `to_dict` returns; missing parts, as of a failed task, are empty."""
        steps = DrizzleSteps.from_dict(raw["steps"]) if "steps" in raw else DrizzleSteps()
        sources = tuple(MosaicSource(*row) for row in raw.get("sources", ()))
        return cls(_files(raw), dict(raw.get("parameters", {})), steps, sources)


@dataclass(frozen=True)
class PrepareResult:
    """A prepared layer."""

    files: tuple[MadeFile, ...]
    """Records, and the products without pixels, in the working directory."""
    boxes: tuple[tuple[BoxPlace, ...], ...]
    """The rectangles of each task that drizzles."""
    parameters: dict[str, Parameters] = field(default_factory=dict)
    """As in `DrizzleResult`."""
    steps: DrizzleSteps = field(default_factory=DrizzleSteps)

    def to_dict(self) -> dict[str, Any]:
        """Return the result as JSON can have it."""
        return asdict(self)

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> PrepareResult:
        """Read what `to_dict` returns.

        Raises
        ------
        KeyError
            If it is not the result of preparing.
        """
        boxes = tuple(tuple(BoxPlace(**place) for place in places) for places in raw["boxes"])
        return cls(_files(raw), boxes, dict(raw["parameters"]), DrizzleSteps.from_dict(raw["steps"]))


@dataclass(frozen=True)
class BoxTaskResult:
    """A drizzled box."""

    files: tuple[MadeFile, ...]
    records: tuple[tuple[str, str], ...]
    """(mosaic, file name of the record) of each of its rectangles."""

    def to_dict(self) -> dict[str, Any]:
        """Return the result as JSON can have it."""
        return asdict(self)

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> BoxTaskResult:
        """Read what `to_dict` returns.

        Raises
        ------
        KeyError
            If it is not the result of drizzling a box.
        """
        return cls(_files(raw), tuple((product, name) for product, name in raw["records"]))


@dataclass(frozen=True)
class PicturesFailure:
    """The end of the program that draws pictures, when it failed."""

    status: int
    """Exit code, or minus the signal."""
    details: str
    """Its standard error."""

    def to_dict(self) -> dict[str, Any]:
        """Return the failure as JSON can have it."""
        return asdict(self)

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> PicturesFailure:
        """Read what `to_dict` returns; a task that ended without a result has no details."""
        return cls(raw.get("status", 1), raw.get("details", ""))


@dataclass(frozen=True)
class TaskSoftware:
    """The software that did a task."""

    versions: dict[str, str] = field(default_factory=dict)
    """Versions of distributions, by name."""
    image: ImageIdentity | None = None
    """The container image; None outside of one."""

    def to_dict(self) -> dict[str, Any]:
        """Return an item for the data of any task."""
        return {_SOFTWARE: asdict(self)}

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> TaskSoftware:
        """Read the item from the data of a task; empty if it is missing."""
        item = raw.get(_SOFTWARE, {})
        image = item.get("image")
        return cls(dict(item.get("versions", {})), None if image is None else ImageIdentity(**image))


def _files(raw: Mapping[str, Any]) -> tuple[MadeFile, ...]:
    return tuple(MadeFile(**file) for file in raw.get("files", ()))
