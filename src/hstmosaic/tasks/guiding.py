"""Verdict on the guiding of an exposure, by the shapes of its stars."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from astropy.io import fits

from hstmosaic.store.task_results import StarShapes
from hstmosaic.tasks.star_shapes import Sources, common_elongation, find_sources

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

WIDTHS = {"IR": 1.15, "UVIS": 1.9, "WFC": 2.0, "HRC": 2.1, "SBC": 2.0}
"""Full width at half maximum of a star by detector, pixels."""
_USUAL_WIDTH = 2.0
LIMIT = 0.42
"""Second moment that a trail adds along its direction, pixels**2, above which a source is elongated."""
_LEAST, _CHANCE = 4, 1e-4
"""Elongated stars with a common direction that a trail shows, and the probability that they have it by chance."""
_LEAST_SECONDED, _CHANCE_SECONDED = 3, 2e-3
"""The same where drizzlepac's check also finds a trail."""
_HARMLESS = 64 | 512
"""Flags of pixels that can be used: warm pixels, blobs and bad flat fields."""
_SATURATED = 256 | 2048
_BETWEEN_CHIPS = 1e5
"""Distance between chips, pixels, so that no line passes through both."""


def measure_stars(path: Path) -> StarShapes:
    """Measure the shapes of the stars of an exposure.

    Parameters
    ----------
    path : pathlib.Path
        The exposure, its pixels repaired where they need it.
    """
    with fits.open(path, memmap=False) as hdus:
        return measure_chips(hdus)


def measure_chips(hdus: fits.HDUList) -> StarShapes:
    """Measure the shapes of the stars on the chips of an exposure that is open."""
    sources = Sources.none()
    width = WIDTHS.get(hdus[0].header["DETECTOR"].strip().upper(), _USUAL_WIDTH)
    for number, hdu in enumerate(hdu for hdu in hdus if hdu.name == "SCI"):
        flags = hdus["DQ", hdu.ver].data
        bad, saturated = _flagged(flags, ~(_HARMLESS | _SATURATED)), _flagged(flags, _SATURATED)
        sources = sources.joined(find_sources(hdu.data, bad, saturated, width), number * _BETWEEN_CHIPS)
    return common_elongation(sources, LIMIT)


def is_trailed(shapes: StarShapes, *, seconded: bool) -> bool:
    """Return whether the stars of an exposure are trailed.

    Most stars must be elongated in one direction, more of them than would be by chance.

    Parameters
    ----------
    shapes : StarShapes
        Shapes of the stars.
    seconded : bool
        Whether drizzlepac's guiding check found a trail, so that fewer stars are enough.
    """
    least, chance = (_LEAST_SECONDED, _CHANCE_SECONDED) if seconded else (_LEAST, _CHANCE)
    most = 2 * shapes.aligned >= shapes.aligned + shapes.round
    return most and shapes.aligned >= least and shapes.chance < chance


def can_tell(shapes: StarShapes) -> bool:
    """Return whether an exposure has enough stars for a verdict."""
    return shapes.stars >= _LEAST


def _flagged(flags: NDArray[np.int16], bits: int) -> NDArray[np.bool_]:
    found: NDArray[np.bool_] = (flags.astype(np.int32) & bits) != 0
    return found
