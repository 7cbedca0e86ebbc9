"""Shapes of point sources in a calibrated chip: second moments, and the direction that elongated ones share."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from hstmosaic.store.task_results import StarShapes
from hstmosaic.tasks.chance import binomial_tail
from hstmosaic.tasks.exact.smoothing import gaussian, stretch
from hstmosaic.tasks.exact.statistics import nan_median

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]
    Image = NDArray[np.float32]

_SIGNIFICANCE = 5.0
"""Threshold of detection in the smoothed image, in units of its noise."""
_SMOOTHING = 1.0
"""Sigma of the Gaussian that smooths the image for the detection of sources, pixels."""
_SMOOTHED = 1 / (2 * np.sqrt(np.pi) * _SMOOTHING)
"""Noise of the smoothed image in units of that of the image."""
_PEAK_SIGNIFICANCE = 8.0
"""Least peak of a source that is measured: its isophote is then above the noise."""
_ISOPHOTE = 0.25
"""Share of its peak above which pixels of a source count; spikes and wings of a star are fainter."""
_BOX = 64
"""Pixels of the cells in which the background is measured."""
_MOST_LOST = 0.08
"""Largest share of bad pixels in a source that is measured."""
_BRIGHTEST, _LARGEST = 600, 200
"""Sources that are measured: the brightest ones, and the largest ones, as long trails are fainter than cosmic rays."""
_PIXEL = 1 / 12
"""Second moment of a pixel, pixels**2."""
_TRACK = 0.45
"""Cosmic rays are narrower than this share of a star's smaller second moment; a trailed star has a star's width."""
_WIDE = 2.2
"""Galaxies and blends are wider than this multiple of it."""
_LONGEST = 0.5
"""Sources longer than this share of a chip's smaller side cross the frame."""
_LONG = 6.0
"""Trails longer than this, pixels, have well-known directions."""
WINDOWS = (4.0, 10.0)
"""Degrees from the common direction within which sources share it, for long and for short trails."""
_SAME_LENGTH, _LENGTH_BY_CHANCE = 0.3, 0.5
"""Logarithm of the ratio of lengths up to which they agree, and the probability of that, on the safe side."""
_SAME_LINE = 12.0
"""Width of a strip in which sources may be pieces of one line, pixels."""


@dataclass(frozen=True)
class Sources:
    """Second moments of the sources of a chip that are as wide as stars; all arrays have the shape (n,).

    Second moments are in pixels**2, positions in pixels from the centre of the first one.
    """

    x: Array
    y: Array
    minor: Array
    """Second moment along the minor axis."""
    excess: Array
    """Second moment along the major axis minus that along the minor axis."""
    angle: Array
    """Direction of the major axis, degrees from the x axis towards the y axis, from 0 to 180."""
    lines: int = 0
    """Linear features that are longer than half the frame."""

    def __len__(self) -> int:
        return len(self.x)

    @classmethod
    def none(cls) -> Sources:
        """Return the sources of an empty chip."""
        return _sources(np.empty((5, 0)), 0)

    def joined(self, other: Sources, offset: float) -> Sources:
        """Return the sources of two chips, those of the second moved by ``offset`` pixels along x."""
        names = ("x", "y", "minor", "excess", "angle")
        moved = {name: np.concatenate([getattr(self, name), getattr(other, name)]) for name in names}
        moved["x"][len(self) :] += offset
        return Sources(**moved, lines=self.lines + other.lines)


