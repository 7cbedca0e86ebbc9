"""Inputs of the fit from exposures, tables of sources and replies of the catalogue service."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from astropy.wcs import WCS

from hstmosaic.plan.catalog_table import CatalogTable
from hstmosaic.plan.star_widths import STAR_WIDTHS
from hstmosaic.tasks.alignment.inputs import Detections, Prior, Stars

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from astropy.table import Table

    from hstmosaic.plan.exposures import Exposure
    from hstmosaic.tasks.alignment.inputs import Floats

_FLOORS = {"uvis": 0.002, "wfc": 0.002, "ir": 0.006, "hrc": 0.0015, "sbc": 0.003}
"""Errors of centres of bright stars, arcsec per axis, as measured on simulated stars."""
_THRESHOLD = 5.0
"""Peak of the faintest sources in units of the noise."""
_SHIFTS = (("-FIT", 0.1), ("HSC30", 0.1), ("GSC240", 0.4))
"""Parts of WCSNAME, and the error (arcsec) that the position of such a solution may have."""
_FALLBACK_ERRORS = {"GAIAeDR3": 0.001, "GSC242": 0.05, "2MASS": 0.1}
"""Errors of positions that have none in their catalogue, arcsec."""
_USER_ERROR = 0.002
_YEAR = 365.25


@dataclass(frozen=True)
class Plane:
    """A plane that touches the sky in the middle of the field; arcsec to the east and to the north."""

    wcs: WCS

    def places(self, ra: Floats, dec: Floats) -> Floats:
        """Project positions in degrees."""
        return np.column_stack(self.wcs.wcs_world2pix(ra, dec, 0))


def plane_of(exposures: Sequence[Exposure]) -> Plane:
    """Return the plane for some exposures."""
    sky = np.concatenate([_outline(exposure) for exposure in exposures])
    lon, lat = np.deg2rad(sky).T
    x, y, z = np.mean([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], axis=1)
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crval = np.rad2deg([np.arctan2(y, x) % (2 * np.pi), np.arctan2(z, np.hypot(x, y))])
    wcs.wcs.crpix = [1.0, 1.0]
    wcs.wcs.cd = np.eye(2) / 3600
    wcs.wcs.set()
    wcs.pixel_shape = (1, 1)  # tweakwcs wants one
    return Plane(wcs)


def read_detections(exposure: Exposure, tables: Mapping[int, Table], plane: Plane) -> Detections:
    """Return the detections of an exposure.

    Parameters
    ----------
    exposure : Exposure
        With its chips.
    tables : mapping of int to Table
        Sources by chip, with ``xcentroid``, ``ycentroid`` (0-based) and ``daofind_mag``, which counts from the
        threshold of detection; chips without sources may be missing.
    plane : Plane
        Where to project them.
    """
    places, errors, brightness = [np.empty((0, 2))], [np.empty(0)], [np.empty(0)]
    for chip in exposure.chips:
        table = tables.get(chip.extver)
        if table is None or not len(table):
            continue
        x, y = (np.asarray(table[name], dtype=float) for name in ("xcentroid", "ycentroid"))
        found = plane.places(*chip.wcs.all_pix2world(x, y, 0))
        bright = -np.asarray(table["daofind_mag"], dtype=float) if "daofind_mag" in table.colnames else np.zeros(len(x))
        noise = STAR_WIDTHS[exposure.detector] / 2.355 / (_THRESHOLD * 10 ** (0.4 * np.clip(bright, -1, 20)))
        good = np.isfinite(found).all(axis=1) & np.isfinite(noise)
        places.append(found[good])
        errors.append(np.hypot(_FLOORS[exposure.detector], noise)[good])
        brightness.append(bright[good])
    order = np.argsort(-np.concatenate(brightness), kind="stable")
    middle = exposure.expstart + exposure.exptime / 2 / 86400
    return Detections(
        name=exposure.name,
        visit=f"{exposure.visit} {exposure.detector} {_solution(exposure.wcsname)}",
        epoch=2000.0 + (middle - 51544.5) / _YEAR,
        places=np.concatenate(places)[order],
        errors=np.concatenate(errors)[order],
        outline=plane.places(*_outline(exposure).T),
        prior=Prior(shift=next((error for part, error in _SHIFTS if part in exposure.wcsname), Prior.shift)),
    )


def read_stars(text: str, catalog: str, plane: Plane, epoch: float) -> tuple[Stars, list[dict[str, str]]]:
    """Return the stars of a stored reply and its rows.

    Parameters
    ----------
    text : str
        The reply, checked, with positions at the epoch of the catalogue.
    catalog : str
        Name of the catalogue.
    plane : Plane
        Where to project them.
    epoch : float
        Epoch of stars that have none in the catalogue, decimal years.
    """
    table = CatalogTable.from_reply(text, catalog)
    values, epochs, moving = table.values, table.epochs, table.moving
    places = plane.places(values("ra"), values("dec")) if table.rows else np.empty((0, 2))
    errors = np.hypot(values("ra_error"), values("dec_error")) / np.sqrt(2) / 1000
    fallback = _FALLBACK_ERRORS.get(catalog, _USER_ERROR)
    drift = np.hypot(values("pmra_error"), values("pmdec_error")) / np.sqrt(2) / 1000
    return (
        Stars(
            places=places,
            epochs=np.where(np.isfinite(epochs), epochs, epoch),
            motions=np.where(moving[:, None], table.motions, 0.0),
            errors=np.maximum(np.where(np.isfinite(errors) & (errors > 0), errors, fallback), 1e-4),
            motion_errors=np.where(np.isfinite(drift) & moving, drift, 0.0),
            moving=moving,
        ),
        table.rows,
    )


def _solution(wcsname: str) -> str:
    """Return what a WCS was fitted to, without the name of the distortion model."""
    return wcsname.partition("-")[2]


def _outline(exposure: Exposure) -> Floats:
    """Corners of all chips, degrees, shape (n, 2)."""
    corners = []
    for chip in exposure.chips:
        ny, nx = chip.shape
        corners.append(np.column_stack(chip.wcs.all_pix2world([0, nx - 1, nx - 1, 0], [0, 0, ny - 1, ny - 1], 0)))
    return np.concatenate(corners)
