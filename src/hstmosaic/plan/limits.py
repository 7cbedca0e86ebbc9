"""Limits of the mosaic in pixels of its projection cell, and the grids of its products."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hstmosaic.plan.footprints import chip_outline, exposure_outlines, to_pixels
from hstmosaic.store.task_specs import TANGENT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from astropy.wcs import WCS

    from hstmosaic.plan.cells import ProjectionCell, SkyCell
    from hstmosaic.plan.exposures import Exposure

COARSE_RATIO = 3
"""Fine pixels per coarse pixel; limits that differ by a multiple of it share one coarse grid."""
PAD = 12
"""Pixels left free around the data, a multiple of `COARSE_RATIO`."""
_NEAR_EXTREME = 3.0


@dataclass(frozen=True)
class Limits:
    """A rectangle of fine-grid pixels, 0-based, all four inclusive."""

    xmin: int
    xmax: int
    ymin: int
    ymax: int

    def as_list(self) -> list[int]:
        """Return [xmin, xmax, ymin, ymax] in the order of drizzlepac's ``custom_limits``."""
        return [self.xmin, self.xmax, self.ymin, self.ymax]

    def shape(self, ratio: int = 1) -> tuple[int, int]:
        """Return height and width in pixels of a grid `ratio` times coarser."""
        spans = [(self.ymin, self.ymax), (self.xmin, self.xmax)]
        height, width = (round(high / ratio) - round(low / ratio) + 1 for low, high in spans)
        return height, width


@dataclass(frozen=True)
class Grid:
    """Pixel grid of a product."""

    scale: float
    """Pixel scale, arcsec."""
    shape: tuple[int, int]
    """Height and width, pixels."""
    crpix: tuple[float, float]
    """Reference pixel, 1-based, x then y."""
    crval: tuple[float, float]
    """Right ascension and declination there, degrees."""
    cd: tuple[float, float, float, float] | None = None
    """CD matrix, row by row; None for north up."""
    projection: str = TANGENT

    @property
    def matrix(self) -> tuple[float, float, float, float]:
        """CD1_1, CD1_2, CD2_1 and CD2_2, degrees per pixel."""
        degrees = self.scale / 3600
        return self.cd if self.cd is not None else (-degrees, 0.0, 0.0, degrees)

    @property
    def wcs(self) -> WCS:
        """The plane."""
        from astropy.wcs import WCS

        plane = WCS(naxis=2)
        plane.wcs.ctype = [f"RA---{self.projection}", f"DEC--{self.projection}"]
        plane.wcs.crpix, plane.wcs.crval = list(self.crpix), list(self.crval)
        plane.wcs.cd = np.reshape(self.matrix, (2, 2))
        return plane


def mosaic_limits(sky_cells: Mapping[str, SkyCell]) -> tuple[Limits, list[str]]:
    """Return the rectangle around sky cells, clipped at the edge of their projection cell.

    The same as ``drizzlepac.make_custom_mosaic.compute_mosaic_limits``.

    Parameters
    ----------
    sky_cells : mapping of str to SkyCell
        Of one projection cell; not empty.

    Returns
    -------
    Limits
        In pixels of the fine grid.
    list of str
        The names of the limits that were clipped, e.g. ``["xmax"]``.
    """
    cells = list(sky_cells.values())
    nx, ny = cells[0].projection_cell.naxis
    xmin = min(cell.origin[0] for cell in cells)
    ymin = min(cell.origin[1] for cell in cells)
    xmax = max(cell.origin[0] + cell.naxis[0] - 1 for cell in cells)
    ymax = max(cell.origin[1] + cell.naxis[1] - 1 for cell in cells)
    clipped = [name for name, beyond in (("xmax", xmax > nx), ("ymax", ymax > ny)) if beyond]
    return Limits(xmin, min(xmax, nx), ymin, min(ymax, ny)), clipped


