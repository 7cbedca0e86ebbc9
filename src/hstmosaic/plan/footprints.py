"""Outlines of chips on the sky and in pixels of a projection cell."""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import numpy as np

if TYPE_CHECKING:
    from astropy.wcs import WCS

    from hstmosaic.plan.exposures import Chip, Exposure

SAMPLE_STEP = 64
"""Distance of the sampled points along a chip's edges, pixels; distortion bends an edge by less than 0.1
output pixels between two of them."""

# Outlines are most of the cost of a plan, and every stage uses the same ones.
_sampled: WeakKeyDictionary[Chip, np.ndarray] = WeakKeyDictionary()


def perimeter(shape: tuple[int, int], step: int = 1) -> np.ndarray:
    """Return pixel positions along the edges of a chip, counter-clockwise, corners included.

    Parameters
    ----------
    shape : tuple of int
        Height and width of the chip, pixels.
    step : int
        Distance of neighbouring points, pixels.

    Returns
    -------
    numpy.ndarray
        Column and row, 0-based, shape (n, 2).
    """
    ny, nx = shape
    along_x = np.append(np.arange(0, nx - 1, step), nx - 1)
    along_y = np.append(np.arange(0, ny - 1, step), ny - 1)
    sides = (
        (along_x[:-1], np.zeros(along_x.size - 1)),
        (np.full(along_y.size - 1, nx - 1), along_y[:-1]),
        (along_x[:0:-1], np.full(along_x.size - 1, ny - 1)),
        (np.zeros(along_y.size - 1), along_y[:0:-1]),
    )
    return np.column_stack([np.concatenate(c) for c in zip(*sides, strict=True)]).astype(float)


def chip_outline(chip: Chip, step: int = SAMPLE_STEP) -> np.ndarray:
    """Return the outline of a chip on the sky through its full distortion model.

    Parameters
    ----------
    chip : Chip
        A chip read with its lookup tables.
    step : int
        Distance of neighbouring points, detector pixels.

    Returns
    -------
    numpy.ndarray
        Right ascension and declination, degrees, shape (n, 2).
    """
    if step != SAMPLE_STEP:
        return _trace(chip, step)
    if chip not in _sampled:
        _sampled[chip] = _trace(chip, step)
        _sampled[chip].setflags(write=False)
    return _sampled[chip]


def _trace(chip: Chip, step: int) -> np.ndarray:
    return np.asarray(chip.wcs.all_pix2world(perimeter(chip.shape, step), 0))


def exposure_outlines(exposure: Exposure, step: int = SAMPLE_STEP) -> tuple[np.ndarray, ...]:
    """Return the outline of every chip of an exposure; see `chip_outline`."""
    return tuple(chip_outline(chip, step) for chip in exposure.chips)


def to_pixels(wcs: WCS, outline: np.ndarray) -> np.ndarray:
    """Project an outline into the pixels of a tangent plane.

    Parameters
    ----------
    wcs : astropy.wcs.WCS
        An undistorted tangent plane.
    outline : numpy.ndarray
        Right ascension and declination, degrees, shape (n, 2).

    Returns
    -------
    numpy.ndarray
        Column and row, 0-based, shape (n, 2); NaN where a point is on the far side of the sky.
    """
    return np.asarray(wcs.wcs_world2pix(outline, 0))
