"""Numbers of the correction of an exposure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord

from hstmosaic.store.alignment_results import ExposureFit

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hstmosaic.plan.exposures import Exposure
    from hstmosaic.tasks.alignment.solution import ExposureSolution

_POINTS = 5
_RESIDUALS = 100


def exposure_fit(before: Exposure, after: Exposure, found: ExposureSolution, sources: int) -> ExposureFit:
    """Compare an exposure before and after the fit.

    Parameters
    ----------
    before, after : Exposure
        The user's file and its aligned copy.
    found : ExposureSolution
        What the fit found.
    sources : int
        Number of its detections.

    Returns
    -------
    ExposureFit
        Shift, turn and scale as the two files show them.
    """
    shift, factor = _similarity(_sky(before), _sky(after))
    residuals = found.residuals * 1000
    few = residuals[:: max(1, -(-len(residuals) // _RESIDUALS))]
    return ExposureFit(
        shift_mas=_pair(shift),
        rotation_deg=float(-np.rad2deg(np.angle(factor))),
        scale=float(abs(factor)),
        sources=sources,
        matches=found.catalog_matches,
        rms_mas=_pair(np.sqrt(np.mean(residuals**2, axis=0))) if len(residuals) else None,
        fit_matches=found.matches,
        error_mas=_pair(error * 1000 for error in found.errors),
        residuals_mas=tuple(map(_pair, np.round(few, 1))),
        wcsname=after.wcsname,
        wcsname_before=before.wcsname,
        status=found.status.value,
        absolute=found.absolute,
        group=found.group,
        reason=found.reason,
    )


def _pair(values: Iterable[float]) -> tuple[float, float]:
    first, second = values
    return float(first), float(second)


def _sky(exposure: Exposure) -> SkyCoord:
    """Sky positions of a grid of pixels on every chip."""
    grids = []
    for chip in exposure.chips:
        y, x = np.meshgrid(*(np.linspace(0, size - 1, _POINTS) for size in chip.shape), indexing="ij")
        grids.append(np.column_stack(chip.wcs.all_pix2world(x.ravel(), y.ravel(), 0)))
    return SkyCoord(np.concatenate(grids), unit="deg")


def _similarity(before: SkyCoord, after: SkyCoord) -> tuple[tuple[float, float], complex]:
    """Fit shift (mas, east and north) and complex factor (east + i north) that take one set of positions to another."""
    middle = before[len(before) // 2]
    old, new = (_plane(middle, positions) for positions in (before, after))
    centre = old.mean()
    factor, offset = np.linalg.lstsq(np.column_stack([old - centre, np.ones(len(old))]), new - centre, rcond=None)[0]
    return (offset.real, offset.imag), complex(factor)


def _plane(middle: SkyCoord, positions: SkyCoord) -> np.ndarray:
    east, north = middle.spherical_offsets_to(positions)
    return np.asarray(east.to_value(u.mas) + 1j * north.to_value(u.mas))
