"""Small mosaics with stars."""

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS

from hstmosaic.products.registration import mosaic_stars
from hstmosaic.tasks.mosaic_stars import find_stars

SHAPE = (700, 600)
SKY = np.random.default_rng(2).uniform((25, 25), (SHAPE[1] - 25, SHAPE[0] - 25), (60, 2))


def grid():
    """Return the WCS of a mosaic whose grid begins at its first pixel: 0.04 arcsec per pixel."""
    wcs = WCS(naxis=2)
    wcs.wcs.ctype, wcs.wcs.crval, wcs.wcs.crpix = ("RA---TAN", "DEC--TAN"), (150.0, 2.0), (101.0, 201.0)
    wcs.wcs.cd = np.diag([-0.04, 0.04]) / 3600
    return wcs


def mosaic(path, offset=(0.0, 0.0), width=2.2, stars=60, corner=0, seed=1):
    """Write a mosaic with stars displaced from the sky, whose grid begins ``corner`` pixels later."""
    rng = np.random.default_rng(seed)
    image, (y, x) = rng.normal(0, 1, SHAPE), np.indices(SHAPE)
    for (sx, sy), flux in zip(SKY[:stars] + offset - corner, rng.uniform(60, 900, stars), strict=True):
        near = np.s_[max(0, int(sy) - 15) : int(sy) + 16, max(0, int(sx) - 15) : int(sx) + 16]
        distance = (x[near] - sx) ** 2 + (y[near] - sy) ** 2
        image[near] += flux * np.exp(-distance / (2 * (width / 2.3548) ** 2))
    header = grid().to_header()
    header.update({"CRPIX1": 101.0 - corner, "CRPIX2": 201.0 - corner})
    weight = np.ones(SHAPE, np.float32)
    weight[:, :10] = 0
    hdus = [
        fits.PrimaryHDU(),
        fits.ImageHDU(image.astype(np.float32), header, name="SCI"),
        fits.ImageHDU(weight, name="WHT"),
    ]
    fits.HDUList(hdus).writeto(path)
    return path


def stars_of(path):
    """Return the stars of a mosaic."""
    return mosaic_stars(path, find_stars(path))
