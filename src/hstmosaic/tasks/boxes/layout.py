"""Division of a mosaic into boxes."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from hstmosaic.tasks.boxes.records import Box

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from hstmosaic.tasks.boxes.geometry import ChipBounds

EDGE = 256
"""Boxes begin and end at multiples of it: at whole tiles, and shifts of none or 16 and more are exact in the kernel."""
LARGEST = 1 << 31
"""Pixels that the kernel's indices can count."""


def share_out(
    shape: tuple[int, int], chips: Sequence[ChipBounds], pixels: int, tasks: int = 1
) -> tuple[tuple[Box, ...], ...]:
    """Divide a mosaic into boxes and share them out to tasks, each with about the same number of pixels of chips.

    Parameters
    ----------
    shape : tuple of int
        Rows and columns of the mosaic.
    chips : sequence of ChipBounds
        All chips.
    pixels : int
        Largest number of pixels of a box; boxes of `EDGE` rows and columns are made in any case.
    tasks : int
        Number of tasks.

    Returns
    -------
    tuple of tuple of Box
        The boxes of each task from the first row to the last, without those that no chip touches.
    """
    cuts = _cuts(shape[0], chips, tasks)
    return tuple(tuple(_divide(top, bottom, shape[1], chips, pixels)) for top, bottom in pairwise(cuts))


def _cuts(height: int, chips: Sequence[ChipBounds], tasks: int) -> list[int]:
    """Return the first rows of the bands of each task, and the height."""
    strips = -(-height // EDGE)
    work = np.zeros(strips + 1)
    for chip in chips:
        work[1:] += chip.count_cells(EDGE, strips)
    done = np.cumsum(work)
    inner = [int(np.abs(done - done[-1] * task / tasks).argmin()) * EDGE for task in range(1, tasks)]
    return [0, *(min(row, height) for row in inner), height]


def _divide(first: int, end: int, width: int, chips: Sequence[ChipBounds], pixels: int) -> Iterator[Box]:
    """Yield the boxes of some rows."""
    top = first
    while top < end:
        rows = max(EDGE, end - top)
        while True:
            bottom = min(end, top + rows)
            columns = _touched(chips, top, bottom, width)
            if columns is None or rows == EDGE:
                break
            if rows * (columns[1] - columns[0]) <= pixels and rows * columns[1] < LARGEST:
                break
            rows = max(EDGE, rows // 2 // EDGE * EDGE)
        if columns is not None:
            yield from _across(top, bottom, columns, chips, pixels, width)
        top = bottom


def _touched(chips: Sequence[ChipBounds], top: int, bottom: int, width: int) -> tuple[int, int] | None:
    """Return the columns that chips touch in some rows, widened to whole tiles."""
    touched = [columns for chip in chips if (columns := chip.columns(top, bottom)) is not None]
    left = max(0, min((columns[0] for columns in touched), default=width))
    right = min(width, max((columns[1] for columns in touched), default=0))
    if left >= right:
        return None
    return left // EDGE * EDGE, min(width, -(-right // EDGE) * EDGE)


def _across(
    top: int, bottom: int, columns: tuple[int, int], chips: Sequence[ChipBounds], pixels: int, width: int
) -> Iterator[Box]:
    """Yield the boxes of some rows; several where a single one would be too large."""
    left, right = columns
    most = max(EDGE, pixels // (bottom - top) // EDGE * EDGE)
    while left < right:
        box = Box(top, bottom, left, min(right, left + most))
        if any(chip.rows(box) is not None for chip in chips):
            yield box
        left = box.right
