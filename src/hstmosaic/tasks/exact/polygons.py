"""Polygons with fewer corners, as `simplify_polyline.simplify` makes them with ties broken in order."""

from __future__ import annotations

import heapq

import numpy as np
from simplify_polyline.helpers import get_line_seg_dists

_FEWEST = 3


def simplify(polygon: np.ndarray, tolerance: float) -> np.ndarray:
    """Return some corners of a polygon, such that no other corner is as far as a tolerance from their polygon.

    Parameters
    ----------
    polygon : numpy.ndarray
        Closed: the last corner is the first one again; shape (n + 1, 2).
    tolerance : float
        In pixels.

    Returns
    -------
    numpy.ndarray of float
        Closed, too.

    Raises
    ------
    ValueError
        If the polygon has fewer than three corners.
    """
    corners = np.asarray(polygon, dtype=float)[:-1]
    if len(corners) < _FEWEST:
        raise ValueError("At least 3 points are required to form a polygon")
    kept = largest_triangle(corners)
    count = len(corners)
    chosen = set(kept)
    pending = [(kept[0], kept[1]), (kept[1], kept[2]), (kept[2], kept[0] + count)]
    while pending:
        first, last = pending.pop()
        if last - first < 2:
            continue
        between = np.arange(first + 1, last) % count
        distances = get_line_seg_dists(corners[between], corners[first % count], corners[last % count])
        if distances.max() < tolerance:
            continue
        middle = first + 1 + int(np.argmax(distances))
        chosen.add(middle % count)
        pending += [(first, middle), (middle, last)]
    # the way begins at the first corner that is left of the three
    order = sorted(chosen, key=lambda number: (number - kept[0]) % count)
    return corners[[*order, order[0]]]


def largest_triangle(corners: np.ndarray) -> list[int]:
    """Take the corner of the smallest triangle with its neighbours away until three are left.

    Parameters
    ----------
    corners : numpy.ndarray
        Shape (n, 2), n > 2.

    Returns
    -------
    list of int
        Ascending indices of the three.
    """
    count = len(corners)
    before = np.roll(np.arange(count), 1).tolist()
    after = np.roll(np.arange(count), -1).tolist()
    # as matrices of the same numbers in the same places as in the original, since areas are compared to the last bit
    homogeneous = np.ones((count, 3))
    homogeneous[:, :2] = corners
    areas = np.abs(np.linalg.det(homogeneous[np.stack([before, np.arange(count), after], axis=1)])).tolist()
    heap = [(area, number) for number, area in enumerate(areas)]
    heapq.heapify(heap)
    left = count
    alive = [True] * count
    while left > _FEWEST:
        area, number = heapq.heappop(heap)
        if not alive[number] or areas[number] != area:
            continue
        alive[number] = False
        left -= 1
        one, other = before[number], after[number]
        after[one], before[other] = other, one
        triangles = homogeneous[[[before[one], one, other], [one, other, after[other]]]]
        areas[one], areas[other] = np.abs(np.linalg.det(triangles)).tolist()
        heapq.heappush(heap, (areas[one], one))
        heapq.heappush(heap, (areas[other], other))
    return [number for number in range(count) if alive[number]]
