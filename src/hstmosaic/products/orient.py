"""Direction of north in a mosaic, and rotation of decimated mosaics to north up."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from astropy.coordinates import SkyCoord
    from astropy.wcs import WCS

    from hstmosaic.products.decimate import Decimated

SMALL_ANGLE = 1.0
"""Degrees up to which an image stays as it is, and only its arrow is turned."""


@dataclass(frozen=True)
class View:
    """Image and weight of a picture, cut to the covered pixels."""

    science: np.ndarray
    """NaN where there is no weight, shape (ny, nx)."""
    weight: np.ndarray
    """0 without data, shape (ny, nx)."""
    wcs: WCS
    north: float
    """Direction of north in the view, degrees from up towards the left; 0 where the image was turned."""

    @property
    def scale(self) -> float:
        """Size of a pixel, arcsec."""
        return pixel_size(self.wcs)


def pixel_size(wcs: WCS) -> float:
    """Return the size of a pixel, arcsec."""
    return float(np.sqrt(abs(np.linalg.det(wcs.wcs.cd))) * 3600)


def north_angle(wcs: WCS, x: float, y: float) -> float:
    """Return the direction of north at a place in an image.

    Parameters
    ----------
    wcs : astropy.wcs.WCS
        Of the image.
    x, y : float
        The place, 0-based pixels.

    Returns
    -------
    float
        Degrees from up (+y) towards the left (-x), which is east where the image is not mirrored.
    """
    from astropy import units as u  # not needed to find that nothing is to be done
    from astropy.wcs.utils import pixel_to_skycoord

    middle: SkyCoord = pixel_to_skycoord(x, y, wcs)
    # a pole may be closer than the edge of the image
    north = middle.directional_offset_by(0 * u.deg, 0.01 * u.arcsec)
    far_x, far_y = wcs.world_to_pixel(north)
    return math.degrees(math.atan2(-(float(far_x) - x), float(far_y) - y))


def north_up(small: Decimated) -> View:
    """Turn a decimated mosaic so that north is up in its middle, and cut off what is not covered.

    Parameters
    ----------
    small : Decimated
        With any data in it.

    Returns
    -------
    View
    """
    ny, nx = small.science.shape
    angle = north_angle(small.wcs, (nx - 1) / 2, (ny - 1) / 2)
    if abs(angle) <= SMALL_ANGLE:
        return _cut(View(small.science, small.weight, small.wcs, angle))
    return _cut(_turned(small, angle))


def _turned(small: Decimated, angle: float) -> View:
    from scipy.ndimage import affine_transform

    c, s = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    back = np.array([[c, -s], [s, c]])
    """From the turned image, x and y, to the image as it was."""
    ny, nx = small.science.shape
    size = np.abs(back) @ [nx, ny]
    shape = int(np.ceil(size[1])), int(np.ceil(size[0]))
    old, new = np.array([nx - 1, ny - 1]) / 2, np.array([shape[1] - 1, shape[0] - 1]) / 2
    matrix = back[::-1, ::-1]
    offset = old[::-1] - matrix @ new[::-1]

    def turn(image: np.ndarray) -> np.ndarray:
        return np.asarray(affine_transform(image, matrix, offset, shape, order=1))

    share = turn(small.covered.astype(np.float32))
    inside = share > 0.5
    share[~inside] = 1
    wcs = small.wcs.deepcopy()
    wcs.wcs.cd = small.wcs.wcs.cd @ back
    wcs.wcs.crpix = back.T @ (small.wcs.wcs.crpix - 1 - old) + new + 1
    science = np.where(inside, turn(np.nan_to_num(small.science)) / share, np.nan)
    return View(science, np.where(inside, turn(small.weight) / share, 0), wcs, 0.0)


def _cut(view: View) -> View:
    rows, columns = (np.flatnonzero((view.weight > 0).any(axis=axis)) for axis in (1, 0))
    box = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    return View(view.science[box], view.weight[box], view.wcs[box], view.north)
