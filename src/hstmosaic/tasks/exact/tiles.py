"""Masks of mosaics in tiles, most of which are empty or full."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

if TYPE_CHECKING:
    from collections.abc import Iterator

TILE = 128
"""Rows and columns of a tile."""
EMPTY, FULL, MIXED = 0, 1, 2


@dataclass
class TiledMask:
    """A mask of any size, whose memory is that of the tiles at its edges, one bit per pixel.

    Parameters
    ----------
    shape : tuple of int
        Rows and columns.
    """

    shape: tuple[int, int]
    states: np.ndarray = field(init=False)
    """EMPTY, FULL or MIXED, for each tile."""
    packed: dict[tuple[int, int], np.ndarray] = field(init=False, default_factory=dict)
    """Bits of the mixed tiles."""

    def __post_init__(self) -> None:
        self.states = np.zeros(tuple(-(-length // TILE) for length in self.shape), np.uint8)

    def extent(self, row: int, column: int) -> tuple[slice, slice]:
        """Return the rows and columns of a tile."""
        return tuple(  # type: ignore[return-value]
            slice(index * TILE, min((index + 1) * TILE, length))
            for index, length in zip((row, column), self.shape, strict=True)
        )

    def put(self, top: int, left: int, mask: np.ndarray) -> None:
        """Set whole tiles.

        Parameters
        ----------
        top, left : int
            First row and column, multiples of `TILE`.
        mask : numpy.ndarray of bool
            Its last rows and columns are also the last ones of their tiles.
        """
        if not mask.size:
            return
        rows, columns = (np.arange(0, length, TILE) for length in mask.shape)
        by_rows = np.logical_or.reduceat(mask, rows, axis=0), np.logical_and.reduceat(mask, rows, axis=0)
        some, every = (
            np.logical_or.reduceat(by_rows[0], columns, axis=1),
            np.logical_and.reduceat(by_rows[1], columns, axis=1),
        )
        states = np.where(every, FULL, np.where(some, MIXED, EMPTY))
        first_row, first_column = top // TILE, left // TILE
        place = slice(first_row, first_row + len(rows)), slice(first_column, first_column + len(columns))
        for row, column in np.argwhere(self.states[place] == MIXED):
            del self.packed[first_row + int(row), first_column + int(column)]
        self.states[place] = states
        for row, column in np.argwhere(states == MIXED):
            tile = mask[row * TILE : (row + 1) * TILE, column * TILE : (column + 1) * TILE]
            self.packed[first_row + int(row), first_column + int(column)] = np.packbits(tile)

    def tile(self, row: int, column: int) -> np.ndarray:
        """Return the pixels of a tile."""
        rows, columns = self.extent(row, column)
        shape = rows.stop - rows.start, columns.stop - columns.start
        if self.states[row, column] != MIXED:
            return np.full(shape, self.states[row, column] == FULL)
        bits = np.unpackbits(self.packed[row, column], count=shape[0] * shape[1])
        return bits.view(bool).reshape(shape)

    def window(self, rows: slice, columns: slice) -> np.ndarray:
        """Return the pixels of a rectangle inside the mask."""
        found = np.zeros((rows.stop - rows.start, columns.stop - columns.start), bool)
        for row in range(rows.start // TILE, -(-rows.stop // TILE)):
            for column in range(columns.start // TILE, -(-columns.stop // TILE)):
                if self.states[row, column] == EMPTY:
                    continue
                its_rows, its_columns = self.extent(row, column)
                top, bottom = max(rows.start, its_rows.start), min(rows.stop, its_rows.stop)
                left, right = max(columns.start, its_columns.start), min(columns.stop, its_columns.stop)
                found[top - rows.start : bottom - rows.start, left - columns.start : right - columns.start] = (
                    self.states[row, column] == FULL
                    or self.tile(row, column)[
                        top - its_rows.start : bottom - its_rows.start,
                        left - its_columns.start : right - its_columns.start,
                    ]
                )
        return found


class _Joints:
    """Connected parts of tiles, as nodes of a graph whose edges cross the sides of tiles."""

    def __init__(self) -> None:
        self.count = 0
        self._pairs: list[np.ndarray] = []

    def add(self, nodes: int) -> int:
        first, self.count = self.count, self.count + nodes
        return first

    def join(self, one: np.ndarray, other: np.ndarray) -> None:
        """Connect nodes side by side; -1 means none."""
        pairs = np.stack([one, other])
        pairs = pairs[:, (one >= 0) & (other >= 0)]
        if pairs.shape[1]:
            # nodes along a side mostly repeat
            self._pairs.append(pairs[:, np.append(True, (pairs[:, 1:] != pairs[:, :-1]).any(axis=0))])

    def groups(self) -> np.ndarray:
        """Return the number of its group for each node."""
        pairs = np.concatenate(self._pairs, axis=1) if self._pairs else np.zeros((2, 0), int)
        graph = coo_array((np.ones(pairs.shape[1], bool), (pairs[0], pairs[1])), shape=(self.count, self.count))
        return np.asarray(connected_components(graph, directed=False)[1])


@dataclass(frozen=True)
class Parts:
    """Pixels of a tile that are connected within it, side by side, not corner to corner."""

    labels: np.ndarray | None
    """Number of the part in the tile, from 1; None where the whole tile is one."""
    first: int
    """Node of the first part."""


def connect(mask: TiledMask, value: bool) -> tuple[dict[tuple[int, int], Parts], np.ndarray]:
    """Find the connected regions of pixels that are set, or of those that are not.

    Parameters
    ----------
    mask : TiledMask
        The mask.
    value : bool
        Which of its pixels count.

    Returns
    -------
    dict
        Parts of mixed tiles and of tiles that count as a whole.
    numpy.ndarray
        Number of the region, for each node; unordered.
    """
    parts, joints = {}, _Joints()
    whole = FULL if value else EMPTY
    lines = np.full((mask.states.shape[1], TILE), -1)
    for row in range(mask.states.shape[0]):
        before: np.ndarray | None = None
        for column in range(mask.states.shape[1]):
            state = mask.states[row, column]
            rows, columns = mask.extent(row, column)
            height, width = rows.stop - rows.start, columns.stop - columns.start
            if state == whole:
                first = joints.add(1)
                parts[row, column] = Parts(None, first)
                top, bottom, left, right = (np.full(size, first) for size in (width, width, height, height))
            elif state == MIXED:
                labels, count = ndimage.label(mask.tile(row, column) == value)
                first = joints.add(count)
                parts[row, column] = Parts(labels.astype(np.int16), first)
                top, bottom, left, right = (
                    np.where(side > 0, side.astype(int) + first - 1, -1)
                    for side in (labels[0], labels[-1], labels[:, 0], labels[:, -1])
                )
            else:
                lines[column], before = -1, None
                continue
            joints.join(lines[column, :width], top)
            lines[column, :width] = bottom
            if before is not None:
                joints.join(before, left)
            before = right
    return parts, joints.groups()


def fill_holes(mask: TiledMask) -> None:
    """Set the pixels that `scipy.ndimage.binary_fill_holes` sets, those without a way to the rim of the mask."""
    for row, column in map(tuple, np.argwhere(mask.states == MIXED)):
        _fill_inner_holes(mask, int(row), int(column))
    parts, groups = connect(mask, value=False)
    outside = np.zeros(len(groups) + 1, bool)
    for (row, column), found in parts.items():
        for side in _rim(mask, row, column):
            nodes = np.array([found.first + 1]) if found.labels is None else _nodes(found, side)
            outside[groups[nodes[nodes > 0] - 1]] = True
    for (row, column), found in parts.items():
        top, left = row * TILE, column * TILE
        if found.labels is None:
            if not outside[groups[found.first]]:
                mask.states[row, column] = FULL
            continue
        count = int(found.labels.max(initial=0))
        keep = np.zeros(count + 1, bool)
        keep[1:] = outside[groups[found.first : found.first + count]]
        mask.put(top, left, ~keep[found.labels])


def _fill_inner_holes(mask: TiledMask, row: int, column: int) -> None:
    """Set the pixels without a way to the sides of their tile, of which most masks have most."""
    labels, count = ndimage.label(~mask.tile(row, column))
    keep = np.zeros(count + 1, bool)
    for side in (labels[0], labels[-1], labels[:, 0], labels[:, -1]):
        keep[side] = True
    keep[0] = False
    if np.count_nonzero(keep) < count:
        mask.put(row * TILE, column * TILE, ~keep[labels])


def _rim(mask: TiledMask, row: int, column: int) -> Iterator[tuple[slice | int, slice | int]]:
    last_row, last_column = mask.states.shape[0] - 1, mask.states.shape[1] - 1
    if row == 0:
        yield 0, slice(None)
    if row == last_row:
        yield -1, slice(None)
    if column == 0:
        yield slice(None), 0
    if column == last_column:
        yield slice(None), -1


def _nodes(found: Parts, side: tuple[slice | int, slice | int]) -> np.ndarray:
    """Return the nodes plus one along a side, zero without one."""
    assert found.labels is not None
    labels = found.labels[side].astype(int)
    return np.where(labels > 0, labels + found.first, 0)