def tight_limits(exposures: Sequence[Exposure], cell: ProjectionCell, limits: Limits) -> Limits:
    """Shrink limits to the data, keeping the phase of the coarse grid.

    Parameters
    ----------
    exposures : sequence of Exposure
        All exposures of the mosaic, with their chips.
    cell : ProjectionCell
        The projection cell of the mosaic.
    limits : Limits
        The documented limits.

    Returns
    -------
    Limits
        Inside `limits`; its lower limits differ from theirs by multiples of three, so that products have the same
        pixels.
    """
    boxes = [_box(exposure, cell.wcs) for exposure in exposures]
    low = np.min([b[0] for b in boxes], axis=0)
    high = np.max([b[1] for b in boxes], axis=0)

    def lower(value: float, outer: int) -> int:
        steps = math.floor((value - PAD - outer) / COARSE_RATIO)
        return outer + max(steps, 0) * COARSE_RATIO

    def upper(value: float, outer: int) -> int:
        return min(math.ceil(value) + PAD, outer)

    return Limits(
        lower(low[0], limits.xmin),
        upper(high[0], limits.xmax),
        lower(low[1], limits.ymin),
        upper(high[1], limits.ymax),
    )


def outside(exposure: Exposure, cell: ProjectionCell, limits: Limits) -> str:
    """Classify an exposure by limits: ``"inside"``, ``"clipped"`` or ``"outside"``."""
    low, high = _box(exposure, cell.wcs)
    first, last = (limits.xmin, limits.ymin), (limits.xmax, limits.ymax)
    if not np.isfinite([low, high]).all() or (high <= first).any() or (low > last).any():
        return "outside"
    return "inside" if (low >= first).all() and (high <= last).all() else "clipped"


def product_grid(exposures: Sequence[Exposure], cell: ProjectionCell, limits: Limits, ratio: int) -> Grid:
    """Predict the pixels of a product: limits trimmed to the bounding box of all exposures.

    Follows ``drizzlepac.haputils.product.SkyCellProduct.generate_metawcs`` and
    ``cell_utils.SkyFootprint.find_bounded_wcs``.

    Parameters
    ----------
    exposures : sequence of Exposure
        All exposures of the mosaic, of every filter.
    cell : ProjectionCell
        The projection cell of the mosaic.
    limits : Limits
        Limits passed to drizzlepac.
    ratio : int
        1 for the fine grid, 3 for the coarse one.

    Returns
    -------
    Grid
    """
    plane = limits_wcs(cell, limits, ratio)
    height, width = limits.shape(ratio)
    first, last = _painted_box(exposures, plane, (width, height))
    return Grid(
        scale=cell.scale * ratio,
        shape=(int(last[1] - first[1]) + 1, int(last[0] - first[0]) + 1),
        crpix=(float(plane.wcs.crpix[0] - first[0]), float(plane.wcs.crpix[1] - first[1])),
        crval=cell.center,
    )


def framing_exposures(exposures: Sequence[Exposure], cell: ProjectionCell, limits: Limits) -> tuple[str, ...]:
    """Return the names of the exposures that determine the grid of the products; the others lie well inside.

    Parameters
    ----------
    exposures : sequence of Exposure
        All exposures of the mosaic, of every filter.
    cell : ProjectionCell
        The projection cell of the mosaic.
    limits : Limits
        Limits passed to drizzlepac.

    Returns
    -------
    tuple of str
        In the order of `exposures`; drizzlepac's common grid is the same for these as for all of them.
    """
    names = set()
    for ratio in (1, COARSE_RATIO):
        height, width = limits.shape(ratio)
        names |= {e.name for e in _outermost(exposures, limits_wcs(cell, limits, ratio), (width, height))}
    return tuple(exposure.name for exposure in exposures if exposure.name in names)


