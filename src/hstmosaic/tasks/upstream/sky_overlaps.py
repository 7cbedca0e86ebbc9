"""Repairs of the time that sky matching takes to find which exposures overlap where; the overlaps are the same."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np
from spherical_geometry import great_circle_arc
from stsci.skypac import skymatch

if TYPE_CHECKING:
    from collections.abc import MutableMapping

_MARGIN = 1e-8
"""Radians by which caps have to be apart; far more than the error of their angles."""
_DETOUR = 1e-6
"""Radians; the original takes points for points of an arc up to 3e-11."""
_TABLE = 2
_NO_OVERLAP = (None, None, None, None, 0.0)
"""Result of `skymatch._calc_sky` for exposures without overlap."""


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


def skip_distant_points() -> None:
    """Let intersections of outlines compare arcs only with points that are close to them.

    The original computes with four times the digits of double precision, which takes a tenth of a millisecond for
    each point.
    """
    original = great_circle_arc.intersects_point

    @functools.wraps(original)
    def compare(start: np.ndarray, end: np.ndarray, points: np.ndarray) -> Any:
        if np.ndim(start) != 1 or np.ndim(end) != 1 or np.ndim(points) != _TABLE:
            return original(start, end, points)
        close = np.flatnonzero(~_are_distant(start, end, points))
        found = np.zeros(len(points), bool)
        if len(close):
            found[close] = original(start, end, points[close])
        return found

    great_circle_arc.intersects_point = compare


def _are_distant(start: np.ndarray, end: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Return for which unit vectors the way from start to end is longer by them, beyond doubt."""
    detour = _angle(start, points) + _angle(points, end) - _angle(start, end)
    lengths = np.linalg.norm(np.vstack([start, end, points]), axis=1)
    return np.asarray(detour > _DETOUR) & bool(np.all(np.abs(lengths - 1) < _MARGIN))
