"""Division of a mosaic into boxes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hstmosaic.tasks.boxes.geometry import ChipBounds
from hstmosaic.tasks.boxes.records import Box

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

EDGE = 256
"""Boxes begin and end at multiples of it: at whole tiles, and shifts of none or 16 and more are exact in the kernel."""
LARGEST = 1 << 31
"""Pixels that the kernel's indices can count."""


def divide(shape: tuple[int, int], chips: Sequence[ChipBounds], pixels: int, boxes: int = 1) -> tuple[Box, ...]:
    """Divide a mosaic into boxes, from the first row to the last; those that no chip touches are left out.

    Parameters
    ----------
    shape : tuple of int
        Rows and columns of the mosaic.
    chips : sequence of ChipBounds
        All chips.
    pixels : int
        Largest number of pixels of a box; boxes of `EDGE` rows and columns are made in any case.
    boxes : int
        How many boxes there should be at least, if there are enough rows.
    """
    height, width = shape
    most = max(EDGE, -(-height // max(1, boxes) // EDGE) * EDGE)
    found: list[Box] = []
    top = 0
    while top < height:
        rows = most
        while True:
            bottom = min(height, top + rows)
            columns = _touched(chips, top, bottom, width)
            if columns is None or rows == EDGE:
                break
            if rows * (columns[1] - columns[0]) <= pixels and rows * columns[1] < LARGEST:
                break
            rows = max(EDGE, rows // 2 // EDGE * EDGE)
        if columns is not None:
            found += _across(top, bottom, columns, chips, pixels, width)
        top = bottom
    return tuple(found)


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
