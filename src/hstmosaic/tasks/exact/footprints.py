"""Bounding boxes and statistics of footprints, from painted chips, without arrays of the size of the mosaic."""

from __future__ import annotations

import functools
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.io import fits
from drizzlepac import wcs_functions
from PIL import Image, ImageDraw
from stwcs.wcsutil import HSTWCS

from hstmosaic.tasks.exact.opened import file_state
from hstmosaic.tasks.exact.statistics import count_numbers, median, tree_mean

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

BAND = 1 << 23
"""Pixels of the mosaic that are painted at once."""
_REMEMBERED = 16
"""Exposures whose edges are remembered, some 0.4 MB each."""


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
    return place_edge(edge_on_sky(wcs), mosaic)


def edge_on_sky(wcs: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return right ascension and declination of the pixels at the edge of a chip."""
    nx, ny = wcs.naxis1, wcs.naxis2
    edge_x = np.concatenate([np.zeros(ny), np.full(ny, nx - 1), np.arange(nx), np.arange(nx)]).astype(int)
    edge_y = np.concatenate([np.arange(ny), np.arange(ny), np.zeros(nx), np.full(nx, ny - 1)]).astype(int)
    right_ascension, declination = wcs.pixel_to_world_values(edge_x, edge_y)
    return right_ascension, declination


def place_edge(edge: tuple[np.ndarray, np.ndarray], mosaic: Any) -> tuple[np.ndarray, np.ndarray] | None:
    """Return the pixels of a mosaic on which points of the sky lie, as `outline` does."""
    x, y = (places.astype(np.int32) for places in mosaic.world_to_pixel_values(*edge))
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


def find_bounds(x: np.ndarray, y: np.ndarray) -> tuple[int, int, int, int] | None:
    """Return the bounds of a chip whose outline is known; None if no pixel is left of it.

    It is not painted where its outline, of which all pixels but those of the last row and column are painted, shows
    what they are.

    Parameters
    ----------
    x, y : numpy.ndarray of int
        Its outline, shape (n,).

    Returns
    -------
    tuple of int or None
        First and last row and first and last column, as `PaintedChip.bounds`.
    """
    top, left, last_row, last_column = int(y.min()), int(x.min()), int(y.max()) - 1, int(x.max()) - 1
    inside = (x <= last_column) & (y <= last_row)
    rows, columns = y[inside], x[inside]
    if len(rows) and (rows.min(), rows.max(), columns.min(), columns.max()) == (top, last_row, left, last_column):
        return top, last_row, left, last_column
    chip = paint(x, y, 0.0)
    return None if chip is None else chip.bounds


def outlines(names: Iterable[str], mosaic: Any, keyword: str) -> Iterator[tuple[np.ndarray, np.ndarray, float]]:
    """Yield the outline of each chip of some exposures that is not outside of a mosaic, and a number of its header."""
    for name in names:
        value, edges = _edges(name, file_state(name), keyword)
        for edge in edges:
            pixels = place_edge(edge, mosaic)
            if pixels is not None:
                yield *pixels, value


@functools.lru_cache(maxsize=_REMEMBERED)
def _edges(
    name: str, _state: tuple[int, int, int], keyword: str
) -> tuple[float, tuple[tuple[np.ndarray, np.ndarray], ...]]:
    """Return a number of the header of an exposure, and the edges of its chips on the sky, which many mosaics need."""
    with fits.open(name) as exposure:
        value: float = exposure[0].header[keyword]
        extensions = wcs_functions.get_extns(exposure)
        return value, tuple(edge_on_sky(HSTWCS(exposure, ext=extension)) for extension in extensions)


class OutlinedFootprint:
    """As much of a `drizzlepac.haputils.cell_utils.SkyFootprint` as multi-visit mosaics need: its bounding box."""

    def __init__(self, meta_wcs: Any, debug: bool = False) -> None:
        self.meta_wcs = meta_wcs
        self.bounded_wcs: Any = None
        self.bounding_box: list[slice] | None = None

    def build(self, expnames: Sequence[str], scale: bool = False, scale_kw: str = "EXPTIME") -> None:
        """Find the bounding box of the pixels that exposures cover."""
        found = [find_bounds(x, y) for x, y, _ in outlines(expnames, self.meta_wcs, scale_kw)]
        bounds = np.array([each for each in found if each is not None])
        if not len(bounds):
            return
        first_row, first_column = map(int, bounds[:, [0, 2]].min(axis=0))
        last_row, last_column = map(int, bounds[:, [1, 3]].max(axis=0))
        self.bounded_wcs = self.meta_wcs.deepcopy()
        self.bounding_box = [slice(first_row, last_row), slice(first_column, last_column)]
        self.bounded_wcs.wcs.crpix -= [first_column, first_row]
        self.bounded_wcs.pixel_shape = [last_column - first_column + 1, last_row - first_row + 1]


def paint_exposures(names: Iterable[str], mosaic: Any) -> list[PaintedChip]:
    """Paint the chips of exposures, without those of which no pixel is left."""
    chips = [paint(x, y, time) for x, y, time in outlines(names, mosaic, "EXPTIME")]
    return [chip for chip in chips if chip is not None and len(chip.crossings)]


@dataclass(frozen=True)
class Runs:
    """Successive pixels with the same number of chips and the same exposure time; all arrays have the shape (n,)."""

    number: np.ndarray
    """Chips that cover a pixel."""
    time: np.ndarray
    """Sum of their exposure times."""
    length: np.ndarray
    """Pixels."""


def covered_runs(painted: Sequence[PaintedChip], height: int) -> Iterator[Runs]:
    """Yield all covered pixels of a mosaic of some height in the order of the array, some rows at a time."""
    step = max(1, BAND // (max(chip.left + chip.width for chip in painted) + 1))
    for top in range(0, height, step):
        bottom = min(height, top + step)
        chips = [chip for chip in painted if chip.top < bottom and chip.top + chip.height > top]
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
class FootprintStatistics:
    """Statistics of the pixels that chips cover."""

    fraction: float
    """Of the limits."""
    mean_time: np.float32
    median_time: np.generic
    mean_number: float
    median_number: np.generic


def measure(chips: Sequence[PaintedChip], shape: tuple[int, int]) -> FootprintStatistics:
    """Measure exposure times and numbers of chips on the pixels that they cover.

    Parameters
    ----------
    chips : sequence of PaintedChip
        One at least.
    shape : tuple of int
        Height and width of the mosaic.
    """
    height, width = shape
    times: Counter[float] = Counter()
    numbers: Counter[float] = Counter()
    for runs in covered_runs(chips, height):
        count_numbers(numbers, runs.number, runs.length)
        count_numbers(times, runs.time, runs.length)
    covered = numbers.total()
    return FootprintStatistics(
        fraction=covered / (height * width),
        mean_time=tree_mean((np.repeat(runs.time, runs.length) for runs in covered_runs(chips, height)), covered),
        median_time=median(times, np.float32),
        mean_number=sum(number * count for number, count in numbers.items()) / covered,
        median_number=median(numbers, np.int16),
    )