def limits_wcs(cell: ProjectionCell, limits: Limits, ratio: int) -> WCS:
    """Return the tangent plane of `cell` with its origin at the lower left of `limits`, on a coarser grid."""
    from astropy.wcs import WCS

    plane = WCS(naxis=2)
    plane.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    plane.wcs.crval = list(cell.center)
    plane.wcs.cd = cell.wcs.wcs.cd * ratio
    crpix = cell.wcs.wcs.crpix
    plane.wcs.crpix = [np.rint((crpix[0] - limits.xmin) / ratio), np.rint((crpix[1] - limits.ymin) / ratio)]
    return plane


def _box(exposure: Exposure, plane: WCS) -> tuple[np.ndarray, np.ndarray]:
    points = np.concatenate([to_pixels(plane, outline) for outline in exposure_outlines(exposure)])
    return points.min(axis=0), points.max(axis=0)


def _outermost(exposures: Sequence[Exposure], plane: WCS, naxis: tuple[int, int]) -> list[Exposure]:
    """Return the exposures that reach the bounding box to a few pixels, and those that the plane's edge clips."""
    boxes = {exposure.name: _box(exposure, plane) for exposure in exposures}
    whole = [box for box in boxes.values() if (box[0] >= 0).all() and (box[1] <= np.array(naxis) - 1).all()]
    low = np.min([box[0] for box in whole], axis=0, initial=np.inf) + _NEAR_EXTREME
    high = np.max([box[1] for box in whole], axis=0, initial=-np.inf) - _NEAR_EXTREME
    inner = {name for name, box in boxes.items() if (box[0] > low).all() and (box[1] < high).all()}
    return [exposure for exposure in exposures if exposure.name not in inner]


def _painted_box(exposures: Sequence[Exposure], plane: WCS, naxis: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Return the first and last pixel (x, y) that drizzlepac paints when it draws the edges of all chips."""
    first, last = np.array(naxis), np.zeros(2, dtype=int)
    for exposure in _outermost(exposures, plane, naxis):
        for chip in exposure.chips:
            pixels = to_pixels(plane, chip_outline(chip, step=1)).astype(np.int32)
            beyond = (pixels.max(axis=0) <= 0) | (pixels.min(axis=0) > np.array(naxis) - 1)
            pixels = np.clip(pixels, 0, np.array(naxis) - 1)
            if beyond.any() or (np.ptp(pixels, axis=0) == 0).any():
                continue
            painted = _painted(pixels, chip.shape)
            first, last = np.minimum(first, painted[0]), np.maximum(last, painted[1])
    return first, last


def _painted(outline: np.ndarray, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Return the first and last pixel (x, y) of a chip as drizzlepac paints it: without its last row and column.

    Where the edge of the plane clips the chip, the part beyond is moved into the last column and lost with it, except
    for the diagonals that drizzlepac draws from side to side.
    """
    ny, nx = shape
    corners = outline[[0, nx - 1, nx + ny - 2, 2 * nx + ny - 3]]
    start = np.concatenate([outline, corners[:2]])
    end = np.concatenate([np.roll(outline, -1, axis=0), corners[2:]])
    # Pillow fills row by row, and rounds where an edge crosses the middle of a row to the nearest column.
    cut = outline.max(axis=0) - [0.5, 1.0]
    first, last = np.zeros(2, dtype=int), np.zeros(2, dtype=int)
    for axis, across, inward in ((0, 1, 0.5), (1, 0, 0.0)):
        crossing = (start[:, across] <= cut[across]) != (end[:, across] <= cut[across])
        s, e = start[crossing], end[crossing]
        at_cut = s[:, axis] + (cut[across] - s[:, across]) / (e - s)[:, across] * (e - s)[:, axis]
        reached = np.concatenate([outline[outline[:, across] <= cut[across], axis], at_cut])
        first[axis] = math.ceil(reached.min() - inward)
        last[axis] = min(math.floor(reached.max() + inward), outline[:, axis].max() - 1)
    return first, last
