"""Layers: the exposures of one instrument, detector and filter, and the products made of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hstmosaic.plan.coverage import SKIES_MATCHED, coverage
from hstmosaic.plan.estimates import (
    NOTHING_LEARNED,
    Estimate,
    Learned,
    box_seconds,
    estimate_drizzle,
)
from hstmosaic.plan.footprints import exposure_outlines, to_pixels
from hstmosaic.plan.limits import COARSE_RATIO, Grid, Limits, framing_exposures, product_grid
from hstmosaic.plan.names import COARSE_DETECTORS, product_name, product_stem, tile_prefix, trailer_name
from hstmosaic.plan.pixel_bytes import pixel_bytes
from hstmosaic.plan.request import DOCUMENTED
from hstmosaic.plan.requested_grids import requested_grids
from hstmosaic.plan.tiles import tiles_of
from hstmosaic.store.task_specs import is_divisible

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hstmosaic.plan.cells import ProjectionCell
    from hstmosaic.plan.exposures import Exposure
    from hstmosaic.plan.parameter_names import Value
    from hstmosaic.plan.request import MosaicRequest
    from hstmosaic.plan.tiles import Tile


@dataclass(frozen=True)
class Product:
    """One drizzled image and its trailer."""

    name: str
    """File name of the image."""
    trailer: str
    """File name of the trailer."""
    grid: Grid
    """Its pixels."""
    documented_size: int
    """Number of pixels of the documented limits at its scale, which NPIXFRAC refers to."""
    tiles: tuple[tuple[str, Tile], ...] = ()
    """(file name, tile) of its tiles with data."""


_BOX_PER_DATA = 2.0
"""Pixels of boxes per pixel that exposures cover; boxes are upright rectangles, exposures are not."""
_SKYSUB, _SKYMETHOD = "skysub", "skymethod"
_SBC_WITH_SKY = ("f115lp", "f122m")


@dataclass(frozen=True)
class Layer:
    """The exposures of one instrument, detector and filter."""

    instrument: str
    detector: str
    filter: str
    filetype: str
    """``flt`` or ``flc``."""
    exposures: tuple[str, ...]
    """Names, in the order of the list."""
    exptime: float
    """Sum of the exposure times, seconds."""
    products: tuple[Product, ...]
    mean_chips: float
    """Mean number of chips over a covered pixel."""
    parameter_set: str
    """``n1`` or ``n2``: the parameters that drizzlepac is expected to choose."""
    close_call: bool
    """True if real pixels could change the choice."""
    estimate: Estimate
    parameters: tuple[tuple[str, Value], ...] = ()
    """Parameters of AstroDrizzle that the user set."""
    divisible: bool = False
    """True if boxes can be drizzled one by one."""
    box_seconds: float = 0.0
    """Estimated time of the part that boxes divide among them."""
    touched: float = 1.0
    """Share of the mosaics that exposures touch; 1 unless boxes leave the rest out."""
    boxes: int = 1
    """Number of tasks that drizzle boxes; with one, a single task makes the layer."""

    @property
    def name(self) -> str:
        """Name in messages and of the task, e.g. ``wfc3_ir_f160w``."""
        return "_".join([self.instrument, self.detector, self.filter])

    @property
    def sky_matched(self) -> bool:
        """Return whether these parameters match skies; for ACS/SBC only in filters that transmit geocoronal light."""
        chosen = dict(self.parameters)
        usual = self.parameter_set == SKIES_MATCHED and (self.detector != "sbc" or self.filter in _SBC_WITH_SKY)
        return bool(chosen.get(_SKYSUB, usual)) and "match" in str(chosen.get(_SKYMETHOD, "match"))

    @property
    def sky_chosen(self) -> bool:
        """Return whether the user decided about the sky."""
        return bool({_SKYSUB, _SKYMETHOD} & dict(self.parameters).keys())


@dataclass(frozen=True)
class Geometry:
    """The common grid of all layers."""

    cell: ProjectionCell
    limits: Limits
    """As documented: whole sky cells."""
    tight: Limits
    """The part of them that holds data."""
    fine: Grid
    coarse: Grid | None
    """None on the grid of an image."""
    frame: tuple[str, ...]
    """Names of the exposures that determine the grids; none where the user does."""
    requested: bool = False
    """True if the grids are the user's."""


def common_geometry(
    exposures: Sequence[Exposure],
    cell: ProjectionCell,
    limits: Limits,
    tight: Limits,
    request: MosaicRequest = DOCUMENTED,
) -> Geometry:
    """Return the grids that all layers share."""
    if request.changes_grid:
        grids = requested_grids(exposures, cell, request)
        return Geometry(cell, limits, tight, *grids, frame=(), requested=True)
    fine, coarse = (product_grid(exposures, cell, tight, ratio) for ratio in (1, COARSE_RATIO))
    return Geometry(cell, limits, tight, fine, coarse, framing_exposures(exposures, cell, tight))