def find_sources(science: Image, bad: NDArray[np.bool_], saturated: NDArray[np.bool_], width: float) -> Sources:
    """Measure the shapes of the sources of a chip that are as wide as stars.

    A source is measured on the pixels above a quarter of its peak, so that wings, diffraction spikes and the noise do
    not count. Tracks of cosmic rays are narrower than stars, galaxies and blends are wider. Saturated sources, those at
    the edge and those with many bad pixels are left out.

    Parameters
    ----------
    science : numpy.ndarray
        Pixels of the chip, shape (ny, nx), in any unit.
    bad, saturated : numpy.ndarray of bool
        Pixels that cannot be used, and saturated ones; same shape.
    width : float
        Full width at half maximum of a star, pixels.
    """
    image = science.astype(np.float32)
    blocked = bad | saturated | ~np.isfinite(image)
    image[blocked] = np.nan
    image -= background(image)
    noise = _spread(image) or _quantum(image)
    if not noise > 0:
        return Sources.none()
    _fill(image, blocked)
    smooth = gaussian(image, _SMOOTHING)
    threshold = _SIGNIFICANCE * max(_spread(smooth), noise * _SMOOTHED)
    labels, count = ndimage.label(smooth > threshold, structure=np.ones((3, 3), dtype=bool))
    del smooth
    if not count:
        return Sources.none()
    sizes, lost, full = (np.bincount(found, minlength=count + 1)[1:]
                         for found in (labels.ravel(), labels[blocked], labels[saturated]))  # fmt: skip
    peaks = _peaks(image, labels, count)
    bright = np.flatnonzero((peaks > _PEAK_SIGNIFICANCE * noise) & (full == 0) & (lost <= _MOST_LOST * sizes))
    by_peak, by_size = (np.argsort(-of[bright], kind="stable") for of in (peaks, sizes))
    bright = bright[np.union1d(by_peak[:_BRIGHTEST], by_size[:_LARGEST])]
    where = ndimage.find_objects(labels)
    longest = _LONGEST * min(image.shape)
    lines = sum(_length(where[k]) > longest for k in np.flatnonzero(sizes > longest))
    rows = []
    for k in bright:
        window = where[k]
        if _length(window) > longest or _at_edge(window, image.shape):
            continue
        stamp = np.where(labels[window] == k + 1, image[window], 0)
        x, y, *shape = _moments(stamp, float(peaks[k]))
        rows.append((x + window[1].start, y + window[0].start, *shape))
    found = np.array(rows, dtype=float).reshape(-1, 5).T
    relative = found[2] / star_moment(width)
    return _sources(found[:, (relative > _TRACK) & (relative < _WIDE)], lines)


def _peaks(image: Image, labels: NDArray[np.int32], count: int) -> Image:
    """Return the largest pixel of each source; `scipy.ndimage.maximum` sorts all pixels of the image."""
    within = labels > 0
    peaks = np.full(count + 1, -np.inf, dtype=image.dtype)
    np.maximum.at(peaks, labels[within], image[within])
    return peaks[1:]


def _sources(columns: Array, lines: int) -> Sources:
    x, y, minor, excess, angle = columns
    return Sources(x, y, minor, excess, angle, lines)


