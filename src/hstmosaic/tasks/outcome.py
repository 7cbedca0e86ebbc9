"""What an alignment did to an exposure, in numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord

from hstmosaic.store.alignment_results import ExposureFit

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from astropy.table import Table

    from hstmosaic.plan.exposures import Exposure

MATCH_RADIUS = 0.1
"""Arcsec between a star of the catalogue and a detection that counts as a match after the fit."""
_POINTS = 5
_RESIDUALS = 100


def exposure_outcome(before: Exposure, after: Exposure, sources: Mapping[int, Table], reference: Table) -> ExposureFit:
    """Compare an exposure before and after the fit, and its sources with the catalogue.

    Parameters
    ----------
    before, after : Exposure
        The user's file and its aligned copy.
    sources : mapping of int to Table
        Detections by chip, with ``xcentroid`` and ``ycentroid`` (0-based pixels).
    reference : Table
        The catalogue, with ``RA`` and ``DEC`` in degrees.

    Returns
    -------
    ExposureFit
        Without the numbers of the fit itself.
    """
    shift, factor = _similarity(_sky(before), _sky(after))
    offsets = _matches(after, sources, reference)
    rms = _pair(np.sqrt(np.mean(offsets**2, axis=0))) if len(offsets) else None
    few = offsets[:: max(1, -(-len(offsets) // _RESIDUALS))]
    return ExposureFit(
        shift_mas=_pair(shift),
        rotation_deg=float(-np.rad2deg(np.angle(factor))),
        scale=float(abs(factor)),
        sources=sum(len(table) for table in sources.values()),
        matches=len(offsets),
        rms_mas=rms,
        residuals_mas=tuple(map(_pair, np.round(few, 1))),
        wcsname=after.wcsname,
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


def _matches(exposure: Exposure, sources: Mapping[int, Table], reference: Table) -> np.ndarray:
    """Distances of sources from the stars that they match: east and north in mas, shape (n, 2)."""
    stars = SkyCoord(reference["RA"], reference["DEC"], unit="deg")
    offsets = []
    for chip in exposure.chips:
        table = sources[chip.extver]
        if not len(table):
            continue
        places = chip.wcs.all_pix2world(np.asarray(table["xcentroid"]), np.asarray(table["ycentroid"]), 0)
        detected = SkyCoord(*places, unit="deg")
        index, distance, _ = detected.match_to_catalog_sky(stars)
        near = distance < MATCH_RADIUS * u.arcsec
        east, north = stars[index[near]].spherical_offsets_to(detected[near])
        offsets.append(np.column_stack([east.to_value(u.mas), north.to_value(u.mas)]))
    return np.concatenate(offsets) if offsets else np.empty((0, 2))
