"""Registration of mosaics to each other, measured on their stars."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS
from scipy import ndimage
from scipy.spatial import KDTree
from scipy.stats import poisson

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    Array = NDArray[np.float64]

_STRIP, _MARGIN = 512, 16
_PIXELS = 16_000_000
"""Pixels of a mosaic that are read, in strips over all of its height."""
_MOST = 1500
_SMOOTHING, _SIGNIFICANCE = 1.5, 15.0
_HALF, _WINDOW, _STEPS = 6, 2.0, 6
"""Half the side of the box of a centroid, sigma of its weight (pixels), and iterations."""
_REACH, _CORE = 25.0, 1.5
"""Largest offset that is looked for, and distance from the common offset up to which stars match, pixels."""
_LEAST, _CHANCE = 4, 1e-4
_MAD_TO_SIGMA = 1.4826
_SIGMA_TO_FWHM = 2.3548
_ALIKE = 0.1
"""Natural logarithm of the ratio of two widths up to which they are alike."""


@dataclass(frozen=True)
class Registration:
    """Offset of a mosaic from another one, by the stars of both."""

    stars: int
    """Stars that match; 0 if the mosaics have too few of them in common."""
    x: float = 0.0
    """Median offset along x, pixels."""
    y: float = 0.0
    scatter: float = 0.0
    """Robust standard deviation of the offsets of single stars, per axis, pixels."""


@dataclass(frozen=True, eq=False)
class MosaicStars:
    """Compact sources of a mosaic, the brightest of each of its strips."""

    places: Array
    """Shape (n, 2): x and y from the reference pixel of the grid, pixels."""
    widths: Array
    """FWHM of each along its mean axis, pixels; NaN where it cannot be measured."""
    wcs: WCS | None = None
    """Of the mosaic; None without sources."""
    extent: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)
    """Smallest and largest x, smallest and largest y of its pixels, from the reference pixel of the grid."""

    def place(self, positions: Array) -> Array:
        """Return the places of positions (degrees, shape (n, 2)) that are within the mosaic, shape (m, 2)."""
        if self.wcs is None or not len(positions):
            return np.empty((0, 2))
        places = self.wcs.wcs_world2pix(positions, 1) - self.wcs.wcs.crpix
        left, right, low, high = self.extent
        x, y = places.T
        return np.asarray(places[(x > left) & (x < right) & (y > low) & (y < high)])


def find_stars(path: Path) -> MosaicStars:
    """Find compact sources in a mosaic.

    Only strips of the mosaic are in memory, and 16 million pixels at the most are read.

    Parameters
    ----------
    path : pathlib.Path
        A mosaic with ``SCI`` and ``WHT``.

    Returns
    -------
    MosaicStars
    """
    with fits.open(path) as hdus:
        science, weight = hdus["SCI"], hdus["WHT"]
        height, width = science.shape
        starts = np.arange(0, height, _STRIP)
        stride = -(-len(starts) * _STRIP * width // _PIXELS)
        chosen = starts[::stride]
        found = []
        for start in chosen:
            low, high = max(0, start - _MARGIN), min(height, start + _STRIP + _MARGIN)
            image = np.asarray(science.section[low:high], dtype=np.float32)
            covered = np.asarray(weight.section[low:high]) > 0
            places = sources(image, covered, _MOST // len(chosen))
            inside = (places[:, 1] + low >= start) & (places[:, 1] + low < start + _STRIP)
            found.append(places[inside] + (0, low, 0))
        left, below = science.header["CRPIX1"] - 1, science.header["CRPIX2"] - 1
        wcs = WCS(science.header)
    if not found:
        return MosaicStars(np.empty((0, 2)), np.empty(0))
    table = np.concatenate(found)
    extent = -left, width - 1 - left, -below, height - 1 - below
    return MosaicStars(table[:, :2] - (left, below), table[:, 2], wcs, extent)


def sources(image: NDArray[np.float32], covered: NDArray[np.bool_], most: int) -> Array:
    """Return x, y and FWHM of the brightest compact sources of an image, shape (n, 3), pixels.

    Parameters
    ----------
    image : numpy.ndarray
        Pixels, shape (ny, nx).
    covered : numpy.ndarray of bool
        Pixels with data, same shape.
    most : int
        Largest number of sources.
    """
    usable = covered & np.isfinite(image)
    if np.count_nonzero(usable) < _STRIP:
        return np.empty((0, 3))
    sky = float(np.median(image[usable]))
    flat = np.where(usable, image - sky, 0)
    smooth = ndimage.gaussian_filter(flat, _SMOOTHING)
    low, middle = np.percentile(smooth[usable], [15.87, 50])
    peaks = (smooth == ndimage.maximum_filter(smooth, 2 * _HALF + 1)) & (
        smooth > middle + _SIGNIFICANCE * (middle - low)
    )
    peaks &= ndimage.minimum_filter(usable, 2 * _HALF + 1)
    peaks[:_HALF], peaks[-_HALF:], peaks[:, :_HALF], peaks[:, -_HALF:] = False, False, False, False
    rows, columns = np.nonzero(peaks)
    order = np.argsort(-smooth[rows, columns], kind="stable")[:most]
    places = [_centroid(flat, float(columns[k]), float(rows[k])) for k in order]
    return np.array([(*place, _width(flat, *place)) for place in places if place is not None]).reshape(-1, 3)


def star_width(widths: Array, usual: float) -> tuple[int, float]:
    """Return the number and the median width of the stars among some sources.

    Stars are the narrowest group of sources with about the same width, since galaxies are wider.

    Parameters
    ----------
    widths : numpy.ndarray
        Widths of sources, NaN where unknown, shape (n,).
    usual : float
        Usual width of stars, in the same unit. Narrower sources may be cosmic rays; those below 0.7 or above 3 times
        this width are not used.

    Returns
    -------
    stars : int
        0 if there are fewer than four.
    width : float
        NaN if there are fewer than four.
    """
    logs = np.sort(np.log(widths[(widths > 0.7 * usual) & (widths < 3 * usual)]))
    if not len(logs):
        return 0, float("nan")
    counts = np.searchsorted(logs, logs + _ALIKE, "right") - np.searchsorted(logs, logs - _ALIKE, "left")
    # the first source that has as many like it as a third of the densest place; then the middle of its group
    first = int(np.argmax(counts >= max(_LEAST, counts.max() / 3)))
    near = (logs >= logs[first] - _ALIKE) & (logs <= logs[first] + 2 * _ALIKE)
    if counts[first] < _LEAST:
        return 0, float("nan")
    middle = logs[near][np.argmax(counts[near])]
    group = logs[np.abs(logs - middle) <= _ALIKE]
    return len(group), float(np.exp(np.median(group)))


def measure_registration(reference: Array, other: Array) -> Registration:
    """Measure the offset of the stars of a mosaic from those of another one.

    Parameters
    ----------
    reference, other : numpy.ndarray
        Positions, shapes (n, 2) and (m, 2), pixels of the same grid.

    Returns
    -------
    Registration
        Without stars unless more of them share an offset than would by chance.
    """
    if not len(reference) or not len(other):
        return Registration(0)
    near = KDTree(reference).query_ball_point(other, _REACH)
    offsets = np.concatenate([other[k] - reference[found] for k, found in enumerate(near)])
    if len(offsets) < _LEAST:
        return Registration(0)
    tree = KDTree(offsets)
    counts = tree.query_ball_point(offsets, _CORE, return_length=True)
    best = int(np.argmax(counts))
    by_chance = len(offsets) * (_CORE / _REACH) ** 2
    if counts[best] < _LEAST or len(offsets) * poisson.sf(counts[best] - 1, by_chance) > _CHANCE:
        return Registration(0)
    centre = np.median(offsets[tree.query_ball_point(offsets[best], _CORE)], axis=0)
    same = offsets[tree.query_ball_point(centre, _CORE)]
    x, y = np.median(same, axis=0)
    scatter = _MAD_TO_SIGMA * float(np.median(np.abs(same - (x, y))))
    return Registration(len(same), float(x), float(y), scatter)


def _centroid(image: NDArray[np.float32], x: float, y: float) -> tuple[float, float] | None:
    """Return the centroid under a Gaussian weight that follows it; None if it leaves its box."""
    column, row = round(x), round(y)
    box = image[row - _HALF : row + _HALF + 1, column - _HALF : column + _HALF + 1].astype(float)
    ys, xs = np.mgrid[row - _HALF : row + _HALF + 1, column - _HALF : column + _HALF + 1]
    for _ in range(_STEPS):
        weighted = box * np.exp(-((xs - x) ** 2 + (ys - y) ** 2) / (2 * _WINDOW**2))
        total = weighted.sum()
        if not total > 0:
            return None
        # a Gaussian star is displaced by half of its true offset under a weight of its own width
        x, y = x + 2 * float((weighted * (xs - x)).sum() / total), y + 2 * float((weighted * (ys - y)).sum() / total)
        if abs(x - column) > _HALF / 2 or abs(y - row) > _HALF / 2:
            return None
    return x, y


def _width(image: NDArray[np.float32], x: float, y: float) -> float:
    """Return the FWHM of the Gaussian that has the second moments of a source, pixels; NaN if it has none."""
    column, row = round(x), round(y)
    box = image[row - _HALF : row + _HALF + 1, column - _HALF : column + _HALF + 1].astype(float)
    ys, xs = np.mgrid[row - _HALF : row + _HALF + 1, column - _HALF : column + _HALF + 1]
    if box.shape != ys.shape:
        return float("nan")
    squares, variance = (xs - x) ** 2 + (ys - y) ** 2, _WINDOW**2
    for _ in range(_STEPS):
        weighted = box * np.exp(-squares / (2 * variance))
        total = weighted.sum()
        moment = float((weighted * squares).sum() / total / 2) if total > 0 else 0.0
        # of a Gaussian under a Gaussian weight, inverse variances add
        if not 0 < moment < variance:
            return float("nan")
        variance = float(np.clip(1 / (1 / moment - 1 / variance), 0.2, _HALF**2 / 2))
    return _SIGMA_TO_FWHM * float(np.sqrt(variance))
