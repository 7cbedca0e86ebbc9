"""Registration of mosaics to each other, measured on their stars."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from numpy.typing import NDArray

    from hstmosaic.store.task_results import MosaicSource

    Array = NDArray[np.float64]

_REACH, _CORE = 25.0, 1.5
"""Largest offset that is looked for, and distance from the common offset up to which stars match, pixels."""
_LEAST, _CHANCE = 4, 1e-4
_MAD_TO_SIGMA = 1.4826
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
    """Compact sources of a mosaic."""

    places: Array
    """Shape (n, 2): x and y from the reference pixel of the grid, pixels."""
    widths: Array
    """FWHM of each along its mean axis, pixels; NaN where it cannot be measured."""
    wcs: WCS
    """Of the mosaic."""
    extent: tuple[float, float, float, float]
    """Smallest and largest x, smallest and largest y of its pixels, from the reference pixel of the grid."""

    def place(self, positions: Array) -> Array:
        """Return the places of positions (degrees, shape (n, 2)) that are within the mosaic, shape (m, 2)."""
        if not len(positions):
            return np.empty((0, 2))
        places = self.wcs.wcs_world2pix(positions, 1) - self.wcs.wcs.crpix
        left, right, low, high = self.extent
        x, y = places.T
        return np.asarray(places[(x > left) & (x < right) & (y > low) & (y < high)])


def mosaic_stars(path: Path, found: Iterable[MosaicSource]) -> MosaicStars:
    """Return the sources of a mosaic with its grid, for which only the header is read.

    Parameters
    ----------
    path : pathlib.Path
        The mosaic.
    found : iterable of MosaicSource
        Its sources.
    """
    with fits.open(path) as hdus:
        header = hdus["SCI"].header
        height, width = hdus["SCI"].shape
    left, below = header["CRPIX1"] - 1, header["CRPIX2"] - 1
    table = np.array([(source.x, source.y, source.fwhm) for source in found], dtype=float).reshape(-1, 3)
    extent = -left, width - 1 - left, -below, height - 1 - below
    return MosaicStars(table[:, :2], table[:, 2], WCS(header), extent)


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
    # most runs of the driver do without scipy, and need a third less memory
    from scipy.spatial import KDTree
    from scipy.special import pdtrc

    near = KDTree(reference).query_ball_point(other, _REACH)
    offsets = np.concatenate([other[k] - reference[found] for k, found in enumerate(near)])
    if len(offsets) < _LEAST:
        return Registration(0)
    tree = KDTree(offsets)
    counts = tree.query_ball_point(offsets, _CORE, return_length=True)
    best = int(np.argmax(counts))
    by_chance = len(offsets) * (_CORE / _REACH) ** 2
    if counts[best] < _LEAST or len(offsets) * pdtrc(counts[best] - 1, by_chance) > _CHANCE:
        return Registration(0)
    centre = np.median(offsets[tree.query_ball_point(offsets[best], _CORE)], axis=0)
    same = offsets[tree.query_ball_point(centre, _CORE)]
    x, y = np.median(same, axis=0)
    scatter = _MAD_TO_SIGMA * float(np.median(np.abs(same - (x, y))))
    return Registration(len(same), float(x), float(y), scatter)
