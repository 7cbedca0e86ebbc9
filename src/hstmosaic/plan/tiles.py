"""Tiles: rectangles of a mosaic that are files of their own, on the mosaic's grid."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hstmosaic.errors import OptionError
from hstmosaic.plan.footprints import exposure_outlines, to_pixels

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from hstmosaic.plan.cells import ProjectionCell
    from hstmosaic.plan.exposures import Exposure
    from hstmosaic.plan.limits import Grid

SKY_CELLS = "skycells"
_SIZE = re.compile(r"(\d{1,6})x(\d{1,6})")
_SMALLEST = 64
_MOST_TILES = 10_000
_MARGIN = 3.0
"""Pixels that drizzling may reach beyond the outline of a chip."""
_ROUNDING = 1e-3


@dataclass(frozen=True)
class Tiling:
    """A division of mosaics into tiles."""

    size: tuple[int, int] | None = None
    """Width and height of a tile, pixels; None for sky cells."""

    def __str__(self) -> str:
        return SKY_CELLS if self.size is None else f"{self.size[0]}x{self.size[1]}"


def parse_tiling(text: str) -> Tiling:
    """Read ``skycells`` or ``WIDTHxHEIGHT``.

    Raises
    ------
    OptionError
        If it is neither, or tiles are smaller than 64 pixels.
    """
    if text == SKY_CELLS:
        return Tiling()
    match = _SIZE.fullmatch(text)
    if match is None:
        raise OptionError(f"invalid --tiles {text!r}", f"write {SKY_CELLS}, or WIDTHxHEIGHT in pixels, e.g. 4000x4000")
    size = int(match[1]), int(match[2])
    if min(size) < _SMALLEST:
        raise OptionError(f"--tiles {text} are too small", f"use {_SMALLEST} pixels or more")
    return Tiling(size)


@dataclass(frozen=True)
class Tile:
    """A rectangle of a mosaic."""

    name: str
    """Name in file names: ``tile-x02y01`` (column and row, from 1), or that of a sky cell."""
    left: int
    """First column in the mosaic, 0-based."""
    bottom: int
    """First row in the mosaic, 0-based."""
    width: int
    height: int


def tiles_of(exposures: Sequence[Exposure], grid: Grid, tiling: Tiling, cell: ProjectionCell) -> tuple[Tile, ...]:
    """Return the tiles of a mosaic that exposures overlap.

    Parameters
    ----------
    exposures : sequence of Exposure
        The exposures of the mosaic, with their chips.
    grid : Grid
        The pixels of the mosaic.
    tiling : Tiling
        The division.
    cell : ProjectionCell
        The projection cell of the mosaic, with whose axes the grid is aligned where tiles are sky cells.

    Raises
    ------
    OptionError
        If a mosaic would have more than 10,000 tiles.
    """
    tiles = _sky_cell_tiles(grid, cell) if tiling.size is None else _regular_tiles(grid, tiling.size)
    outlines = [to_pixels(grid.wcs, outline) for exposure in exposures for outline in exposure_outlines(exposure)]
    return tuple(tile for tile in tiles if any(_overlaps(tile, outline) for outline in outlines))


def _regular_tiles(grid: Grid, size: tuple[int, int]) -> Iterator[Tile]:
    (height, width), (across, up) = grid.shape, size
    columns, rows = math.ceil(width / across), math.ceil(height / up)
    if columns * rows > _MOST_TILES:
        raise OptionError(f"--tiles {across}x{up} makes {columns * rows} tiles of a mosaic", "use larger tiles")
    digits = max(2, len(str(max(columns, rows))))
    for row in range(rows):
        for column in range(columns):
            left, bottom = column * across, row * up
            yield Tile(
                f"tile-x{column + 1:0{digits}d}y{row + 1:0{digits}d}",
                left,
                bottom,
                min(across, width - left),
                min(up, height - bottom),
            )


def _sky_cell_tiles(grid: Grid, cell: ProjectionCell) -> Iterator[Tile]:
    """Yield the parts of a mosaic in sky cells: pixels whose centres lie in a cell, its margin included."""
    height, width = grid.shape
    scale = grid.scale / cell.scale
    # position of the first pixel of the mosaic in fine pixels of the projection cell, 0-based
    x0, y0 = ((1 - grid.crpix[i]) * scale + cell.wcs.wcs.crpix[i] - 1 for i in (0, 1))
    indices = range(1, cell.sc_nxy + 1)
    for sky_cell in (cell.sky_cell(column, row) for row in indices for column in indices):
        left, right = _pixels_within(sky_cell.origin[0], sky_cell.naxis[0], x0, scale, width)
        bottom, top = _pixels_within(sky_cell.origin[1], sky_cell.naxis[1], y0, scale, height)
        if right > left and top > bottom:
            yield Tile(sky_cell.sky_cell_id, left, bottom, right - left, top - bottom)


def _pixels_within(origin: int, size: int, start: float, scale: float, count: int) -> tuple[int, int]:
    """Return the first pixel with its centre between the edges of a cell, and the first one beyond it."""
    first, end = ((edge - 0.5 - start) / scale - _ROUNDING for edge in (origin, origin + size))
    return max(math.ceil(first), 0), min(math.ceil(end), count)


def _overlaps(tile: Tile, outline: np.ndarray) -> bool:
    """Return whether a tile overlaps the convex outline of a chip, or lies close to it."""
    low = np.array([tile.left, tile.bottom]) - _MARGIN
    high = low + [tile.width, tile.height] + 2 * _MARGIN
    if not np.isfinite(outline).all() or (outline.max(axis=0) < low).any() or (outline.min(axis=0) > high).any():
        return False
    corners = np.array([low, [high[0], low[1]], high, [low[0], high[1]]])
    edges = np.roll(outline, -1, axis=0) - outline
    normals = np.column_stack([-edges[:, 1], edges[:, 0]])
    of_tile, of_chip = normals @ corners.T, normals @ outline.T
    apart = (of_tile.max(axis=1) < of_chip.min(axis=1)) | (of_tile.min(axis=1) > of_chip.max(axis=1))
    return not apart.any()