def background(image: Image) -> Image:
    """Return the background of an image: medians of cells of 64 pixels, interpolated; NaN is no pixel."""
    ny, nx = image.shape
    rows, columns = max(ny // _BOX, 1), max(nx // _BOX, 1)
    ys, xs = np.linspace(0, ny, rows + 1).astype(int), np.linspace(0, nx, columns + 1).astype(int)
    cells = np.array([_medians(image[y0:y1:2], xs) for y0, y1 in pairwise(ys)], dtype=float)
    known = np.isfinite(cells)
    cells[~known] = np.median(cells[known]) if known.any() else 0.0
    cells = ndimage.median_filter(cells, 3)
    return stretch(cells.astype(np.float32), (ny, nx))


def common_elongation(sources: Sources, limit: float) -> StarShapes:
    """Return the elongation that most of the stars share, if there is one.

    Parameters
    ----------
    sources : Sources
        Those of all chips.
    limit : float
        Difference of the second moments, pixels**2, above which a source is elongated.
    """
    long = np.flatnonzero(sources.excess > limit)
    total = len(sources)
    if not long.size:
        return StarShapes(total, 0, 0, lines=sources.lines)
    angles, lengths = sources.angle[long], np.sqrt(12 * sources.excess[long])
    windows = np.where(lengths > _LONG, *WINDOWS)
    turned = np.abs((angles[:, None] - angles + 90) % 180 - 90)
    stretched = np.abs(np.log(lengths[:, None] / lengths))
    near = (turned <= windows[:, None]) & (stretched <= _SAME_LENGTH)
    best = int(np.argmax(near.sum(axis=1)))
    chosen = long[near[best]]
    turn = np.exp(2j * np.deg2rad(sources.angle[chosen])).mean()
    angle = float(np.rad2deg(np.angle(turn)) / 2 % 180)
    aligned = _separate_lines(sources, chosen, angle)
    tried = aligned + long.size - len(chosen)
    share = 2 * windows[best] / 180 * _LENGTH_BY_CHANCE
    by_chance = min(1.0, tried * binomial_tail(aligned - 1, tried - 1, share))
    length = float(np.median(lengths[near[best]]))
    return StarShapes(total, int(long.size), aligned, length, angle, by_chance, sources.lines)


def _separate_lines(sources: Sources, chosen: NDArray[np.intp], angle: float) -> int:
    """Count the strips along a direction that have sources; pieces of one line share a strip."""
    turn = np.deg2rad(angle)
    across = sources.y[chosen] * np.cos(turn) - sources.x[chosen] * np.sin(turn)
    return len(np.unique((across // _SAME_LINE).astype(int)))


def _moments(stamp: Image, peak: float) -> tuple[float, float, float, float, float]:
    """Return centre (x, y), minor moment, excess of the major one and angle (degrees) of the source in a stamp."""
    above = stamp >= _ISOPHOTE * peak
    pieces, count = ndimage.label(above, structure=np.ones((3, 3), dtype=bool))
    if count > 1:
        above = pieces == pieces.flat[int(np.argmax(stamp))]
    y, x = np.nonzero(above)
    # above the isophote, so that pixels at its edge neither come nor go with a jump
    weight = stamp[y, x] - _ISOPHOTE * peak
    total = float(weight.sum())
    cx, cy = float(weight @ x) / total, float(weight @ y) / total
    dx, dy = x - cx, y - cy
    xx, yy, xy = (float(weight @ product) / total for product in (dx * dx, dy * dy, dx * dy))
    excess = float(np.hypot(xx - yy, 2 * xy))
    angle = float(np.rad2deg(np.arctan2(2 * xy, xx - yy)) / 2 % 180)
    return cx, cy, (xx + yy - excess) / 2, excess, angle


def star_moment(width: float) -> float:
    """Return the second moment of a round star above the isophote, pixels**2, by its full width at half maximum."""
    sigma_squared = width**2 / (8 * np.log(2))
    depth = -np.log(_ISOPHOTE)
    # of a Gaussian minus the level of its isophote, within that isophote
    share = 1 - _ISOPHOTE * depth**2 / (2 * (1 - _ISOPHOTE * (1 + depth)))
    return float(sigma_squared * share + _PIXEL)


def _length(window: tuple[slice, ...]) -> int:
    return max(int(part.stop - part.start) for part in window)


def _at_edge(window: tuple[slice, ...], shape: tuple[int, ...]) -> bool:
    return any(part.start <= 1 or part.stop >= size - 1 for part, size in zip(window, shape, strict=True))


def _fill(image: Image, blocked: NDArray[np.bool_]) -> None:
    """Replace pixels in place by the mean of their neighbours; 0 without any."""
    image[blocked] = 0
    rows, columns = np.nonzero(blocked)
    total, known = np.zeros(rows.size), np.zeros(rows.size)
    for dy, dx in ((0, 1), (0, -1), (1, 0), (-1, 0)):
        near = np.clip(rows + dy, 0, image.shape[0] - 1), np.clip(columns + dx, 0, image.shape[1] - 1)
        good = ~blocked[near]
        total += np.where(good, image[near], 0)
        known += good
    image[blocked] = total / np.maximum(known, 1)


def _medians(rows: Image, edges: NDArray[np.intp]) -> Image:
    """Return the medians of the cells of some rows between edges, of every other column; NaN without a finite pixel."""
    places = edges[:-1, None] + np.arange(0, np.diff(edges).max(), 2)
    cells = np.where(places < edges[1:, None], rows[:, np.minimum(places, rows.shape[1] - 1)], np.nan)
    cells[~np.isfinite(cells)] = np.nan
    return np.asarray(nan_median(cells.swapaxes(0, 1).reshape(len(places), -1), axis=-1))


def _spread(image: Image) -> float:
    """Return the standard deviation of the pixels of an image without sources, from its quartiles below the median."""
    sample = image[::3, ::3]
    sample = sample[np.isfinite(sample)]
    if not sample.size:
        return 0.0
    low, middle = np.percentile(sample, [15.87, 50])
    return float(middle - low)


def _quantum(image: Image) -> float:
    """Return the smallest positive pixel, which stands for the noise where most pixels are equal."""
    positive = image[image > 0]
    return float(positive.min()) if positive.size else 0.0
