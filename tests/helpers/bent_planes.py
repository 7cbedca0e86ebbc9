"""Planes of chips and mosaics near one point of the sky."""

import numpy as np
from astropy.wcs import WCS, Sip

SCALE = 0.04 / 3600
"""Degrees per pixel."""


def plane(shape, crpix, turn=0.0, scale=SCALE, bend=None, mirrored=False):
    """WCS of an image near one point of the sky, turned, and bent by a distortion."""
    wcs = WCS(naxis=2)
    suffix = "" if bend is None else "-SIP"
    wcs.wcs.ctype = [f"RA---TAN{suffix}", f"DEC--TAN{suffix}"]
    wcs.wcs.crval, wcs.wcs.crpix = [53.1, -27.8], crpix
    cosine, sine = np.cos(turn), np.sin(turn)
    wcs.wcs.cd = scale * np.array([[-cosine, sine], [sine, cosine]]) @ np.diag([-1 if mirrored else 1, 1])
    if bend is not None:
        a, b = np.zeros((3, 3)), np.zeros((3, 3))
        a[0, 2], a[2, 0], a[1, 1], b[0, 2], b[2, 0], b[1, 1] = bend
        wcs.sip = Sip(a, b, None, None, crpix)
    wcs.pixel_shape = shape[::-1]
    wcs.wcs.set()
    return wcs
