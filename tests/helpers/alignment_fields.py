"""Fields for tests of the alignment: bright stars, three cameras, each visit with its own pointing error."""

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS

from hstmosaic.plan.exposures import read_exposure
from hstmosaic.simulate import Pointing, PointingError, Visit, build_field, make_scene
from hstmosaic.simulate.attitude import chip_aims
from hstmosaic.simulate.geometry import chip_wcs

CAMERAS = (("wfc3_uvis", "F606W", 0.0, 1.0), ("wfc3_ir", "F160W", 0.0, 0.33), ("acs_wfc", "F814W", 60.0, 0.82))
"""Camera, filter, orientation (deg), and size of its subarray in units of that of WFC3/UVIS."""
OBSERVED = 2012.199
"""Decimal year of the first exposure."""


def three_cameras(rows=1280, exposures=2, seed=7, density=450.0, apart=0.0):
    """Plan UVIS, IR and ACS visits of one field, or so many arcsec apart from each other, with errors of 0.1 to 0.5
    arcsec and rolls of 0.02 deg.
    """
    rng = np.random.default_rng([seed, 2])
    visits = []
    for number, (name, filter_name, turn, size) in enumerate(CAMERAS):
        length, angle = rng.uniform(0.1, 0.5), rng.uniform(0, 2 * np.pi)
        roll = rng.choice([-0.02, 0.02])
        error = PointingError(length * np.cos(angle), length * np.sin(angle), float(roll))
        shape = (int(rows * size),) * 2
        offset = (apart * (number - 1), 0.0)
        visits.append(
            Visit(name, filter_name, exposures=exposures, turn=turn, subarray=shape, error=error, offset=offset)
        )
    scene = make_scene(150.1, 2.2, 1.6 + apart / 60, density=density, galaxies=5, magnitudes=(18.5, 22.5), seed=seed)
    return build_field("align", Pointing(150.1, 2.2, 15.0), visits, scene=scene, seed=seed, program="tri")


def distances_from_truth(plan, path):
    """Return how far the WCS of a file is from the true one of a planned exposure: east and north in mas, (n, 2)."""
    aims = chip_aims(plan.camera, plan.pointing)
    offsets = []
    for number, chip in enumerate(read_exposure(path).chips):
        y, x = (a.ravel() for a in np.meshgrid(*(np.linspace(0, n - 1, 9) for n in chip.shape), indexing="ij"))
        ra, dec = chip.wcs.all_pix2world(x, y, 0)
        true_ra, true_dec = chip_wcs(plan.camera, aims, number).all_pix2world(x, y, 0)
        offsets.append(np.column_stack([(ra - true_ra) * np.cos(np.deg2rad(true_dec)), dec - true_dec]) * 3.6e6)
    return np.concatenate(offsets)


def product_offsets(path, truth, flux, infrared):
    """Return how far isolated stars in a product are from their true places: x and y in mas, shape (n, 2)."""
    with fits.open(path) as hdus:
        image, weight, wcs = hdus["SCI"].data.astype(float), hdus["WHT"].data, WCS(hdus["SCI"].header)
    image[~np.isfinite(image)] = 0
    image -= np.median(image[weight > 0])
    scale = wcs.proj_plane_pixel_scales()[0].to_value("mas")
    sigma = (160 if infrared else 60) / scale
    half = round(4 * sigma)
    x, y = wcs.all_world2pix(truth["ra"], truth["dec"], 0)
    offsets = []
    for k in np.argsort(-truth[flux]):
        inside = all(half < p < n - half for p, n in zip((y[k], x[k]), image.shape, strict=True))
        if truth["kind"][k] != "star" or not inside or weight[round(y[k]), round(x[k])] <= 0:
            continue
        crowd = (np.hypot(x - x[k], y - y[k]) < 2.5 * half) & (truth[flux] > 0.005 * truth[flux][k])
        if crowd.sum() == 1:
            offsets.append(_centroid(image, x[k], y[k], half, sigma) - [x[k], y[k]])
    offsets = np.array(offsets) * scale
    return offsets[np.hypot(*offsets.T) < 100]


def _centroid(image, x, y, half, sigma):
    """Centroid of a star, weighted by a Gaussian that follows it."""
    fx, fy = x, y
    dy, dx = np.mgrid[round(y) - half : round(y) + half + 1, round(x) - half : round(x) + half + 1]
    stamp = image[dy, dx]
    for _ in range(30):
        weight = stamp * np.exp(-((dx - fx) ** 2 + (dy - fy) ** 2) / (2 * sigma**2))
        fx += 1.5 * ((weight * dx).sum() / weight.sum() - fx)
        fy += 1.5 * ((weight * dy).sum() / weight.sum() - fy)
    return np.array([fx, fy])
