"""Pointing of the telescope, and the CRVAL and CD matrix of every chip that follow from it.

A camera is a rigid body: the positions and pixel axes of its chips, known for one real observation,
are turned to a new pointing as three-dimensional vectors. So the chips keep their relative geometry
exactly, and the poles and RA 0 need no special treatment.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from hstmosaic.errors import HstMosaicError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hstmosaic.simulate.instruments import Camera, Chip

    Vector = NDArray[np.float64]

_ARCSEC = np.pi / 180 / 3600
_POLE = 90 - 1e-9


@dataclass(frozen=True)
class PointingError:
    """Difference between the pointing in the headers and the true one."""

    dra: float = 0.0
    """Offset to the east on the sky, in arcsec."""
    ddec: float = 0.0
    """Offset to the north, in arcsec."""
    roll: float = 0.0
    """Turn from north to east around the aperture reference, in degrees."""


@dataclass(frozen=True)
class Pointing:
    """Sky position of the aperture reference, the middle of all pixels that are read out.

    Raises
    ------
    HstMosaicError
        If a value is not finite or the declination is outside -90..90.
    """

    ra: float
    """Right ascension (ICRS) in degrees."""
    dec: float
    """Declination (ICRS) in degrees."""
    orient: float = 0.0
    """Position angle of the image y axis there, in degrees from north to east."""

    def __post_init__(self) -> None:
        if not np.all(np.isfinite([self.ra, self.dec, self.orient])) or abs(self.dec) > 90:
            raise HstMosaicError(f"invalid pointing: ra={self.ra}, dec={self.dec}, orient={self.orient}")

    def moved(self, error: PointingError) -> Pointing:
        """Return the pointing with `error` added to it."""
        axes = _axes(self)
        east, north = _tangents(axes[2])
        aim = _unit(axes[2] + _ARCSEC * (error.dra * east + error.ddec * north))
        return _pointing(_frame(aim, axes[1]), error.roll)

    def dithered(self, dx: float, dy: float) -> Pointing:
        """Return the pointing moved by (dx, dy) arcsec along the image axes.

        The x axis is taken at right angles to the y axis, on the side of the west for orient 0.
        """
        axes = _axes(self)
        aim = _unit(axes[2] + _ARCSEC * (-dx * axes[0] + dy * axes[1]))
        return _pointing(_frame(aim, axes[1]), 0.0)


@dataclass(frozen=True)
class ChipAim:
    """The linear part of one chip's WCS."""

    crval: tuple[float, float]
    """Sky position of the reference pixel (deg)."""
    cd: tuple[tuple[float, float], tuple[float, float]]
    """CD matrix (deg/pixel)."""

    @property
    def orientat(self) -> float:
        """Position angle of the chip's y axis at its reference pixel (deg)."""
        return float(np.rad2deg(np.arctan2(self.cd[0][1], self.cd[1][1])))


def chip_aims(camera: Camera, pointing: Pointing) -> tuple[ChipAim, ...]:
    """Point a camera at the sky.

    Parameters
    ----------
    camera : Camera
        The camera, whole or cut to a subarray.
    pointing : Pointing
        Sky position of its aperture reference.

    Returns
    -------
    tuple of ChipAim
        One per chip, in the order of the extensions.
    """
    turn = _axes(pointing).T
    return tuple(_aim(turn @ body) for body in _bodies(camera))


def sky_vectors(ra: NDArray[np.float64], dec: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return unit vectors, shape (n, 3), of sky positions in degrees."""
    lon, lat = np.deg2rad(ra), np.deg2rad(dec)
    return np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], axis=-1)


def sky_positions(vectors: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return right ascension (0 to 360) and declination in degrees of vectors of shape (n, 3)."""
    x, y, z = np.moveaxis(vectors, -1, 0)
    return np.rad2deg(np.arctan2(y, x)) % 360, np.rad2deg(np.arctan2(z, np.hypot(x, y)))


def sip_offset(chip: Chip, x: float, y: float) -> tuple[float, float]:
    """Return the undistorted offset (pixels) from the reference pixel of the 1-based pixel (x, y)."""
    u, v = x - chip.crpix[0], y - chip.crpix[1]
    total = {"A": u, "B": v}
    for key, value in chip.sip.items():
        axis, *powers = key.split("_")
        if powers != ["ORDER"]:
            total[axis] += value * u ** int(powers[0]) * v ** int(powers[1])
    return total["A"], total["B"]


def _unit(vector: Vector) -> Vector:
    return np.asarray(vector / np.linalg.norm(vector), dtype=float)


def _tangents(aim: Vector) -> tuple[Vector, Vector]:
    """Return unit vectors to the east and to the north at `aim`."""
    ra, _ = sky_positions(aim)
    lon = np.deg2rad(ra)
    east = np.array([-np.sin(lon), np.cos(lon), 0.0])
    return east, np.cross(aim, east)


def _frame(aim: Vector, y_axis: Vector) -> Vector:
    """Return axes as rows: left of y, y made perpendicular to the aim, the aim."""
    y_axis = _unit(y_axis - (y_axis @ aim) * aim)
    return np.stack([np.cross(y_axis, aim), y_axis, aim])


def _axes(pointing: Pointing) -> Vector:
    aim = sky_vectors(np.asarray(pointing.ra), np.asarray(pointing.dec))
    lon, angle = np.deg2rad(pointing.ra), np.deg2rad(pointing.orient)
    east = np.array([-np.sin(lon), np.cos(lon), 0.0])
    return _frame(aim, np.cos(angle) * np.cross(aim, east) + np.sin(angle) * east)


def _pointing(axes: Vector, roll: float) -> Pointing:
    ra, dec = sky_positions(axes[2])
    east, north = _tangents(axes[2])
    orient = float(np.rad2deg(np.arctan2(axes[1] @ east, axes[1] @ north))) + roll
    return Pointing(float(ra), float(dec), orient)


@cache
def _bodies(camera: Camera) -> tuple[Vector, ...]:
    """Return per chip, as columns in the frame of the aperture, reference position and pixel axes."""
    chips, middles = [], []
    for chip in camera.chips:
        centre = sky_vectors(*np.asarray(chip.crval, dtype=float))
        axes = np.stack(_tangents(centre), axis=-1) @ np.asarray(chip.cd)
        chips.append(np.column_stack([centre, axes]))
        offset = sip_offset(chip, (chip.shape[1] + 1) / 2, (chip.shape[0] + 1) / 2)
        middles.append(_unit(centre + np.deg2rad(axes @ np.asarray(offset))))
    aperture = _frame(_unit(np.sum(middles, axis=0)), chips[0][:, 2])
    return tuple(np.asarray(aperture @ chip) for chip in chips)


def _aim(body: Vector) -> ChipAim:
    ra, dec = (float(angle) for angle in sky_positions(body[:, 0]))
    # FITS turns the meaning of the longitude around when CRVAL is exactly a pole.
    dec = min(max(dec, -_POLE), _POLE)
    east, north = _tangents(sky_vectors(np.asarray(ra), np.asarray(dec)))
    cd = np.stack([east, north]) @ body[:, 1:]
    (a, b), (c, d) = cd.tolist()
    return ChipAim((ra, dec), ((a, b), (c, d)))
