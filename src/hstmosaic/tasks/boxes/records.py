"""Records between the three steps: JSON with names of files next to it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from hstmosaic.store.files import ENCODING, write_atomically

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class ExposurePixels:
    """Science pixels of a chip, as rows of a file of big-endian single-precision numbers."""

    path: str
    """Absolute, or the name of a file in the folder of the record."""
    offset: int
    """Of the first pixel, bytes."""
    sky: float | None
    gain: float
    double: bool
    """True if sky and gain are applied in double precision."""


@dataclass(frozen=True)
class ChipRecord:
    """One call of drizzlepac's kernel."""

    name: str
    """File and extension, for messages."""
    shape: tuple[int, int]
    pixels: ExposurePixels | str
    """Where science pixels are, or the name of a file that has them as the kernel gets them."""
    weight: float | None
    """Weight of accepted pixels; None if weights differ."""
    mask: str
    """Name of a file with the accepted pixels, bit by bit, or with the weights."""
    geometry: str
    """Name of a FITS file with the headers and tables that its WCS is made of."""
    extver: int
    nodes: str
    """Name of a file with the positions in the mosaic of a grid of its pixels."""
    pixel_ratio: float
    number: int
    """Bit of the context."""
    exposure_time: float
    units: str
    weight_scale: float
    pixfrac: float
    kernel: str
    step: float


@dataclass(frozen=True)
class Grid:
    """WCS of a mosaic."""

    crval: tuple[float, float]
    crpix: tuple[float, float]
    cd: tuple[tuple[float, float], tuple[float, float]]
    ctype: tuple[str, str]


@dataclass(frozen=True)
class MosaicRecord:
    """A mosaic whose headers are made and whose pixels are not."""

    name: str
    """File name of the product; the folder of the record has a file of that name with 2 x 2 pixels."""
    shape: tuple[int, int]
    grid: Grid
    empty: float
    """Science pixels that no chip touches."""
    fill: float | None
    """Science pixels without weight; None to leave what masked pixels gave."""
    gain: float | None
    """Divisor of the science pixels at the end, `fill` included."""
    double_gain: bool
    """True if they are divided in double precision."""
    chips: tuple[ChipRecord, ...]
    context: int = 0
    """Planes of its context image, one for 32 chips; 0 without that image."""


@dataclass(frozen=True)
class Box:
    """Rows and columns of a mosaic; all but the last ones of the mosaic are multiples of `layout.EDGE`."""

    top: int
    bottom: int
    left: int
    right: int


@dataclass(frozen=True)
class BoxResult:
    """A drizzled box, whose files are in the folder of its record."""

    box: Box
    science: str
    weight: str
    """Files of big-endian single-precision pixels."""
    coverage: str
    """File of a `TiledMask` of pixels with data."""
    complete: bool
    """True if all its science pixels are numbers; coverage then has those that are not zero."""
    sums: tuple[int, ...]
    """Sums of the pixels of all three images, as 32-bit words, for checksums."""
    context: str = ""
    """File of big-endian integers, plane after plane; empty without a context image."""

    @property
    def files(self) -> tuple[str, ...]:
        """Names of its files."""
        return tuple(filter(None, (self.science, self.weight, self.coverage, self.context)))


def write_record(path: Path, record: MosaicRecord | BoxResult) -> None:
    """Write a record."""
    write_atomically(path, json.dumps(asdict(record), indent=1))


def read_mosaic(path: Path) -> MosaicRecord:
    """Read what `write_record` wrote."""
    raw = json.loads(path.read_text(ENCODING))
    grid = raw["grid"]
    return MosaicRecord(
        **raw
        | {
            "shape": tuple(raw["shape"]),
            "chips": tuple(_chip(chip) for chip in raw["chips"]),
            "grid": Grid(
                tuple(grid["crval"]),
                tuple(grid["crpix"]),
                (tuple(grid["cd"][0]), tuple(grid["cd"][1])),
                tuple(grid["ctype"]),
            ),
        }
    )


def _chip(raw: dict[str, object]) -> ChipRecord:
    pixels = raw["pixels"]
    chip = raw | {
        "shape": tuple(raw["shape"]),  # type: ignore[arg-type]
        "pixels": ExposurePixels(**pixels) if isinstance(pixels, dict) else pixels,
    }
    return ChipRecord(**chip)  # type: ignore[arg-type]


def read_box(path: Path) -> BoxResult:
    """Read what `write_record` wrote."""
    raw = json.loads(path.read_text(ENCODING))
    return BoxResult(**raw | {"box": Box(**raw["box"]), "sums": tuple(raw["sums"])})
