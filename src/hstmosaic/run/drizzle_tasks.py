"""What the task of a layer is told."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hstmosaic.plan.pollers import poller_text
from hstmosaic.plan.specs import DrizzleSpec
from hstmosaic.products.gather import product_names

if TYPE_CHECKING:
    from collections.abc import Collection

    from hstmosaic.plan.exposures import Exposure
    from hstmosaic.plan.layers import Layer, Product
    from hstmosaic.plan.limits import Limits
    from hstmosaic.plan.plan import Plan
    from hstmosaic.products.notes import HeaderNotes


def listed_exposures(plan: Plan, layer: Layer) -> list[Exposure]:
    """Return the exposures of a layer's poller: its own, and those of other layers that keep the common grid."""
    wanted = {*layer.exposures, *plan.frame}
    return [exposure for exposure in plan.exposures if exposure.name in wanted]


def drizzle_spec(plan: Plan, layer: Layer, used: Collection[str], notes: HeaderNotes, log_level: str) -> DrizzleSpec:
    """Return what the task of a layer is told.

    Parameters
    ----------
    plan : Plan
        With the exposures as they are to be drizzled.
    layer : Layer
        One of its layers.
    used : collection of str
        Names of the layer's exposures that screening has left.
    notes : HeaderNotes
        Records for the headers of the mosaics.
    log_level : str
        Of drizzlepac's log and trailers.
    """
    listed, limits = listed_exposures(plan, layer), plan.tight_limits
    return DrizzleSpec(
        poller_name=f"temp_{plan.corner_sky_cell}_mvm.out",
        poller=poller_text(listed, plan.corner_sky_cell, new=set(used)),
        links=tuple((exposure.name, str(exposure.path)) for exposure in listed),
        limits=(limits.xmin, limits.xmax, limits.ymin, limits.ymax),
        prefix=plan.prefix,
        products=product_names(layer),
        areas=tuple((product.name, _area(product, limits), product.documented_size) for product in layer.products),
        cards=notes.cards,
        history=notes.records(used),
        log_level=log_level,
    )


def _area(product: Product, limits: Limits) -> int:
    height, width = limits.shape(round(product.grid.scale / 0.04))
    return height * width
