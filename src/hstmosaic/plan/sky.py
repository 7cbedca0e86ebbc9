"""Sky cells that the exposures overlap, and the projection cell of the mosaic."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from astropy.wcs import WCS

from hstmosaic.plan.footprints import exposure_outlines, to_pixels

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from hstmosaic.plan.cells import ProjectionCell, SkyCell, SkyGrid
    from hstmosaic.plan.exposures import Exposure

_CENTRAL_SKY_CELL = math.ceil(21 / 2.0)

Outlines = tuple[np.ndarray, ...]


def sky_cell_distance(x: float, y: float, x_ref: float, y_ref: float) -> float:
    """Return the distance of two positions counted in sky cells."""
    return math.sqrt(float((x - x_ref) ** 2) + float((y - y_ref) ** 2))


def find_sky_cells(exposures: Sequence[Exposure], grid: SkyGrid) -> dict[str, SkyCell]:
    """Find every sky cell that an exposure's outline enters, on all projection cells.

    Gives what ``drizzlepac.haputils.cell_utils.get_sky_cells`` gives, in its order, from chip outlines instead of
    painted pixel masks.

    Parameters
    ----------
    exposures : sequence of Exposure
        With their chips.
    grid : SkyGrid
        The tessellation.

    Returns
    -------
    dict of str to SkyCell
        By name; each with the names of its exposures as ``members``.

    Notes
    -----
    drizzlepac traces the smoothed mask of an exposure, so it begins to count a sky cell when the exposure is between 1
    pixel short of its border and 6 pixels inside (measured; the median is 1.5), and this function at the border. Where
    an exposure comes so close the two can differ by a sky cell. No data is gained or lost by that, as neighbours
    overlap by 512 pixels; but the coarse grid is counted from the lower limits, and moves by a fine pixel if the
    leftmost or lowest sky cell is the one in question.
    """
    visits: dict[str, list[Exposure]] = {}
    for exposure in exposures:
        visits.setdefault(exposure.visit, []).append(exposure)
    found: dict[str, SkyCell] = {}
    for visit in visits.values():
        outlines = {exposure.name: exposure_outlines(exposure) for exposure in visit}
        rectangle = _north_up_rectangle([o for chips in outlines.values() for o in chips])
        for exposure in visit:
            for cell in _candidates(outlines[exposure.name], grid):
                for sky_cell in _entered(exposure, outlines[exposure.name], cell, rectangle):
                    found.setdefault(sky_cell.sky_cell_id, sky_cell).members.append(exposure.name)
    return found


def _candidates(outlines: Outlines, grid: SkyGrid) -> Iterator[ProjectionCell]:
    """Yield the projection cells that drizzlepac looks at: those of the bands that hold the whole exposure."""
    ra, dec = np.concatenate(outlines).T
    for band in grid.bands:
        if dec.min() < band.dec_min or dec.max() > band.dec_max:
            continue
        near = np.unique(np.rint(ra % 360.0 * band.n_cells / 360.0).astype(int) % band.n_cells)
        # drizzlepac's neighbours: never west across right ascension 0
        west, east = max(near.min() - 1, 0), (near.max() + 1) % band.n_cells
        for index in sorted({int(west), int(east), *near.tolist()}):
            yield grid.cell_in_band(band, index)


def _entered(exposure: Exposure, outlines: Outlines, cell: ProjectionCell, rectangle: np.ndarray) -> Iterator[SkyCell]:
    chips = [to_pixels(cell.wcs, outline) for outline in outlines]
    sampled = np.concatenate(chips)
    if not np.isfinite(sampled).all():
        return
    low, high = sampled.min(axis=0), sampled.max(axis=0)
    if not _overlaps(cell, low, high) and not _any_inside(to_pixels(cell.wcs, rectangle), (0, 0), cell.naxis):
        return
    # An outline can cut the corner of a sky cell between two samples, but only next to one of them.
    reach = math.ceil(max(np.abs(chip - np.roll(chip, 1, axis=0)).max() for chip in chips))
    every: np.ndarray | None = None
    for x_index in _indices(low[0], high[0], cell.pitch[0], cell):
        for y_index in _indices(low[1], high[1], cell.pitch[1], cell):
            sky_cell = cell.sky_cell(x_index, y_index)
            if _any_inside(sampled, sky_cell.origin, sky_cell.naxis):
                yield sky_cell
                continue
            if not _any_inside(sampled, sky_cell.origin, sky_cell.naxis, reach):
                continue
            if every is None:
                every = np.concatenate([to_pixels(cell.wcs, o) for o in exposure_outlines(exposure, step=1)])
            if _any_inside(every, sky_cell.origin, sky_cell.naxis):
                yield sky_cell


def _indices(low: float, high: float, pitch: int, cell: ProjectionCell) -> range:
    """Columns or rows of the sky cells that a range of pixels overlaps."""
    width = pitch + 2 * cell.sc_overlap
    first = math.floor((low - width) / pitch) + 1
    last = math.floor(high / pitch) + 1
    return range(max(1, first), min(cell.sc_nxy, last) + 1)


def _overlaps(cell: ProjectionCell, low: np.ndarray, high: np.ndarray) -> bool:
    return bool((high >= 0).all() and (low < cell.naxis).all())


def _any_inside(points: np.ndarray, origin: tuple[int, int], naxis: tuple[int, int], margin: int = 0) -> bool:
    offset = points - origin
    return bool(((offset >= -margin) & (offset <= np.add(naxis, margin))).all(axis=1).any())


def _north_up_rectangle(outlines: Sequence[np.ndarray]) -> np.ndarray:
    """Corners, degrees, shape (4, 2), of the north-up rectangle around all chips of a visit."""
    plane = WCS(naxis=2)
    plane.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    plane.wcs.crval = mean_direction(outlines)
    plane.wcs.cdelt = [-1 / 3600, 1 / 3600]
    x, y = np.concatenate([to_pixels(plane, outline) for outline in outlines]).T
    corners = [(x.min(), y.min()), (x.max(), y.min()), (x.max(), y.max()), (x.min(), y.max())]
    return np.asarray(plane.wcs_pix2world(np.array(corners), 0))


def mean_direction(outlines: Sequence[np.ndarray]) -> tuple[float, float]:
    """Return right ascension and declination, degrees, of the mean direction of outlines on the sky."""
    ra, dec = np.radians(np.concatenate(list(outlines))).T
    x, y, z = (np.cos(dec) * np.cos(ra)).mean(), (np.cos(dec) * np.sin(ra)).mean(), np.sin(dec).mean()
    return float(np.degrees(np.arctan2(y, x)) % 360.0), float(np.degrees(np.arctan2(z, np.hypot(x, y))))


@dataclass(frozen=True)
class CellChoice:
    """The projection cell of the mosaic, and the candidates."""

    cell: ProjectionCell
    sky_cells: dict[str, SkyCell]
    """The sky cells of that projection cell which hold data, by name."""
    distances: Mapping[str, float]
    """For each projection cell with data: mean distance of its sky cells with data from its centre, in sky cells."""


def choose_projection_cell(sky_cells: Mapping[str, SkyCell]) -> CellChoice:
    """Choose the projection cell whose centre is nearest to the observations.

    Nearest is meant as drizzlepac measures it: by the mean distance, counted in sky cells, between the cell's
    centre and its sky cells that hold data.

    Parameters
    ----------
    sky_cells : mapping of str to SkyCell
        As `find_sky_cells` returns them; not empty.

    Returns
    -------
    CellChoice
    """
    by_cell: dict[str, dict[str, SkyCell]] = {}
    for name, sky_cell in sky_cells.items():
        by_cell.setdefault(sky_cell.projection_cell.name, {})[name] = sky_cell
    middle = _CENTRAL_SKY_CELL
    distances = {
        name: float(np.mean([sky_cell_distance(s.x_index, s.y_index, middle, middle) for s in cells.values()]))
        for name, cells in by_cell.items()
    }
    best = min(distances, key=lambda name: distances[name])
    chosen = by_cell[best]
    return CellChoice(next(iter(chosen.values())).projection_cell, chosen, distances)


def corner_sky_cell(sky_cells: Mapping[str, SkyCell]) -> SkyCell:
    """Return the sky cell nearest to the lower left of its projection cell; it names the poller and SCELLID."""
    return min(sky_cells.values(), key=lambda cell: sky_cell_distance(cell.x_index, cell.y_index, 1, 1))
