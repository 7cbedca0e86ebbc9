"""Specifications of the tasks that drizzle."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from hstmosaic.plan.header_records import input_records, repair_records, spec_digest
from hstmosaic.plan.pollers import poller_text
from hstmosaic.products.gather import product_names
from hstmosaic.store.task_specs import DrizzleSpec, GridSpec, TileSpec

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from hstmosaic.plan.exposures import Exposure
    from hstmosaic.plan.layers import Layer, Product
    from hstmosaic.plan.plan import Plan
    from hstmosaic.products.header_notes import HeaderNotes
    from hstmosaic.store.pixel_repair import PixelRepair


def listed_exposures(plan: Plan, layer: Layer) -> list[Exposure]:
    """Return the exposures of a layer's poller: its own, and those of other layers that keep the common grid."""
    wanted = {*layer.exposures, *plan.frame}
    return [exposure for exposure in plan.exposures if exposure.name in wanted]


def drizzle_spec(
    plan: Plan,
    layer: Layer,
    used: Collection[str],
    notes: HeaderNotes,
    checksums: Mapping[str, str],
    repairs: Mapping[str, PixelRepair],
    log_level: str,
) -> DrizzleSpec:
    """Return the specification of the task that makes a layer.

    Parameters
    ----------
    plan : Plan
        With the exposures as they are to be drizzled.
    layer : Layer
        One of its layers.
    used : collection of str
        File names of the layer's exposures to drizzle.
    notes : HeaderNotes
        Records for the headers of the mosaics.
    checksums : mapping of str to str
        SHA-256 of the exposures as given, by name.
    repairs : mapping of str to PixelRepair
        Repairs of exposures as given, by name, for HISTORY.
    log_level : str
        Level of drizzlepac's log and trailers.
    """
    listed, limits = listed_exposures(plan, layer), plan.tight_limits
    spec = DrizzleSpec(
        poller_name=f"temp_{plan.corner_sky_cell}_mvm.out",
        poller=poller_text(listed, plan.corner_sky_cell, new=set(used), linked=True),
        links=tuple((exposure.name, str(exposure.path)) for exposure in listed),
        limits=(limits.xmin, limits.xmax, limits.ymin, limits.ymax),
        prefix=plan.prefix,
        products=product_names(layer),
        areas=tuple((product.name, _area(plan, product), product.documented_size) for product in layer.products),
        cards=notes.keywords(used),
        history=notes.records(used),
        repaired=tuple(exposure.name for exposure in listed if exposure.needs_repair and exposure.name in used),
        log_level=log_level,
        parameters=layer.parameters,
        fixed_set=plan.request.sky is not None,
        compress=bool(plan.request.compress),
        grids=_grids(plan, layer),
        error=plan.request.error,
        context=plan.request.context,
        tiles=tuple(
            TileSpec(product.name, file, tile.name, tile.left, tile.bottom, tile.width, tile.height)
            for product in layer.products
            for file, tile in product.tiles
        ),
        whole=plan.division.whole_layers,
    )
    inputs = {name: checksums.get(name, "") for name in used}
    left_out = [name for name in layer.exposures if name not in used]
    return replace(
        spec,
        cards=(*spec.cards, ("HMPLAN", spec_digest(spec, inputs), "digest of inputs and parameters")),
        history=(*spec.history, *input_records(inputs, left_out), *repair_records(used, repairs)),
    )


def _grids(plan: Plan, layer: Layer) -> tuple[GridSpec, ...]:
    """Return the grids of a layer's products where the user requested them."""
    if not plan.request.changes_grid:
        return ()
    return tuple(
        GridSpec(
            coarse=len(layer.products) > 1 and product is layer.products[0],
            shape=product.grid.shape,
            crpix=product.grid.crpix,
            crval=product.grid.crval,
            cd=product.grid.matrix,
            projection=product.grid.projection,
        )
        for product in layer.products
    )


def _area(plan: Plan, product: Product) -> int:
    """Return the number of pixels in the limits of a product's task."""
    if plan.request.changes_grid:
        return product.documented_size
    height, width = plan.tight_limits.shape(round(product.grid.scale / 0.04))
    return height * width
