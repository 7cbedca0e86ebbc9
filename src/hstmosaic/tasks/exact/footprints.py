"""Bounding boxes and statistics of footprints, from painted chips, without arrays of the size of the mosaic."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.io import fits
from drizzlepac import wcs_functions
from PIL import Image, ImageDraw
from stwcs.wcsutil import HSTWCS

from hstmosaic.tasks.exact.statistics import count_numbers, median, tree_mean

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

BAND = 1 << 23
"""Pixels of the mosaic that are painted at once."""


@dataclass(frozen=True)
class PaintedChip:
    """The pixels of a mosaic that a chip covers, as drizzlepac paints them."""

    top: int
    left: int
    height: int
    width: int
    crossings: np.ndarray
    """Where covered pixels begin and end, in turn, counted along all rows, each of which has one more at its end."""
    exposure_time: float

    def edges(self, top: int, bottom: int, left: int, stride: int) -> np.ndarray:
        """Return its crossings in some rows of the mosaic, counted from a pixel along rows of another length."""
        first, last = max(top, self.top) - self.top, min(bottom, self.top + self.height) - self.top
        begin, end = np.searchsorted(self.crossings, [first * (self.width + 1), last * (self.width + 1)])
        rows, columns = np.divmod(self.crossings[begin:end], self.width + 1)
        return np.asarray((rows + self.top - top) * stride + columns + self.left - left)

    @property
    def bounds(self) -> tuple[int, int, int, int] | None:
        """First and last row and first and last column that are covered."""
        if not len(self.crossings):
            return None
        rows, columns = np.divmod(self.crossings, self.width + 1)
        return (
            self.top + int(rows[0]),
            self.top + int(rows[-1]),
            self.left + int(columns[::2].min()),
            self.left + int(columns[1::2].max()) - 1,
        )


def outline(wcs: Any, mosaic: Any) -> tuple[np.ndarray, np.ndarray] | None:
    """Return the pixels of a mosaic on which the edge of a chip lies; None if it is outside.

    Parameters
    ----------
    wcs : stwcs.wcsutil.HSTWCS
        Of the chip.
    mosaic : astropy.wcs.WCS
        With ``array_shape``.

    Returns
    -------
    tuple of numpy.ndarray
        x and y, in drizzlepac's order.
    """
    nx, ny = wcs.naxis1, wcs.naxis2
    edge_x = np.concatenate([np.zeros(ny), np.full(ny, nx - 1), np.arange(nx), np.arange(nx)]).astype(int)
    edge_y = np.concatenate([np.arange(ny), np.arange(ny), np.zeros(nx), np.full(nx, ny - 1)]).astype(int)
    x, y = (
        places.astype(np.int32) for places in mosaic.world_to_pixel_values(*wcs.pixel_to_world_values(edge_x, edge_y))
    )
    height, width = mosaic.array_shape
    if x.max() <= 0 or x.min() > width - 1 or y.max() <= 0 or y.min() > height - 1:
        return None
    return np.clip(x, 0, width - 1), np.clip(y, 0, height - 1)


def paint(x: np.ndarray, y: np.ndarray, exposure_time: float) -> PaintedChip | None:
    """Paint a chip whose outline is known; None if no pixel is left of it."""
    left, top, width, height = int(x.min()), int(y.min()), int(np.ptp(x)), int(np.ptp(y))
    if not width or not height:
        return None
    image = Image.new("L", (width, height), 0)
    ImageDraw.Draw(image).polygon(np.stack([x - left, y - top], axis=1).ravel().tolist(), outline=1, fill=1)
    padded = np.zeros((height, width + 1), bool)
    padded[:, :-1] = np.asarray(image)
    crossings = np.flatnonzero(np.diff(padded.ravel(), prepend=False))
    return PaintedChip(top, left, height, width, crossings, exposure_time)


class OutlinedFootprint:
    """As much of a `drizzlepac.haputils.cell_utils.SkyFootprint` as multi-visit mosaics need."""

    def __init__(self, meta_wcs: Any, debug: bool = False) -> None:
        self.meta_wcs = meta_wcs
        self.bounded_wcs: Any = None
        self.bounding_box: list[slice] | None = None
        self.chips: list[PaintedChip] = []

    def build(self, expnames: Sequence[str], scale: bool = False, scale_kw: str = "EXPTIME") -> None:
        """Paint the chips of exposures and find the bounding box of their pixels."""
        for name in expnames:
            with fits.open(name) as exposure:
                time = exposure[0].header[scale_kw]
                for extension in wcs_functions.get_extns(exposure):
                    pixels = outline(HSTWCS(exposure, ext=extension), self.meta_wcs)
                    chip = None if pixels is None else paint(*pixels, time)
                    if chip is not None:
                        self.chips.append(chip)
        bounds = np.array([chip.bounds for chip in self.chips if chip.bounds is not None])
        if not len(bounds):
            return
        first_row, first_column = map(int, bounds[:, [0, 2]].min(axis=0))
        last_row, last_column = map(int, bounds[:, [1, 3]].max(axis=0))
        self.bounded_wcs = self.meta_wcs.deepcopy()
        self.bounding_box = [slice(first_row, last_row), slice(first_column, last_column)]
        self.bounded_wcs.wcs.crpix -= [first_column, first_row]
        self.bounded_wcs.pixel_shape = [last_column - first_column + 1, last_row - first_row + 1]

    def runs(self) -> Iterator[Runs]:
        """Yield all covered pixels in the order of the array, some rows at a time."""
        height, _ = self.meta_wcs.array_shape
        step = max(1, BAND // (max(chip.left + chip.width for chip in self.chips) + 1))
        for top in range(0, height, step):
            bottom = min(height, top + step)
            chips = [chip for chip in self.chips if chip.top < bottom and chip.top + chip.height > top]
            if not chips:
                continue
            left = min(chip.left for chip in chips)
            stride = max(chip.left + chip.width for chip in chips) - left + 1
            edges = [chip.edges(top, bottom, left, stride) for chip in chips]
            starts = np.unique(np.concatenate(edges))
            number, time = np.zeros(len(starts), np.int16), np.zeros(len(starts), np.float32)
            for chip, its in zip(chips, edges, strict=True):
                if not len(its):
                    continue
                places = np.searchsorted(starts, its)
                steps = np.zeros(int(places[-1] - places[0]) + 1, np.int8)
                steps[places - places[0]] = np.where(np.arange(len(its)) % 2, -1, 1)
                covered = np.cumsum(steps, dtype=np.int8)
                between = slice(int(places[0]), int(places[-1]) + 1)
                number[between] += covered
                # as in the original, the sum is rounded from double to single precision
                time[between] += covered.astype(np.int16) * chip.exposure_time
            used = np.flatnonzero(number)
            lengths = np.diff(starts, append=starts[-1:])
            yield Runs(number[used], time[used], lengths[used])


@dataclass(frozen=True)
class Runs:
    """Successive pixels with the same number of chips and the same exposure time; all arrays have the shape (n,)."""

    number: np.ndarray
    """Chips that cover a pixel."""
    time: np.ndarray
    """Sum of their exposure times."""
    length: np.ndarray
    """Pixels."""


@dataclass(frozen=True)
class FootprintStatistics:
    """Statistics of the pixels that chips cover."""

    fraction: float
    """Of the limits."""
    mean_time: np.float32
    median_time: np.generic
    mean_number: float
    median_number: np.generic


def measure(footprint: OutlinedFootprint) -> FootprintStatistics:
    """Measure exposure times and numbers of chips on the pixels that they cover."""
    times: Counter[float] = Counter()
    numbers: Counter[float] = Counter()
    for runs in footprint.runs():
        count_numbers(numbers, runs.number, runs.length)
        count_numbers(times, runs.time, runs.length)
    covered = numbers.total()
    height, width = footprint.meta_wcs.array_shape
    return FootprintStatistics(
        fraction=covered / (height * width),
        mean_time=tree_mean((np.repeat(runs.time, runs.length) for runs in footprint.runs()), covered),
        median_time=median(times, np.float32),
        mean_number=sum(number * count for number, count in numbers.items()) / covered,
        median_number=median(numbers, np.int16),
    )
