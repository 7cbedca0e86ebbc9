"""Specifications and results of tasks: the JSON files in a task directory."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol, Self, TypeVar

from hstmosaic.store.files import ENCODING, write_atomically

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SPEC_FILE = "spec.json"
ANSWER_FILE = "answer.json"
"""Result from the task's process, before its files are in place."""
RESULT_FILE = "result.json"
"""Result of a finished task: written last, after all other files."""
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
    """Tangent plane and pixels of a mosaic."""

    coarse: bool
    """Whether it is the grid of drizzlepac's coarse product."""
    shape: tuple[int, int]
    """Height and width, pixels."""
    crpix: tuple[float, float]
    crval: tuple[float, float]
    cd: tuple[float, float, float, float]
    """CD1_1, CD1_2, CD2_1 and CD2_2, degrees per pixel."""

    @classmethod
    def from_dict(cls, raw: dict[str, Any]) -> GridSpec:
        """Return the grid that `dataclasses.asdict` converted."""
        return cls(raw["coarse"], *(tuple(raw[name]) for name in ("shape", "crpix", "crval", "cd")))


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
    """Drizzle one layer over one box."""

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
    """Whether drizzlepac's parameter set is that for overlapping exposures, whatever the depth."""
    compress: bool = False
    """Whether mosaics are tile-compressed."""
    grids: tuple[GridSpec, ...] = ()
    """Grids of the mosaics where they are not drizzlepac's, the coarse one first."""
    tiles: tuple[TileSpec, ...] = ()
    """Tiles that are cut out of the finished mosaics."""
    error: bool = False
    """Whether mosaics have an image of errors."""
    context: bool = False
    """Whether mosaics have images of the chips and of the number of exposures in each pixel."""
    kind: str = "drizzle"

    @property
    def in_boxes(self) -> bool:
        """Return whether boxes are drizzled one by one: not with parameters, grids, planes or compression."""
        planes = self.error or self.context
        return not (self.whole or self.parameters or self.grids or self.compress or planes)


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


CRASHED, STATUS, OUT_OF_MEMORY = "crashed", "status", "short_of_memory"
"""Keys of the data of results: of an exception, of the exit code of a process without a result, of a lack of memory."""


class _Readable(Protocol):
    @classmethod
    def from_dict(cls, raw: dict[str, Any]) -> Self: ...


Findings = TypeVar("Findings", bound=_Readable)


@dataclass(frozen=True)
class TaskWarning:
    """A fallback of a library: a step that it replaced or omitted without an error."""

    step: str
    """Processing step, such as ``sky matching``."""
    message: str
    """Description, one sentence without a full stop."""
    strict: bool = True
    """Whether ``--strict`` makes it an error."""

    def __str__(self) -> str:
        return self.message


@dataclass(frozen=True)
class TaskResult:
    """Result of a task."""

    ok: bool
    """Whether the task succeeded."""
    data: dict[str, Any] = field(default_factory=dict)
    """Findings as JSON has them; other rooms get them by `read`."""
    error: str = ""
    """Cause of the failure, one line."""
    retry: bool = False
    """Whether another attempt may succeed, because the data are not the cause."""
    warnings: tuple[TaskWarning, ...] = ()
    """Fallbacks of the libraries that did the task."""

    def read(self, shape: type[Findings]) -> Findings:
        """Return the findings, or those of another kind that every task has.

        Parameters
        ----------
        shape : type
            One of `hstmosaic.store.task_results`, or `AlignmentResult`.

        Raises
        ------
        KeyError
            If the task has no such findings.
        """
        return shape.from_dict(self.data)

    @property
    def status(self) -> int | None:
        """Exit code of a process that left no result, or minus its signal."""
        return self.data.get(STATUS)

    @property
    def ran_out_of_memory(self) -> bool:
        """Return whether the log of the task shows a lack of memory."""
        return bool(self.data.get(OUT_OF_MEMORY, False))

    @property
    def crashed(self) -> bool:
        """Return whether the task ended by an exception or without a result, which is no evidence about its data."""
        return not self.ok and not self.retry and (CRASHED in self.data or STATUS in self.data)

    @property
    def files(self) -> dict[str, str]:
        """SHA-256 of the files in its working directory that are still needed, by name."""
        return {file["name"]: file["sha256"] for file in self.data.get("files", [])}


_CUSTOM: dict[str, Any] = {
    "parameters": (),
    "fixed_set": False,
    "compress": False,
    "grids": (),
    "tiles": (),
} | dict.fromkeys(("error", "context"), False)
"""Fields of `DrizzleSpec` with their defaults, at which they are omitted from specifications and keys."""


