"""Repair of sky matching: the skies of exposures without overlap."""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING, Any

from astropy.io import fits
from drizzlepac import sky
from stsci.skypac import skymatch

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

_SKY_KEYWORD = "MDRIZSKY"


def clear_old_skies() -> None:
    """Set the sky of exposures that overlap no other to zero.

    skymatch leaves their headers as they are, and AstroDrizzle then subtracts what an earlier pipeline wrote there:
    the whole sky, while it subtracts only differences from all others.
    """
    determine, match, solve = sky._skymatch, sky.skymatch, skymatch._find_optimum_sky_deltas
    solved: list[np.ndarray] = []

    @functools.wraps(determine)
    def determine_and_clear(images: Sequence[Any], *args: Any) -> None:
        solved.clear()
        determine(images, *args)
        if solved:
            _clear_undetermined(images, solved[-1])

    @functools.wraps(match)
    def match_or_forget(*args: Any, **options: Any) -> Any:
        try:
            return match(*args, **options)
        except Exception:
            solved.clear()  # drizzlepac then subtracts each exposure's own sky
            raise

    @functools.wraps(solve)
    def solve_and_keep(*args: Any) -> Any:
        solved.append(solve(*args))
        return solved[-1].copy()

    sky._skymatch, sky.skymatch = determine_and_clear, match_or_forget
    skymatch._find_optimum_sky_deltas = solve_and_keep


def _clear_undetermined(images: Sequence[Any], deltas: np.ndarray) -> None:
    for image, delta in zip(images, deltas, strict=True):
        if math.isfinite(delta):
            continue
        for extver in range(1, image._numchips + 1):
            chip = image[image.scienceExt, extver]
            chip.computedSky = chip.subtractedSky = 0.0
            fits.setval(image._filename, _SKY_KEYWORD, value=0.0, extname=image.scienceExt, extver=extver)
