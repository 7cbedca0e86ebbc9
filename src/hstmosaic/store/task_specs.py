"""Specifications of tasks."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

SPEC_FILE = "spec.json"
LOG_FILE = "log.txt"
WORK_FOLDER = "work"
TRAILERS = "*_trl.*"
"""Pattern of trailers in a working directory; those of failed tasks are kept."""

GUIDING_SEED = 20231
"""Seed of the guiding check, for reproducible verdicts."""
SOURCE_RULES = 2
"""Version of how sources are found; results of other versions are not reused."""
FIT_RULES = 2
"""Version of the joint fit."""
SCREEN_RULES = 1
"""Version of how the shapes of stars are judged; results of other versions are not reused."""
PIXEL_RULES = 1
"""Version of the repair of pixels in working copies; results of other versions are not reused."""


TANGENT = "TAN"
"""Code of the tangent-plane projection."""
_SEPARATE_IMAGES = ("driz_separate", "median", "blot", "driz_cr")
"""Steps of AstroDrizzle that make images of their own."""
_DIVISIBLE = {"final_kernel": "square", "final_units": "cps"}
"""The only values of parameters with which boxes can be drizzled."""


Card = tuple[str, str | int | float | bool, str]
"""Keyword, value and comment of a header record."""


class Screening(StrEnum):
    """Method by which screening finds failed guiding."""

    SHAPES = "shapes"
    """From the shapes of stars; drizzlepac's check is a second opinion."""
    DRIZZLEPAC = "drizzlepac"
    """By drizzlepac's check."""


@dataclass(frozen=True)
class ScreenSpec:
    """Screen one exposure."""

    path: str
    """The exposure."""
    screening: Screening = Screening.SHAPES
    screen_rules: int = SCREEN_RULES
    seed: int = GUIDING_SEED
    pixel_rules: int = PIXEL_RULES
    kind: str = "screen"


@dataclass(frozen=True)
class GridSpec:
    """Plane of the sky and pixels of a mosaic."""

    coarse: bool
    """True if it is the grid of drizzlepac's coarse product."""
    shape: tuple[int, int]
    """Height and width, pixels."""
    crpix: tuple[float, float]
    crval: tuple[float, float]
    cd: tuple[float, float, float, float]
    """CD1_1, CD1_2, CD2_1 and CD2_2, degrees per pixel."""
    projection: str = TANGENT

    @classmethod
    def from_dict(cls, raw: dict[str, Any]) -> GridSpec:
        """Return the grid that `dataclasses.asdict` converted."""
        shape, crpix, crval, cd = (tuple(raw[name]) for name in ("shape", "crpix", "crval", "cd"))
        return cls(raw["coarse"], shape, crpix, crval, cd, raw.get("projection", TANGENT))


@dataclass(frozen=True)
class TileSpec:
    """A rectangle of a mosaic that is a file of its own."""

    mosaic: str
    """File name of the mosaic."""
    file: str
    """File name of the tile."""
    name: str
    """Name of the rectangle."""
    left: int
    """First column in the mosaic, 0-based."""
    bottom: int
    """First row in the mosaic, 0-based."""
    width: int
    height: int


@dataclass(frozen=True)
class DrizzleSpec:
    """Make the mosaics of one layer in one task."""

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
    areas: tuple[tuple[str, int, int], ...] = ()
    """(mosaic, pixels in the limits it is made with, pixels in the documented ones): NPIXFRAC refers to the latter."""
    cards: tuple[Card, ...] = ()
    """Records for the primary headers of the mosaics."""
    history: tuple[str, ...] = ()
    """HISTORY records for the same."""
    repaired: tuple[str, ...] = ()
    """Names of exposures whose pixels need repair."""
    log_level: str = "info"
    whole: bool = False
    """Let drizzlepac drizzle the layer in one call, instead of box by box; the mosaics are the same."""
    pixel_rules: int = PIXEL_RULES
    parameters: tuple[tuple[str, bool | int | float | str | None], ...] = ()
    """Parameters of AstroDrizzle that replace those that drizzlepac selects."""
    fixed_set: bool = False
    """True if drizzlepac's parameter set is that for overlapping exposures, whatever the depth."""
    compress: bool = False
    """True if mosaics are tile-compressed."""
    grids: tuple[GridSpec, ...] = ()
    """Grids of the mosaics where they are not drizzlepac's, the coarse one first."""
    tiles: tuple[TileSpec, ...] = ()
    """Tiles that are cut out of the finished mosaics."""
    error: bool = False
    """True if mosaics have an image of errors."""
    context: bool = False
    """True if mosaics have images of the chips and of the number of exposures in each pixel."""
    kind: str = "drizzle"

    @property
    def assembled_compressed(self) -> bool:
        """Return whether boxes are put together in compressed form; images that are made of others need them plain."""
        return self.compress and not (self.error or self.context)

    @property
    def finest(self) -> str:
        """Return the name of the mosaic on the finest grid."""
        return self.areas[-1][0]

    @property
    def in_boxes(self) -> bool:
        """Return whether boxes are drizzled one by one."""
        return not self.whole and is_divisible(dict(self.parameters))


