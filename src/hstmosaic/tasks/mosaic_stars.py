"""Search for compact sources in a mosaic, by which mosaics are compared."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.io import fits

from hstmosaic.store.task_results import MosaicSource
from hstmosaic.tasks.exact.smoothing import gaussian

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    Array = NDArray[np.float64]

_STRIP, _MARGIN, _BLOCK = 512, 16, 4096
_PIXELS = 16_000_000
"""Pixels of a mosaic that are read, in strips over all of its height."""
_MOST = 1500
_SMOOTHING, _SIGNIFICANCE = 1.5, 15.0
_HALF, _WINDOW, _STEPS = 6, 2.0, 6
"""Half the side of the box of a centroid, sigma of its weight (pixels), and iterations."""
_SIGMA_TO_FWHM = 2.3548


def find_stars(path: Path) -> tuple[MosaicSource, ...]:
    """Find compact sources in a mosaic.

    Only strips of the mosaic are in memory, and 16 million pixels at the most are read.

    Parameters
    ----------
    path : pathlib.Path
        A mosaic with ``SCI`` and ``WHT``.

    Returns
    -------
    tuple of MosaicSource
        The brightest of each strip.
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
            first, last = _columns(weight, low, high)
            image = np.asarray(science.section[low:high, first:last], dtype=np.float32)
            covered = np.asarray(weight.section[low:high, first:last]) > 0
            places = sources(image, covered, _MOST // len(chosen))
            inside = (places[:, 1] + low >= start) & (places[:, 1] + low < start + _STRIP)
            found.append(places[inside] + (first, low, 0))
        left, below = science.header["CRPIX1"] - 1, science.header["CRPIX2"] - 1
    rows = (np.concatenate(found) - (left, below, 0)).tolist() if found else []
    return tuple(MosaicSource(x, y, fwhm if math.isfinite(fwhm) else None) for x, y, fwhm in rows)


def _columns(weight: Any, low: int, high: int) -> tuple[int, int]:
    """Return the columns with data in some rows, with a margin; columns without are not kept in memory."""
    width = weight.shape[1]
    blocks = [range(left, min(width, left + _BLOCK)) for left in range(0, width, _BLOCK)]
    covered = [block for block in blocks if (weight.section[low:high, block.start : block.stop] > 0).any()]
    if not covered:
        return 0, 1
    return max(0, covered[0].start - _MARGIN), min(width, covered[-1].stop + _MARGIN)


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
    smooth = gaussian(flat, _SMOOTHING)
    low, middle = np.percentile(smooth[usable], [15.87, 50])
    rows, columns = find_peaks(smooth, middle + _SIGNIFICANCE * (middle - low), usable)
    order = np.argsort(-smooth[rows, columns], kind="stable")[:most]
    places = [_centroid(flat, float(columns[k]), float(rows[k])) for k in order]
    return np.array([(*place, _width(flat, *place)) for place in places if place is not None]).reshape(-1, 3)


def find_peaks(
    image: NDArray[np.float32], threshold: float, usable: NDArray[np.bool_]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return rows and columns of the pixels above a threshold that are the largest of a square of usable pixels.

    Parameters
    ----------
    image : numpy.ndarray
        Pixels, shape (ny, nx).
    threshold : float
        In the unit of the image.
    usable : numpy.ndarray of bool
        Pixels with data, same shape. The square around a peak has sides of 13 pixels, all of them usable.
    """
    rows, columns = np.nonzero(image[_HALF:-_HALF, _HALF:-_HALF] > threshold)
    rows, columns = rows + _HALF, columns + _HALF
    steps = np.argwhere(np.ones((2 * _HALF + 1, 2 * _HALF + 1), bool)) - _HALF
    # neighbours first, so that few pixels are left soon
    for dy, dx in steps[np.argsort((steps**2).sum(axis=1), kind="stable")]:
        near = rows + dy, columns + dx
        kept = (image[rows, columns] >= image[near]) & usable[near]
        rows, columns = rows[kept], columns[kept]
    return rows, columns


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
