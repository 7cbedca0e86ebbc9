"""Measurements of the pixels of a product."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from hstmosaic.products.orient import pixel_size

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hstmosaic.products.decimate import Decimated


@dataclass(frozen=True)
class Measurements:
    """Measurements of the pixels of a product."""

    shape: tuple[int, int]
    """Height and width, pixels."""
    area_arcmin2: float
    """Area with data."""
    weight_min: float
    weight_median: float
    """Median of blocks of pixels."""
    weight_max: float
    noise: float | None
    """Robust standard deviation of single pixels of the sky, in `unit`; None without sky pixels."""
    unit: str
    zero_point: float | None
    """AB magnitude of one unit; None if the header lacks it."""
    exposure_time: float | None
    """Mean over the pixels with data, seconds; None if the header lacks it."""

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> Measurements:
        """Return the measurements that `dataclasses.asdict` converted, possibly by way of JSON."""
        return cls(**{**raw, "shape": tuple(raw["shape"])})


def measure(small: Decimated) -> Measurements:
    """Measure the pixels of a product.

    Parameters
    ----------
    small : Decimated
        The product.

    Returns
    -------
    Measurements
    """
    header = small.header
    pixel = pixel_size(small.wcs) / small.factor / 60
    flux, wavelength = (float(header.get(key, 0) or 0) for key in ("PHOTFLAM", "PHOTPLAM"))
    covered = small.weight[small.covered]
    return Measurements(
        shape=small.shape,
        area_arcmin2=small.covered_pixels * pixel**2,
        weight_min=small.weight_range[0],
        weight_median=float(np.median(covered)) if covered.size else 0.0,
        weight_max=small.weight_range[1],
        noise=None if math.isnan(small.noise) else small.noise,
        unit=str(header.get("BUNIT", "")).lower().replace("electrons", "e⁻"),
        zero_point=ab_zero_point(flux, wavelength) if flux > 0 and wavelength > 0 else None,
        exposure_time=header.get("MEANEXPT"),
    )


def ab_zero_point(flux: float, wavelength: float) -> float:
    """Return the AB magnitude of one unit, from PHOTFLAM (erg/cm2/Angstrom) and PHOTPLAM (Angstrom).

    The formula is that of the ACS and WFC3 data handbooks.
    """
    return -2.5 * math.log10(flux) - 5 * math.log10(wavelength) - 2.408