def is_divisible(parameters: Mapping[str, object]) -> bool:
    """Return whether a layer can be drizzled in boxes.

    Parameters
    ----------
    parameters : mapping of str to object
        Parameters of AstroDrizzle that the user set. Other kernels, units other than counts per second and the
        rejection of cosmic rays by separate images need the layer as a whole.
    """
    own_images = any(parameters.get(step) for step in _SEPARATE_IMAGES)
    same = all(parameters.get(name, value) == value for name, value in _DIVISIBLE.items())
    return same and not own_images


@dataclass(frozen=True)
class BoxPlace:
    """A rectangle of a mosaic, pixels."""

    product: str
    """File name of the mosaic."""
    top: int
    bottom: int
    left: int
    right: int


@dataclass(frozen=True)
class PrepareSpec:
    """Do everything for a layer but drizzle, and divide its mosaics into boxes."""

    layer: DrizzleSpec
    pixels: int
    """Largest number of pixels of a rectangle."""
    boxes: int
    """Number of tasks that drizzle them."""
    kind: str = "prepare"


@dataclass(frozen=True)
class BoxSpec:
    """Drizzle a box: rectangles of the mosaics of a layer."""

    prepared: str
    """Directory of the task that prepared it."""
    key: str
    """Key of that task."""
    places: tuple[BoxPlace, ...]
    kind: str = "box"


@dataclass(frozen=True)
class AssembleSpec:
    """Put the boxes of a layer together."""

    layer: DrizzleSpec
    prepared: str
    """Directory of the task that prepared them."""
    boxes: tuple[tuple[str, str], ...]
    """(mosaic, path of the record of a drizzled rectangle)."""
    kind: str = "assemble"


@dataclass(frozen=True)
class SourcesSpec:
    """Find the sources of one exposure that the joint fit will use."""

    path: str
    """The exposure."""
    instrument: str
    """Whose parameters hold: its own instrument ..."""
    detector: str
    """... and detector."""
    source_rules: int = SOURCE_RULES
    pixel_rules: int = PIXEL_RULES
    kind: str = "sources"


@dataclass(frozen=True)
class AlignSpec:
    """Fit the WCS of all exposures of all filters together to a catalogue."""

    exposures: tuple[tuple[str, str], ...]
    """(name, path) of the exposures, in the order of the fit."""
    sources: tuple[tuple[str, tuple[str, ...]], ...]
    """(name, paths of the tables of its chips; empty for a chip without sources)."""
    replies: tuple[tuple[str, str], ...]
    """(catalogue, path of the stored reply of the service), in the order in which they are tried."""
    prefix: str
    """Prefix of the reference catalogue's file name."""
    repaired: tuple[str, ...] = ()
    """Names of exposures whose pixels need repair."""
    fit_rules: int = FIT_RULES
    pixel_rules: int = PIXEL_RULES
    kind: str = "align"


@dataclass(frozen=True)
class PicturesSpec:
    """Draw the pictures of a run whose mosaics are made."""

    program: str
    """Name of the module that does it."""
    run: str
    """The run directory."""
    kind: str = "pictures"


@dataclass(frozen=True)
class StubSpec:
    """Run a placeholder task, to test a cluster."""

    products: tuple[str, ...] = ()
    """Names of tiny files to write."""
    seconds: float = 1.0
    memory_mb: int = 0
    """Memory to use, 10^6 bytes."""
    failure: str = ""
    """Error to fail with, as for a fault of the data."""
    kind: str = "stub"


TaskSpec = (
    ScreenSpec | DrizzleSpec | PrepareSpec | BoxSpec | AssembleSpec | SourcesSpec | AlignSpec | PicturesSpec | StubSpec
)
