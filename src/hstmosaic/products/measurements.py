"""What the pixels of a product tell, in numbers."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from hstmosaic.products.decimate import Decimated


def measurements(small: Decimated) -> dict[str, Any]:
    """Return what the pixels of a product tell.

    Parameters
    ----------
    small : Decimated
        The product.

    Returns
    -------
    dict
        ``shape``, height and width in pixels; ``area_arcmin2`` with data; ``weight_min``, ``weight_median`` (of blocks)
        and ``weight_max``; ``noise``, robust sigma of single pixels of the sky, in ``unit``, None where there is none;
        ``zero_point``, AB magnitude of one unit, and ``exposure_time``, mean over the pixels with data in seconds, None
        where the header does not tell.
    """
    header = small.header
    pixel = small.wcs.wcs.cd[1, 1] / small.factor * 60
    flux, wavelength = (float(header.get(key, 0) or 0) for key in ("PHOTFLAM", "PHOTPLAM"))
    covered = small.weight[small.covered]
    return {
        "shape": small.shape,
        "area_arcmin2": small.covered_pixels * pixel**2,
        "weight_min": small.weight_range[0],
        "weight_median": float(np.median(covered)) if covered.size else 0.0,
        "weight_max": small.weight_range[1],
        "noise": None if math.isnan(small.noise) else small.noise,
        "unit": str(header.get("BUNIT", "")).lower().replace("electrons", "e⁻"),
        "zero_point": ab_zero_point(flux, wavelength) if flux > 0 and wavelength > 0 else None,
        "exposure_time": header.get("MEANEXPT"),
    }


def ab_zero_point(flux: float, wavelength: float) -> float:
    """Return the AB magnitude of one unit, from PHOTFLAM (erg/cm2/Angstrom) and PHOTPLAM (Angstrom).

    The formula is that of the ACS and WFC3 data handbooks.
    """
    return -2.5 * math.log10(flux) - 5 * math.log10(wavelength) - 2.408