def make_layers(
    exposures: Sequence[Exposure],
    geometry: Geometry,
    prefix: str,
    learned: Learned = NOTHING_LEARNED,
    request: MosaicRequest = DOCUMENTED,
    *,
    whole: bool = False,
) -> tuple[Layer, ...]:
    """Group exposures into layers, ordered by their first exposures in the list.

    Parameters
    ----------
    exposures : sequence of Exposure
        All exposures of the mosaic, with their chips.
    geometry : Geometry
        The common grid.
    prefix : str
        Prefix of the products.
    learned : Learned
        Corrections of estimates by earlier runs.
    request : MosaicRequest
        Options of the user.
    whole : bool
        Whether drizzlepac drizzles every layer in one call.

    Returns
    -------
    tuple of Layer
    """
    groups: dict[tuple[str, str, str], list[Exposure]] = {}
    for exposure in exposures:
        groups.setdefault((exposure.instrument, exposure.detector, exposure.filter), []).append(exposure)
    return tuple(_layer(members, geometry, prefix, learned, request, whole=whole) for members in groups.values())


def _layer(
    members: Sequence[Exposure],
    geometry: Geometry,
    prefix: str,
    learned: Learned,
    request: MosaicRequest,
    *,
    whole: bool,
) -> Layer:
    first = members[0]
    products = _products(members, geometry, prefix, request)
    parameters = tuple(request.layer_parameters(first.instrument, first.detector, first.filter).items())
    grids = [product.grid for product in products]
    tiles = [tile for product in products for _, tile in product.tiles]
    outlines = [to_pixels(geometry.cell.wcs, outline) for e in members for outline in exposure_outlines(e)]
    depth = coverage(outlines)
    whole = whole or not is_divisible(dict(parameters))
    touched = 1.0 if whole else _touched(depth.covered, geometry.cell.scale, products[-1].grid)
    estimate = estimate_drizzle(members, grids, learned, tiles, pixel_bytes(request, members, whole=whole), touched)
    return Layer(
        instrument=first.instrument,
        detector=first.detector,
        filter=first.filter,
        filetype=first.filetype,
        exposures=tuple(exposure.name for exposure in members),
        exptime=sum(exposure.exptime for exposure in members),
        products=products,
        mean_chips=round(depth.mean_chips, 3),
        parameter_set=SKIES_MATCHED if request.sky is not None else depth.parameter_set,
        close_call=request.sky is None and depth.is_close_call,
        estimate=estimate,
        parameters=parameters,
        divisible=is_divisible(dict(parameters)),
        box_seconds=estimate.time_factor * box_seconds(members, grids, touched),
        touched=touched,
    )


def _touched(covered: float, scale: float, grid: Grid) -> float:
    """Return the share of a grid in boxes around an area, in pixels of a scale."""
    height, width = grid.shape
    return min(1.0, round(_BOX_PER_DATA * covered * (scale / grid.scale) ** 2 / (height * width), 4))


def _products(
    members: Sequence[Exposure], geometry: Geometry, prefix: str, request: MosaicRequest
) -> tuple[Product, ...]:
    exposure = members[0]
    coarse_too = exposure.detector in COARSE_DETECTORS and geometry.coarse is not None
    made = []
    for coarse in (True, False) if coarse_too else (False,):
        stem = product_stem(prefix, exposure.instrument, exposure.detector, exposure.filter, coarse=coarse)
        grid = geometry.coarse if coarse and geometry.coarse is not None else geometry.fine
        height, width = grid.shape if geometry.requested else geometry.limits.shape(COARSE_RATIO if coarse else 1)
        made.append(
            Product(
                name=product_name(stem, exposure.filetype),
                trailer=trailer_name(stem),
                grid=grid,
                documented_size=height * width,
                tiles=_tiles(members, geometry.cell, grid, stem.removeprefix(prefix), prefix, request),
            )
        )
    return tuple(made)


def _tiles(
    members: Sequence[Exposure], cell: ProjectionCell, grid: Grid, layer: str, prefix: str, request: MosaicRequest
) -> tuple[tuple[str, Tile], ...]:
    if request.tiles is None:
        return ()
    tiles = tiles_of(members, grid, request.tiles, cell)
    head = tile_prefix(prefix, cell, request.tiles)
    return tuple((product_name(f"{head}_{tile.name}{layer}", members[0].filetype), tile) for tile in tiles)
