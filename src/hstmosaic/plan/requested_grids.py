"""Pixels of mosaics on a requested grid."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from hstmosaic.errors import OptionError
from hstmosaic.plan.checks import Exclusion
from hstmosaic.plan.footprints import exposure_outlines, to_pixels
from hstmosaic.plan.limits import COARSE_RATIO, Grid
from hstmosaic.plan.target_grid import MOST_PIXELS, header_value

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hstmosaic.plan.cells import ProjectionCell
    from hstmosaic.plan.exposures import Exposure
    from hstmosaic.plan.request import MosaicRequest
    from hstmosaic.plan.target_grid import Bounds

_EDGE_SAMPLES = 33
_ROUNDING = 1e-6


def requested_grids(
    exposures: Sequence[Exposure], cell: ProjectionCell, request: MosaicRequest
) -> tuple[Grid, Grid | None]:
    """Return the fine and the coarse grid of a request; the grid of an image has no coarse one.

    Parameters
    ----------
    exposures : sequence of Exposure
        With their chips. The mosaic covers them if the request has no bounds.
    cell : ProjectionCell
        The projection cell of the mosaic.
    request : MosaicRequest
        With a grid, a scale, bounds or a margin around the exposures.

    Returns
    -------
    fine, coarse : Grid
        On the plane of the projection cell, a coarse pixel covers 3 x 3 fine ones.

    Raises
    ------
    OptionError
        If the mosaic has more pixels than drizzlepac can make.

    Notes
    -----
    A corner of the pixel with the tangent point in drizzlepac's fine grid is a corner of pixels at every scale. So
    grids nest if the ratio of their scales is a whole number, and those of 0.04" are drizzlepac's. The numbers of other
    scales are those that a FITS header holds, so that AstroDrizzle makes the same pixels with a mosaic as reference.
    """
    if request.grid is not None:
        target = request.grid
        return Grid(target.scale, target.shape, target.crpix, target.crval, target.cd, target.projection), None
    scale = request.scale or cell.scale
    origin = 0.5 + cell.scale / 2 / scale
    matrix = None if scale == cell.scale else _matrix(scale)
    plane = Grid(scale, (1, 1), (origin, origin), cell.center, matrix)
    low, high = _extent(exposures, request.bounds, plane, cell)
    low, high = low - (request.margin or 0), high + (request.margin or 0)
    # drizzlepac's own coarse pixels have the tangent point in their middle
    phase = -1 if scale == cell.scale else 0
    first = np.floor((low - phase) / COARSE_RATIO).astype(int) * COARSE_RATIO + phase
    last = np.ceil((high + 1 - phase) / COARSE_RATIO).astype(int) * COARSE_RATIO + phase
    width, height = (int(n) for n in last - first)
    if width * height >= MOST_PIXELS:
        raise OptionError(f"the mosaic would have {width} x {height} pixels", "use larger pixels or smaller --bounds")
    x, y = (header_value(origin - n) for n in first)
    fine = Grid(scale, (height, width), (x, y), cell.center, matrix)
    coarse = Grid(
        scale * COARSE_RATIO,
        (height // COARSE_RATIO, width // COARSE_RATIO),
        (header_value((x - 0.5) / COARSE_RATIO + 0.5), header_value((y - 0.5) / COARSE_RATIO + 0.5)),
        cell.center,
        None if matrix is None else _matrix(scale * COARSE_RATIO),
    )
    return fine, coarse


def _matrix(scale: float) -> tuple[float, float, float, float]:
    """Return the CD matrix of a scale; that of drizzlepac's own scale has more digits than a card."""
    degrees = header_value(scale / 3600)
    return -degrees, 0.0, 0.0, degrees


def exclude_off_grid(
    exposures: Sequence[Exposure], cell: ProjectionCell, request: MosaicRequest
) -> tuple[list[Exposure], list[Exclusion]]:
    """Separate the exposures that overlap the grid or the bounds of a request from the others."""
    if request.grid is None and request.bounds is None:
        return list(exposures), []
    grid, _ = requested_grids([], cell, request)
    what = "grid" if request.grid is not None else "bounds"
    on, off = [], []
    for exposure in exposures:
        if _overlaps(exposure, grid):
            on.append(exposure)
        else:
            off.append(Exclusion(exposure.name, f"outside the requested {what}", "take it out of the list"))
    return on, off


def _overlaps(exposure: Exposure, grid: Grid) -> bool:
    """Return whether a chip overlaps a grid; the bounding box of its outline decides, as in drizzlepac."""
    height, width = grid.shape
    for outline in exposure_outlines(exposure):
        pixels = to_pixels(grid.wcs, outline)
        if not np.isfinite(pixels).all():
            continue
        (left, bottom), (right, top) = pixels.min(axis=0), pixels.max(axis=0)
        if right >= 1 and top >= 1 and left <= width - 2 and bottom <= height - 2:
            return True
    return False


def _extent(
    exposures: Sequence[Exposure], bounds: Bounds | None, plane: Grid, cell: ProjectionCell
) -> tuple[np.ndarray, np.ndarray]:
    """Return the first and the last pixel (x, y) of a plane that the mosaic covers."""
    if bounds is None:
        pixels = np.concatenate([to_pixels(plane.wcs, o) for e in exposures for o in exposure_outlines(e)])
        return np.floor(pixels.min(axis=0) + 0.5) - 1, np.floor(pixels.max(axis=0) + 0.5) + 1
    if bounds.sky:
        along = np.linspace(0, 1, _EDGE_SAMPLES)
        (x1, y1), (x2, y2) = bounds.low, bounds.high
        x, y = x1 + (x2 - x1) * along, y1 + (y2 - y1) * along
        ends = np.full(_EDGE_SAMPLES, 1.0)
        ra, dec = np.concatenate([x, x, ends * x1, ends * x2]), np.concatenate([ends * y1, ends * y2, y, y])
        pixels = to_pixels(plane.wcs, np.column_stack([ra % 360, dec]))
        if not np.isfinite(pixels).all():
            raise OptionError(f"--bounds {bounds} is not in the hemisphere of {cell.name}", "check the position")
        return np.floor(pixels.min(axis=0) + 0.5), np.floor(pixels.max(axis=0) + 0.5)
    # edges of pixels of 0.04" in pixels of the plane, both counted from a corner of the pixel with the tangent point
    ratio = cell.scale / plane.scale
    corner = np.asarray(cell.wcs.wcs.crpix) - 1
    low = (np.array(bounds.low) - corner) * ratio
    high = (np.array(bounds.high) + 1 - corner) * ratio
    return np.floor(low + _ROUNDING), np.array([math.ceil(edge - _ROUNDING) - 1 for edge in high])
