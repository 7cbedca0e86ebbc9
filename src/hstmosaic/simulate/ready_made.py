"""Ready-made fields: for a demonstration, for benchmarks and for tests of the alignment."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hstmosaic.simulate.attitude import Pointing, PointingError
from hstmosaic.simulate.fields import Field, Visit, build_field
from hstmosaic.simulate.instruments import camera

if TYPE_CHECKING:
    from collections.abc import Collection

    from hstmosaic.simulate.exposure_plan import Naming

_CELL_CENTRE = (180.0, 26.0)
"""Reference position (deg) of projection cell p1889."""
_CELL_CRPIX, _CELL_STEP, _CELL_OVERLAP = 225144.0, 21442, 512
_CELL_SCALE = 0.04 / 3600

DEMO_SUBARRAY = (1024, 1024)
"""Rows and columns of the WFC3/UVIS exposures of the demo."""
_UVIS_PIXEL = (0.0396 / 60) ** 2
"""Area in square arcmin."""


def sky_cell_corner(x: int = 10, y: int = 10) -> tuple[float, float]:
    """Return where four sky cells of projection cell p1889 meet.

    Parameters
    ----------
    x, y : int
        The sky cells are x and x+1, y and y+1; the position is in the middle of their overlap.

    Returns
    -------
    ra, dec : float
        Sky position in degrees.
    """
    # A sky cell x covers the 0-based pixels from (x - 1) * 21442, 21954 of them.
    xi, eta = (np.deg2rad((cell * _CELL_STEP + _CELL_OVERLAP / 2 + 0.5 - _CELL_CRPIX) * _CELL_SCALE) for cell in (x, y))
    ra, dec = np.deg2rad(_CELL_CENTRE)
    below = np.cos(dec) - eta * np.sin(dec)
    alpha = ra + np.arctan2(-xi, below)
    delta = np.arctan2(np.sin(dec) + eta * np.cos(dec), np.hypot(xi, below))
    return float(np.rad2deg(alpha)), float(np.rad2deg(delta))


def demo_field(
    *,
    seed: int = 3,
    subarray: tuple[int, int] | None = DEMO_SUBARRAY,
    infrared: tuple[int, int] | None = (512, 512),
    naming: Naming = "pipeline",
    trailed: Collection[int] = (),
) -> Field:
    """Plan a small field over four sky cells: WFC3/UVIS in two filters and WFC3/IR, two exposures each.

    Parameters
    ----------
    seed : int
        Seed of sky and noise.
    subarray : tuple of int or None
        Rows and columns of the WFC3/UVIS exposures; None for full frames.
    infrared : tuple of int or None
        The same for WFC3/IR.
    naming : str
        ``pipeline`` or ``single-visit`` file names.
    trailed : collection of int
        Indices (0 to 5) of exposures that are spoilt by lost guiding.
    """
    visits = [
        Visit("wfc3_uvis", "F606W", exptime=600.0, subarray=subarray),
        Visit("wfc3_uvis", "F814W", exptime=600.0, subarray=subarray),
        Visit("wfc3_ir", "F160W", exptime=500.0, subarray=infrared),
    ]
    pointing = Pointing(*sky_cell_corner(), 30.0)
    return build_field(
        "demo", pointing, visits, seed=seed, program="dem", naming=naming, trailed=trailed, dither=1.7,
        density=150, galaxies=120, cosmic_rays=0.01,
    )  # fmt: skip


def corner_field(
    *,
    seed: int = 1,
    subarray: tuple[int, int] | None = None,
    naming: Naming = "pipeline",
    trailed: Collection[int] = (),
) -> Field:
    """Plan the benchmark field: 4 WFC3/UVIS and 2 WFC3/IR exposures over a corner of four sky cells.

    Parameters
    ----------
    seed : int
        Seed of sky and noise.
    subarray : tuple of int or None
        Rows and columns of all exposures, at most those of a chip; None for full frames.
    naming : str
        ``pipeline`` or ``single-visit`` file names.
    trailed : collection of int
        Indices (0 to 5) of exposures that are spoilt by lost guiding.
    """
    visits = [
        Visit("wfc3_uvis", "F606W", exptime=500.0, subarray=subarray),
        Visit("wfc3_uvis", "F814W", exptime=500.0, subarray=subarray),
        Visit("wfc3_ir", "F160W", exptime=400.0, subarray=_within("wfc3_ir", subarray)),
    ]
    pointing = Pointing(*sky_cell_corner(), 40.0)
    return build_field("corner", pointing, visits, seed=seed, program="cor", naming=naming, trailed=trailed)


def three_camera_field(
    *,
    seed: int = 7,
    subarray: tuple[int, int] | None = None,
    exposures: int = 2,
    naming: Naming = "pipeline",
    pointing_errors: bool = True,
) -> Field:
    """Plan a field for the alignment: three cameras in three filters, each visit with its own pointing error.

    Parameters
    ----------
    seed : int
        Seed of sky, noise and pointing errors.
    subarray : tuple of int or None
        Rows and columns of all exposures, at most those of a chip; None for full frames.
    exposures : int
        Exposures per visit.
    naming : str
        ``pipeline`` or ``single-visit`` file names.
    pointing_errors : bool
        Whether visits have errors of 0.1 to 0.5 arcsec and up to 0.02 deg of roll.
    """
    rng = np.random.default_rng([seed, 2])
    cameras = (("wfc3_uvis", "F606W", 0.0), ("wfc3_ir", "F160W", 0.0), ("acs_wfc", "F814W", 60.0))
    visits = []
    for name, filter_name, turn in cameras:
        size, angle, roll = rng.uniform(0.1, 0.5), rng.uniform(0, 2 * np.pi), rng.uniform(-0.02, 0.02)
        error = PointingError(float(size * np.cos(angle)), float(size * np.sin(angle)), float(roll))
        visits.append(
            Visit(
                name,
                filter_name,
                exposures=exposures,
                turn=turn,
                subarray=_within(name, subarray),
                error=error if pointing_errors else PointingError(),
            )
        )
    # A subarray of WFC3/UVIS, the finest camera, shall also have about 100 stars.
    density = 60.0 if subarray is None else min(max(60.0, 100 / (subarray[0] * subarray[1]) / _UVIS_PIXEL), 1500.0)
    return build_field(
        "three cameras",
        Pointing(150.1, 2.2, 15.0),
        visits,
        seed=seed,
        program="tri",
        naming=naming,
        density=density,
    )


def _within(name: str, subarray: tuple[int, int] | None) -> tuple[int, int] | None:
    """Return `subarray`, or the part of it that a chip of camera `name` has."""
    if subarray is None:
        return None
    rows, columns = camera(name).chips[0].shape
    return min(subarray[0], rows), min(subarray[1], columns)
