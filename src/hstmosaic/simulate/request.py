"""A field from the words of a command line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hstmosaic.errors import HstMosaicError
from hstmosaic.simulate.attitude import Pointing, PointingError
from hstmosaic.simulate.fields import Field, Visit, build_field
from hstmosaic.simulate.ready_made import DEMO_SUBARRAY, corner_field, demo_field, sky_cell_corner, three_camera_field

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hstmosaic.simulate.exposure_plan import Naming

_PARTS = (2, 3)


def requested_field(
    *,
    field: str = "demo",
    cameras: Sequence[str] = (),
    at: tuple[float, float, float] | None = None,
    dither: float = 2.5,
    subarray: tuple[int, int] | None = None,
    pointing_error: float = 0.0,
    roll_error: float = 0.0,
    single_visit_names: bool = False,
    seed: int = 3,
) -> Field:
    """Plan a ready-made field, or one of the cameras that are named.

    Parameters
    ----------
    field : {'demo', 'corner', 'three-camera'}
        Ready-made field; not looked at where cameras are named.
    cameras : sequence of str
        ``camera:filter`` or ``camera:filter:exposures``, a visit each.
    at : tuple of float, optional
        Right ascension, declination and position angle of the image y axis, degrees.
    dither : float
        Distance of exposures in a visit, arcsec.
    subarray : tuple of int, optional
        Rows and columns.
    pointing_error : float
        Size of the error of each visit's WCS in a random direction, arcsec.
    roll_error : float
        Error of each visit's position angle, in a random sense, degrees.
    single_visit_names : bool
        Name files as single-visit products.
    seed : int
        The same seed gives the same files.

    Returns
    -------
    Field

    Raises
    ------
    HstMosaicError
        If a camera cannot be understood.
    """
    naming: Naming = "single-visit" if single_visit_names else "pipeline"
    if not cameras:
        match field:
            case "demo":
                return demo_field(seed=seed, naming=naming, subarray=subarray or DEMO_SUBARRAY)
            case "corner":
                return corner_field(seed=seed, naming=naming, subarray=subarray)
            case _:
                return three_camera_field(seed=seed, naming=naming, subarray=subarray)
    rng = np.random.default_rng([seed, 1])
    visits = []
    for text in cameras:
        angle, sense = rng.uniform(0, 2 * np.pi), rng.choice([-1.0, 1.0])
        error = PointingError(
            float(pointing_error * np.cos(angle)), float(pointing_error * np.sin(angle)), float(roll_error * sense)
        )
        name, filter_name, exposures = _parse(text)
        visits.append(Visit(name, filter_name, exposures=exposures, subarray=subarray, error=error))
    pointing = Pointing(*at) if at else Pointing(*sky_cell_corner(), 30.0)
    return build_field("simulated", pointing, visits, seed=seed, dither=dither, naming=naming)


def _parse(text: str) -> tuple[str, str, int]:
    parts = text.split(":")
    if len(parts) not in _PARTS or (len(parts) > _PARTS[0] and not parts[2].isdigit()):
        raise HstMosaicError(f"--camera {text!r} cannot be understood", "write it as wfc3_uvis:F606W:2")
    return parts[0].lower(), parts[1].upper(), int(parts[2]) if len(parts) > _PARTS[0] else 2
