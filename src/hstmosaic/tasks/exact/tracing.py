"""The way around a region, as `drizzlepac.haputils.cell_utils.trace_polygon` goes it."""

from __future__ import annotations

import numpy as np

_STRIDE = 1 << 32
"""Distance of rows in the numbers of pixels; larger than any mosaic is wide, so that neighbours do not wrap."""


def trace(edge: np.ndarray) -> np.ndarray:
    """Order the edge pixels of a region counter-clockwise.

    Parameters
    ----------
    edge : numpy.ndarray
        Rows and columns, shape (n, 2), n > 0.

    Returns
    -------
    numpy.ndarray
        Closed polygon of (x, y), shape (m, 2).
    """
    left = set(map(int, edge[:, 0].astype(np.int64) * _STRIDE + edge[:, 1]))
    start = edge[np.lexsort((edge[:, 0], edge[:, 1]))[0]]
    here = int(start[0]) * _STRIDE + int(start[1])
    left.discard(here)
    way, slope = [here], -1
    for _ in range(max(1, len(left))):
        near = [pixel for step in _STEPS[1] if (pixel := here + step) in left]
        if not near:
            near = [pixel for step in _STEPS[2] if (pixel := here + step) in left]
            if not near:
                break
        chosen = near[0]
        if len(near) > 1:
            chosen = _choose(near[1 if slope > 0 else 0], near[1 if slope < 0 else 0], left)
        rise, run = _difference(here, chosen)
        slope = _sign(rise) if run >= 0 else -_sign(rise)
        here = chosen
        left.discard(here)
        way.append(here)
    way.append(way[0])
    pixels = np.array(way)
    return np.stack([pixels % _STRIDE, pixels // _STRIDE], axis=1)


def _steps(reach: int) -> tuple[int, ...]:
    """Return the steps to the pixels of a square, row by row."""
    return tuple(dy * _STRIDE + dx for dy in range(-reach, reach + 1) for dx in range(-reach, reach + 1))


_STEPS = {1: _steps(1), 2: _steps(2)}


def _choose(straight: int, other: int, left: set[int]) -> int:
    """Take the pixel with more neighbours that are left; in doubt the one straight on."""
    neighbours = [sum(pixel + step in left for step in _STEPS[1]) for pixel in (straight, other)]
    return other if neighbours[1] > neighbours[0] else straight


def _difference(here: int, there: int) -> tuple[int, int]:
    rise = there // _STRIDE - here // _STRIDE
    return rise, there - here - rise * _STRIDE


def _sign(number: int) -> int:
    return (number > 0) - (number < 0)
