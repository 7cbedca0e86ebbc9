"""Measurements of the pixels of a product."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from hstmosaic.products.orient import pixel_size
from hstmosaic.products.pivots import pivot_wavelength

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hstmosaic.products.decimate import Decimated


_SIGNIFICANT = 5
_STEPS = 20


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
    depth: float | None = None
    """AB magnitude of five times the scatter of sums over squares of 0.4 arcsec; None without sky or zero point."""
    area_by_weight: tuple[tuple[float, float], ...] = ()
    """Upper limit of the weight and area, arcmin2, of equal steps of the weight from 0."""

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> Measurements:
        """Return the measurements that `dataclasses.asdict` converted, possibly by way of JSON."""
        steps = tuple((float(weight), float(area)) for weight, area in raw.get("area_by_weight", ()))
        return cls(**{**raw, "shape": tuple(raw["shape"]), "area_by_weight": steps})


def measure(small: Decimated, filter_name: str = "") -> Measurements:
    """Measure the pixels of a product.

    Parameters
    ----------
    small : Decimated
        The product.
    filter_name : str
        Its filter, for headers without ``PHOTPLAM``.

    Returns
    -------
    Measurements
    """
    header = small.header
    pixel = pixel_size(small.wcs) / small.factor / 60
    flux, wavelength = (float(header.get(key, 0) or 0) for key in ("PHOTFLAM", "PHOTPLAM"))
    wavelength = wavelength or pivot_wavelength(filter_name)
    covered = small.weight[small.covered]
    zero_point = ab_zero_point(flux, wavelength) if flux > 0 and wavelength > 0 else None
    return Measurements(
        shape=small.shape,
        area_arcmin2=small.covered_pixels * pixel**2,
        weight_min=small.weight_range[0],
        weight_median=float(np.median(covered)) if covered.size else 0.0,
        weight_max=small.weight_range[1],
        noise=None if math.isnan(small.noise) else small.noise,
        unit=str(header.get("BUNIT", "")).lower().replace("electrons", "e⁻"),
        zero_point=zero_point,
        exposure_time=header.get("MEANEXPT"),
        depth=limiting_magnitude(small.aperture_noise, zero_point),
        area_by_weight=_area_by_weight(covered, (pixel * small.factor) ** 2),
    )


def limiting_magnitude(noise: float, zero_point: float | None) -> float | None:
    """Return the AB magnitude of a source with a signal of five times the noise; None if it is unknown."""
    if zero_point is None or not noise > 0:
        return None
    return zero_point - 2.5 * math.log10(_SIGNIFICANT * noise)


def _area_by_weight(covered: np.ndarray, block: float) -> tuple[tuple[float, float], ...]:
    """Return the upper limit and the area of each step of the weight; `block` is the area of a block, arcmin2."""
    if not covered.size:
        return ()
    counts, limits = np.histogram(covered, bins=_STEPS, range=(0, float(covered.max())))
    return tuple((float(high), float(count * block)) for high, count in zip(limits[1:], counts, strict=True))


def ab_zero_point(flux: float, wavelength: float) -> float:
    """Return the AB magnitude of one unit, from PHOTFLAM (erg/cm2/Angstrom) and PHOTPLAM (Angstrom).

    The formula is that of the ACS and WFC3 data handbooks.
    """
    return -2.5 * math.log10(flux) - 5 * math.log10(wavelength) - 2.408