def custom_fields(spec: DrizzleSpec) -> dict[str, object]:
    """Return the fields for options of the user that differ from their defaults."""
    raw = asdict(spec)
    return {name: raw[name] for name, default in _CUSTOM.items() if raw[name] != default}


def spec_to_json(spec: TaskSpec) -> str:
    """Return the text of a spec file."""
    raw = asdict(spec)
    if isinstance(spec, DrizzleSpec):
        raw = _drizzle_to_dict(spec)
    elif isinstance(spec, PrepareSpec | AssembleSpec):
        raw["layer"] = _drizzle_to_dict(spec.layer)
    return json.dumps(raw, indent=1)


def _drizzle_to_dict(spec: DrizzleSpec) -> dict[str, Any]:
    raw = {name: value for name, value in asdict(spec).items() if name not in _CUSTOM} | custom_fields(spec)
    # the mosaics are the same, so that it is no option for pixels
    if not spec.whole:
        del raw["whole"]
    return raw


def _drizzle_from_dict(raw: dict[str, Any]) -> DrizzleSpec:
    changed = {
        "links": tuple((name, path) for name, path in raw["links"]),
        "limits": tuple(raw["limits"]),
        "areas": tuple(tuple(area) for area in raw["areas"]),
        "cards": tuple(tuple(card) for card in raw["cards"]),
        "history": tuple(raw["history"]),
        "products": tuple(raw["products"]),
        "repaired": tuple(raw["repaired"]),
        "grids": tuple(GridSpec.from_dict(grid) for grid in raw.get("grids", ())),
        "tiles": tuple(TileSpec(**tile) for tile in raw.get("tiles", ())),
        "parameters": tuple((name, value) for name, value in raw.get("parameters", ())),
    }
    return DrizzleSpec(**(raw | changed))


def spec_from_json(text: str) -> TaskSpec:
    """Read the text of a spec file.

    Raises
    ------
    ValueError
        If it names no known kind of task.
    """
    raw = json.loads(text)
    kind = raw.get("kind")
    if kind not in _READERS:
        raise ValueError(f"no task of kind {kind!r}")
    return _READERS[kind](raw)


def _prepare_from_dict(raw: dict[str, Any]) -> PrepareSpec:
    return PrepareSpec(**raw | {"layer": _drizzle_from_dict(raw["layer"])})


def _box_from_dict(raw: dict[str, Any]) -> BoxSpec:
    return BoxSpec(**raw | {"places": tuple(BoxPlace(**place) for place in raw["places"])})


def _assemble_from_dict(raw: dict[str, Any]) -> AssembleSpec:
    boxes = tuple((product, record) for product, record in raw["boxes"])
    return AssembleSpec(**raw | {"layer": _drizzle_from_dict(raw["layer"]), "boxes": boxes})


def _align_from_dict(raw: dict[str, Any]) -> AlignSpec:
    changed = {
        "exposures": tuple((name, path) for name, path in raw["exposures"]),
        "sources": tuple((name, tuple(tables)) for name, tables in raw["sources"]),
        "replies": tuple((catalog, path) for catalog, path in raw["replies"]),
        "repaired": tuple(raw["repaired"]),
    }
    return AlignSpec(**raw | changed)


_READERS: dict[str, Callable[[dict[str, Any]], TaskSpec]] = {
    "screen": lambda raw: ScreenSpec(**raw),
    "drizzle": _drizzle_from_dict,
    "prepare": _prepare_from_dict,
    "box": _box_from_dict,
    "assemble": _assemble_from_dict,
    "sources": lambda raw: SourcesSpec(**raw),
    "align": _align_from_dict,
    "pictures": lambda raw: PicturesSpec(**raw),
    "stub": lambda raw: StubSpec(**raw | {"products": tuple(raw["products"])}),
}


def write_result(folder: Path, result: TaskResult, name: str = RESULT_FILE) -> None:
    """Write a task's result (or with `ANSWER_FILE` its answer) atomically."""
    write_atomically(folder / name, json.dumps(asdict(result), indent=1))


def read_result(folder: Path, name: str = RESULT_FILE) -> TaskResult | None:
    """Return a task's result (or with `ANSWER_FILE` its answer), or None if it is missing."""
    try:
        raw = json.loads((folder / name).read_text(ENCODING))
    except FileNotFoundError:
        return None
    return TaskResult(**raw | {"warnings": tuple(TaskWarning(**warning) for warning in raw.get("warnings", ()))})
