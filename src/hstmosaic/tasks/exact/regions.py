"""Outlines of the data in a mosaic for S_REGION, as `drizzlepac.haputils.cell_utils.SkyFootprint` finds them.

The original handles the whole array eleven times. Here only tiles near the edges of the data are looked at.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from hstmosaic.tasks.exact.polygons import simplify
from hstmosaic.tasks.exact.smoothing import gaussian
from hstmosaic.tasks.exact.tiles import EMPTY, FULL, TILE, TiledMask, connect, fill_holes
from hstmosaic.tasks.exact.tracing import trace

if TYPE_CHECKING:
    from collections.abc import Iterator

CLOSING, OPENING, SIGMA, SIGMAS = 11, 3, 2, 4
"""Iterations of the original's filters, the width of its Gaussian, and where scipy cuts that off."""
REACH = 2 * CLOSING + 2 * OPENING + SIGMA * SIGMAS
"""Pixels within which others can change one."""
SIMPLIFIED = 10.0
"""Pixels by which an outline may be off."""


def find_outlines(mask: TiledMask) -> list[np.ndarray]:
    """Return the simplified outlines of the data.

    Parameters
    ----------
    mask : TiledMask
        Pixels with data; holes in it are filled.

    Returns
    -------
    list of numpy.ndarray
        Closed polygons of (x, y), zero-based, in the order in which `scipy.ndimage.label` numbers them.

    Raises
    ------
    ValueError
        For a region too small for a polygon, as in the original.
    """
    fill_holes(mask)
    return [simplify(trace(edge), SIMPLIFIED) for edge in find_edges(smooth(mask))]


def smooth(mask: TiledMask) -> TiledMask:
    """Return a mask whose rough edges, islands and gaps are smoothed away as in the original."""
    smoothed = TiledMask(mask.shape)
    for row in range(mask.states.shape[0]):
        for first, last in _runs(_undecided(mask, row)):
            rows, columns = mask.extent(row, first)[0], slice(first * TILE, mask.extent(row, last)[1].stop)
            outer = [
                slice(max(0, inner.start - REACH), min(length, inner.stop + REACH))
                for inner, length in zip((rows, columns), mask.shape, strict=True)
            ]
            found = _smooth(mask.window(outer[0], outer[1]))
            smoothed.put(
                rows.start,
                columns.start,
                found[
                    rows.start - outer[0].start : rows.stop - outer[0].start,
                    columns.start - outer[1].start : columns.stop - outer[1].start,
                ],
            )
        decided = ~_undecided(mask, row)
        smoothed.states[row, decided] = mask.states[row, decided]
    return smoothed


def _smooth(data: np.ndarray) -> np.ndarray:
    closed = data | erode(dilate(data, CLOSING), CLOSING)
    opened = dilate(erode(closed, OPENING), OPENING)
    smoothed: np.ndarray = gaussian(opened.astype(np.float32), SIGMA) > 0.5
    return smoothed


def dilate(mask: np.ndarray, times: int = 1) -> np.ndarray:
    """Return ``scipy.ndimage.binary_dilation`` of a mask with two dimensions."""
    for _ in range(times):
        grown = mask.copy()
        grown[1:] |= mask[:-1]
        grown[:-1] |= mask[1:]
        grown[:, 1:] |= mask[:, :-1]
        grown[:, :-1] |= mask[:, 1:]
        mask = grown
    return mask


def erode(mask: np.ndarray, times: int = 1) -> np.ndarray:
    """Return ``scipy.ndimage.binary_erosion`` of a mask with two dimensions; beyond its edges nothing is set."""
    for _ in range(times):
        shrunk = mask.copy()
        shrunk[[0, -1]] = shrunk[:, [0, -1]] = False
        shrunk[1:] &= mask[:-1]
        shrunk[:-1] &= mask[1:]
        shrunk[:, 1:] &= mask[:, :-1]
        shrunk[:, :-1] &= mask[:, 1:]
        mask = shrunk
    return mask


def _undecided(mask: TiledMask, row: int) -> np.ndarray:
    """Return which tiles of a row have both data and none within reach; beyond the mask is none."""
    around = np.full((3, mask.states.shape[1] + 2), EMPTY, np.uint8)
    top, bottom = max(0, row - 1), min(mask.states.shape[0], row + 2)
    around[top - row + 1 : bottom - row + 1, 1:-1] = mask.states[top:bottom]
    some = ndimage.maximum_filter(around, size=3)[1, 1:-1] != EMPTY
    full = ndimage.minimum_filter(around == FULL, size=3)[1, 1:-1]
    height, width = mask.shape
    lefts = np.arange(mask.states.shape[1]) * TILE
    rims = np.minimum(lefts, width - np.minimum(lefts + TILE, width))
    rim = min(row * TILE, height - min((row + 1) * TILE, height))
    inside = full & (np.minimum(rims, rim) >= REACH)
    undecided: np.ndarray = some & ~inside
    return undecided


def _runs(marked: np.ndarray) -> Iterator[tuple[int, int]]:
    """Yield the first and the last of neighbours that are marked."""
    steps = np.flatnonzero(np.diff(np.concatenate([[False], marked, [False]]).astype(np.int8)))
    for start, stop in steps.reshape(-1, 2):
        yield int(start), int(stop) - 1


def find_edges(mask: TiledMask) -> list[np.ndarray]:
    """Return the pixels of each connected region that have a neighbour, above, below or at its side, outside of it.

    Parameters
    ----------
    mask : TiledMask
        The mask.

    Returns
    -------
    list of numpy.ndarray
        Rows and columns, shape (n, 2), of one region after the other, in the order of their first pixels.
    """
    parts, groups = connect(mask, value=True)
    found: list[np.ndarray] = []
    owners: list[np.ndarray] = []
    for (row, column), part in parts.items():
        if part.labels is None and _inside(mask, row, column):
            continue
        rows, columns = mask.extent(row, column)
        ring = np.zeros((rows.stop - rows.start + 2, columns.stop - columns.start + 2), bool)
        top, left = max(0, rows.start - 1), max(0, columns.start - 1)
        window = mask.window(
            slice(top, min(mask.shape[0], rows.stop + 1)), slice(left, min(mask.shape[1], columns.stop + 1))
        )
        y, x = top - rows.start + 1, left - columns.start + 1
        ring[y : y + window.shape[0], x : x + window.shape[1]] = window
        edges = np.argwhere((ring & ~erode(ring))[1:-1, 1:-1])
        labels = 1 if part.labels is None else part.labels[edges[:, 0], edges[:, 1]].astype(int)
        owners.append(np.broadcast_to(groups[part.first + labels - 1], len(edges)))
        found.append(edges + np.array([rows.start, columns.start]))
    if not found:
        return []
    pixels, owner = np.concatenate(found), np.concatenate(owners)
    order = np.lexsort((pixels[:, 1], pixels[:, 0]))
    pixels, owner = pixels[order], owner[order]
    _, firsts = np.unique(owner, return_index=True)
    return [pixels[owner == owner[first]] for first in np.sort(firsts)]


def _inside(mask: TiledMask, row: int, column: int) -> bool:
    last_row, last_column = mask.states.shape[0] - 1, mask.states.shape[1] - 1
    if row in (0, last_row) or column in (0, last_column):
        return False
    neighbours = mask.states[[row - 1, row + 1, row, row], [column, column, column - 1, column + 1]]
    return bool(np.all(neighbours == FULL))
