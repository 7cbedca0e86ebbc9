"""From a scene to the electrons per second that its sources give on one chip."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtr

from hstmosaic.simulate.attitude import sky_vectors

if TYPE_CHECKING:
    from astropy.wcs import WCS
    from numpy.typing import NDArray

    from hstmosaic.simulate.exposure_plan import ExposurePlan
    from hstmosaic.simulate.scene import ExtendedGalaxy, Scene

    Array = NDArray[np.float64]

_MARGIN = 200.0
"""Pixels around the chip in which the linear WCS may be wrong because of the distortion."""
_PSF = ((0.85, 1.0), (0.15, 3.0))
"""Share and relative width of the two Gaussians of the PSF."""
_GALAXY = ((0.6, 1.0), (0.4, 0.4))
"""The same for a galaxy: a disc and a bulge."""
_FWHM_TO_SIGMA = 1 / np.sqrt(8 * np.log(2))


def pixel_positions(wcs: WCS, ra: Array, dec: Array, shape: tuple[int, int]) -> tuple[NDArray[np.intp], Array, Array]:
    """Find the sources on or near a chip and their exact positions on it.

    Parameters
    ----------
    wcs : astropy.wcs.WCS
        Full WCS of the chip.
    ra, dec : ndarray
        Sky positions in degrees.
    shape : tuple of int
        Rows and columns of the chip.

    Returns
    -------
    indices : ndarray of int
        Which of the positions are within about 200 pixels of the chip.
    x, y : ndarray of float
        Their pixel positions, 0 at the centre of the first pixel, all lookup tables included.
    """
    aim = sky_vectors(*np.asarray(wcs.wcs.crval, dtype=float))
    near = np.flatnonzero(sky_vectors(ra, dec) @ aim > np.cos(np.deg2rad(0.5)))
    if near.size:
        x, y = wcs.wcs_world2pix(ra[near], dec[near], 0)
        near = near[(np.abs(x - (shape[1] - 1) / 2) < shape[1] / 2 + _MARGIN)
                    & (np.abs(y - (shape[0] - 1) / 2) < shape[0] / 2 + _MARGIN)]  # fmt: skip
    if not near.size:
        return near, np.empty(0), np.empty(0)
    x, y = wcs.all_world2pix(ra[near], dec[near], 0, tolerance=1e-7, maxiter=50)
    return near, x, y


def source_rate(plan: ExposurePlan, number: int, wcs: WCS, scene: Scene) -> Array:
    """Return the electrons per second that the sources of a scene give on one chip.

    Parameters
    ----------
    plan : ExposurePlan
        Gives camera, filter and guiding.
    number : int
        Which chip of the camera, from 0.
    wcs : astropy.wcs.WCS
        True WCS of the chip.
    scene : Scene
        The sources.

    Returns
    -------
    ndarray of float
        Shape of the chip.
    """
    image = np.zeros(plan.camera.chips[number].shape)
    index, x, y = pixel_positions(wcs, scene.ra, scene.dec, plan.camera.chips[number].shape)
    flux, star = scene.flux(plan.camera.filter(plan.filter))[index], scene.radius[index] == 0
    sigma = plan.camera.psf_fwhm * _FWHM_TO_SIGMA
    steps = np.linspace(-plan.trail / 2, plan.trail / 2, 2 * round(plan.trail) + 1)
    angle = np.deg2rad(plan.trail_angle)
    shifts = np.outer(steps, [np.cos(angle), np.sin(angle)])
    to_pixel = np.linalg.inv(wcs.pixel_scale_matrix * 3600)
    for dx, dy in shifts:
        _add_stars(image, x[star] + dx, y[star] + dy, flux[star] / len(shifts), sigma)
        for k in np.flatnonzero(~star):
            source = index[k]
            shape = _sky_covariance(scene.radius[source], scene.axis_ratio[source], scene.angle[source])
            for share, width in _GALAXY:
                covariance = to_pixel @ (width**2 * shape) @ to_pixel.T + sigma**2 * np.eye(2)
                _add_gaussian(image, x[k] + dx, y[k] + dy, share * flux[k] / len(shifts), covariance)
    for galaxy in scene.extended:
        _add_extended(image, plan, number, wcs, galaxy)
    return image


def _add_extended(image: Array, plan: ExposurePlan, number: int, wcs: WCS, galaxy: ExtendedGalaxy) -> None:
    """Add an extended galaxy as flat-fielded data have it: pixels count as if all had the nominal area."""
    rows, columns = np.indices(image.shape)
    pixels = sky_vectors(*wcs.all_pix2world(columns.ravel(), rows.ravel(), 0))
    centre = sky_vectors(np.asarray(galaxy.ra), np.asarray(galaxy.dec))
    # half the chord, which unlike the scalar product is exact for small angles
    distance = np.rad2deg(2 * np.arcsin(np.linalg.norm(pixels - centre, axis=1) / 2)) * 3600
    area = plan.camera.chips[number].linear["IDCSCALE"] ** 2
    image += area * galaxy.rate(distance, plan.camera.filter(plan.filter)).reshape(image.shape)


def _add_stars(image: Array, x: Array, y: Array, flux: Array, sigma: float) -> None:
    """Add stars, integrated over pixels; each Gaussian of the PSF is a product of two profiles."""
    half = int(np.ceil(4.5 * sigma * max(width for _, width in _PSF)))
    left, right = _profiles(x, half, sigma), _profiles(y, half, sigma)
    x0, y0 = np.rint(x).astype(int) - half, np.rint(y).astype(int) - half
    for k in range(len(x)):
        stamp = sum(share * np.outer(right[i][k], left[i][k]) for i, (share, _) in enumerate(_PSF))
        _paste(image, flux[k] * stamp, int(x0[k]), int(y0[k]))


def _profiles(centre: Array, half: int, sigma: float) -> list[Array]:
    edges = np.rint(centre)[:, None] + np.arange(-half, half + 2) - 0.5 - centre[:, None]
    return [np.diff(ndtr(edges / (width * sigma)), axis=1) for _, width in _PSF]


def _add_gaussian(image: Array, x: float, y: float, flux: float, covariance: Array) -> None:
    half = int(np.ceil(4.5 * np.sqrt(np.linalg.eigvalsh(covariance)[-1])))
    x0, y0 = round(x) - half, round(y) - half
    dy, dx = np.mgrid[y0 : y0 + 2 * half + 1, x0 : x0 + 2 * half + 1].astype(float)
    (a, b), (_, c) = np.linalg.inv(covariance)
    dx, dy = dx - x, dy - y
    stamp = np.exp(-0.5 * (a * dx**2 + 2 * b * dx * dy + c * dy**2))
    _paste(image, flux * stamp / stamp.sum(), x0, y0)


def _paste(image: Array, stamp: Array, x0: int, y0: int) -> None:
    """Add a stamp whose first pixel is (x0, y0); what falls off the image is lost."""
    left, low = max(0, -x0), max(0, -y0)
    part = stamp[low : max(0, image.shape[0] - y0), left : max(0, image.shape[1] - x0)]
    if part.size:
        y, x = y0 + low, x0 + left
        image[y : y + part.shape[0], x : x + part.shape[1]] += part


def _sky_covariance(sigma: float, ratio: float, angle: float) -> Array:
    """Return the covariance in arcsec**2, axes east and north, of a source elongated along `angle`."""
    turn = np.deg2rad(angle)
    axes = np.array([[np.sin(turn), np.cos(turn)], [np.cos(turn), -np.sin(turn)]])
    return np.asarray(axes @ np.diag([sigma**2, (ratio * sigma) ** 2]) @ axes.T)
