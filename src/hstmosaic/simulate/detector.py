"""From electrons per second to a calibrated chip: noise, cosmic rays and bad pixels."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hstmosaic.simulate.exposure_plan import ExposurePlan
    from hstmosaic.simulate.instruments import Camera

    Image = NDArray[np.float32]

HOT, DEAD, SATURATED = 16, 4, 256
"""DQ flags that are set."""


def detect(
    plan: ExposurePlan, number: int, rate: NDArray[np.float64], rng: np.random.Generator
) -> tuple[Image, Image, NDArray[np.int16]]:
    """Expose one chip and calibrate it.

    Parameters
    ----------
    plan : ExposurePlan
        Gives camera, filter, exposure time and cosmic rays.
    number : int
        Which chip of the camera, from 0.
    rate : ndarray
        Electrons per second from sources.
    rng : numpy.random.Generator
        Source of all noise.

    Returns
    -------
    science, error : ndarray of float32
        In electrons (counts of ACS/SBC), dark current subtracted and sky not.
    quality : ndarray of int16
        DQ flags; cosmic rays are not flagged, as in single exposures.
    """
    camera, exptime = plan.camera, plan.exptime
    sky = camera.filter(plan.filter).sky * plan.sky
    electrons = rng.poisson((rate + (sky + camera.dark)) * exptime).astype(np.float32)
    if camera.is_ccd:  # infrared ramps reject them, and ACS/SBC does not detect them
        _add_cosmic_rays(electrons, rng.poisson(plan.cosmic_rays * exptime * electrons.size / 1e6), rng)
    electrons += np.float32(camera.read_noise) * rng.standard_normal(electrons.shape, dtype=np.float32)
    quality = bad_pixels(camera, number)
    hot = quality == HOT
    electrons[hot] += 5 * camera.read_noise * rng.standard_normal(int(hot.sum()), dtype=np.float32)
    electrons[quality == DEAD] = 0
    if camera.is_ccd:
        quality[electrons >= camera.full_well] |= SATURATED
        np.minimum(electrons, np.float32(camera.full_well), out=electrons)
    error = np.sqrt(np.maximum(electrons, 0) + np.float32(camera.read_noise**2))
    electrons -= np.float32(camera.dark * exptime)
    return electrons, error, quality


def bad_pixels(camera: Camera, number: int) -> NDArray[np.int16]:
    """Return the DQ array of hot and dead pixels of a chip, the same in every exposure."""
    chip = camera.chips[number]
    rng = np.random.default_rng([zlib.crc32(camera.name.encode()), chip.ccdchip])
    count = 4_000
    x, y = rng.integers(0, 4096, count), rng.integers(0, 2051, count)
    flags = np.where(np.arange(count) % 4 == 0, DEAD, HOT)
    x, y = x - chip.origin[0], y - chip.origin[1]
    inside = (x >= 0) & (y >= 0) & (x < chip.shape[1]) & (y < chip.shape[0])
    quality = np.zeros(chip.shape, dtype=np.int16)
    quality[y[inside], x[inside]] = flags[inside]
    return quality


def _add_cosmic_rays(electrons: Image, count: int, rng: np.random.Generator) -> None:
    """Add short straight tracks with a few thousand electrons each."""
    ny, nx = electrons.shape
    for _ in range(count):
        length, angle = min(1 + rng.exponential(3.0), 12.0), rng.uniform(0, np.pi)
        steps = np.arange(0, length, 0.5)
        x = np.rint(rng.uniform(0, nx - 1) + np.cos(angle) * steps).astype(int)
        y = np.rint(rng.uniform(0, ny - 1) + np.sin(angle) * steps).astype(int)
        charge = rng.lognormal(np.log(1500.0), 0.6) / len(steps)
        inside = (x >= 0) & (x < nx) & (y < ny)
        np.add.at(electrons, (y[inside], x[inside]), np.float32(charge))
