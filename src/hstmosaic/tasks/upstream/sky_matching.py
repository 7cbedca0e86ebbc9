"""Repairs of sky matching: skies of exposures without overlap, and speed with equal results."""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np
from astropy.io import fits
from drizzlepac import sky
from stsci.skypac import region, skymatch

if TYPE_CHECKING:
    from collections.abc import MutableMapping, Sequence

_SKY_KEYWORD = "MDRIZSKY"
_MARGIN = 1e-8
"""Radians by which caps have to be apart; far more than the error of their angles."""
_NO_OVERLAP = (None, None, None, None, 0.0)
"""Result of `skymatch._calc_sky` for exposures without overlap."""


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


def skip_distant_pairs() -> None:
    """Let sky matching compare only exposures that are close enough to overlap.

    The original intersects the outlines of all chips of all pairs, which takes milliseconds for each.
    """
    original = skymatch._calc_sky
    caps: MutableMapping[Any, tuple[np.ndarray, float]] = WeakKeyDictionary()

    def cap(exposure: Any) -> tuple[np.ndarray, float]:
        if exposure not in caps:
            caps[exposure] = cap_around(np.concatenate([next(iter(chip.polygon.points)) for chip in exposure.members]))
        return caps[exposure]

    @functools.wraps(original)
    def compare(first: Any, second: Any, statistics: Any) -> Any:
        (one, radius), (other, other_radius) = cap(first), cap(second)
        if _angle(one, other) > radius + other_radius + _MARGIN:
            return _NO_OVERLAP
        return original(first, second, statistics)

    skymatch._calc_sky = compare


def cap_around(corners: np.ndarray) -> tuple[np.ndarray, float]:
    """Return the centre, a unit vector, and the radius in radians of a circle on the sky that contains polygons.

    Parameters
    ----------
    corners : numpy.ndarray
        Unit vectors, shape (n, 3), less than 90 degrees from their mean: so the sides of polygons are inside, too.
    """
    centre = corners.mean(axis=0)
    centre /= np.linalg.norm(centre)
    return centre, float(np.max(_angle(corners, centre)))


def _angle(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    return np.asarray(2 * np.arcsin(np.clip(np.linalg.norm(one - other, axis=-1) / 2, 0, 1)))


def fill_polygons_fast() -> None:
    """Let sky matching paint overlaps with `fill_polygon`, in a tenth of the time."""
    region.Polygon.scan = fill_polygon


def fill_polygon(polygon: Any, mask: np.ndarray) -> np.ndarray:
    """Set the pixels of a mask inside a polygon, as `stsci.skypac.region.Polygon.scan` does.

    Parameters
    ----------
    polygon : stsci.skypac.region.Polygon
        With whole numbers as vertices; its scan lines, edges and shifts are used.
    mask : numpy.ndarray
        Changed in place and returned.
    """
    left, _, width, _ = polygon._bbox
    if width <= 0:
        return mask
    rows, crossings = _crossings(polygon.get_edges(), left, width, polygon._scan_line_range[-1])
    if not len(rows):
        return mask
    height, columns = mask.shape
    order = np.lexsort((crossings, rows))
    rows, crossings = rows[order], crossings[order]
    starts = np.flatnonzero(np.r_[True, rows[1:] != rows[:-1]])
    for start, stop in zip(starts, np.r_[starts[1:], len(rows)], strict=True):
        row = rows[start] + polygon._shifty
        if not 0 <= row < height:
            continue
        ends = crossings[start:stop] + polygon._shiftx
        for first, last in zip(ends[::2], ends[1::2], strict=False):
            # a negative end counts from the right edge of the mask, as in the original
            mask[row][max(first, 0) : min(last, columns - 1) + 1] = polygon._rid
    return mask


def _crossings(edges: list[Any], left: int, width: int, last: int) -> tuple[np.ndarray, np.ndarray]:
    """Return rows, and in which column edges cross them; an edge has no part in its upper row but in the last one."""
    rows, columns = [], []
    for edge in edges:
        run, rise = edge._stop - edge._start
        if rise == 0:
            continue
        y = np.arange(edge._ymin, edge._ymax + (edge._ymax == last))
        crossing = (width * (edge._start[1] - y)) / (-rise * width) * run + edge._start[0]
        rows.append(y)
        columns.append(np.ceil(crossing).astype(int))
    if not rows:
        return np.empty(0, int), np.empty(0, int)
    return np.concatenate(rows), np.concatenate(columns)
