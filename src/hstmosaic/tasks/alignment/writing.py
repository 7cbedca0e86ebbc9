"""New WCSs, written to copies of exposures and to headerlets as drizzlepac writes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from astropy import units as u
from astropy.coordinates import Angle
from astropy.io import fits
from drizzlepac.haputils import align_utils, astrometric_utils
from tweakwcs.correctors import FITSWCSCorrector

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hstmosaic.tasks.alignment.inputs import Detections, Floats
    from hstmosaic.tasks.alignment.reading import Plane
    from hstmosaic.tasks.alignment.solution import ExposureSolution

_LABEL = "MVM"
_GEOMETRY = "rscale"


def headerlet_name(name: str) -> str:
    """Return the file name of an exposure's headerlet."""
    return name.replace(".fits", "_hlet.fits")


def write_solution(found: ExposureSolution, exposure: Detections, plane: Plane, catalog: str, reference: str) -> None:
    """Write the corrected WCS into the copy of an exposure in the current directory, and its headerlet next to it.

    Parameters
    ----------
    found : ExposureSolution
        With a correction.
    exposure : Detections
        The same exposure.
    plane : Plane
        In which the correction holds.
    catalog : str
        Name of the catalogue, or what stands for it in ``WCSNAME``.
    reference : str
        Root name of the first exposure of the fit.
    """
    matrix, shift = linear(found.correction, exposure)
    target = FITSWCSCorrector(plane.wcs)
    items = astrometric_utils.build_wcscat(exposure.name, 0, None)
    for item in items:
        pixels = np.linalg.solve(item.wcs.wcs.cd * 3600, found.correction[:2])
        item.set_correction(matrix, shift, ref_tpwcs=target)
        item.meta["fit method"] = "relative"
        item.meta["fit_info"] = _info(found, catalog, pixels, matrix)
    # the first item names the exposure that others were fitted to
    items[0].meta["rootname"] = reference
    align_utils.update_image_wcs_info(
        items, headerlet_filenames={exposure.name: headerlet_name(exposure.name)}, fit_label=_LABEL
    )
    fits.setval(exposure.name, "HAPLEVEL", value=1, comment="Classification level of this product")


def linear(correction: Floats, exposure: Detections) -> tuple[Floats, Floats]:
    """Return matrix and shift that correct positions on the plane."""
    east, north, scale, turn = correction
    inner = np.array([[scale, -turn], [turn, scale]]) / exposure.arm
    return np.eye(2) + inner, np.array([east, north]) - inner @ exposure.centre


def _info(found: ExposureSolution, catalog: str, pixels: Floats, matrix: Floats) -> Mapping[str, Any]:
    """Return the numbers of a fit under the names that drizzlepac has for them."""
    residuals = found.residuals
    spread = np.sqrt(np.mean(residuals**2, axis=0)) if len(residuals) else np.zeros(2)
    turn = float(np.rad2deg(np.arctan2(matrix[1, 0], matrix[0, 0])))
    return {
        "status": "SUCCESS",
        "catalog": catalog,
        "fitgeom": _GEOMETRY,
        "nmatches": found.catalog_matches,
        "ref_mag": range(found.catalog_matches),
        "RMS_RA": Angle(spread[0] * 1000, u.mas),
        "RMS_DEC": Angle(spread[1] * 1000, u.mas),
        "FIT_RMS": float(np.hypot(*spread) * 1000),
        "shift": tuple(map(float, pixels)),
        "rot": (turn, turn),
        "<scale>": float(np.sqrt(np.linalg.det(matrix))),
        "skew": 0.0,
    }
