"""Estimates of all tasks of a plan."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hstmosaic.plan.estimates import (
    NOTHING_LEARNED,
    Estimate,
    estimate_boxes,
    estimate_fit,
    estimate_screen,
    estimate_sources,
)
from hstmosaic.plan.pixel_bytes import pixel_bytes
from hstmosaic.plan.request import DOCUMENTED
from hstmosaic.store.task_names import ALIGN_TASK, layer_tasks, screen_task, sources_task

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hstmosaic.plan.estimates import Learned
    from hstmosaic.plan.exposures import Exposure
    from hstmosaic.plan.layers import Layer
    from hstmosaic.plan.request import MosaicRequest


def estimate_tasks(
    exposures: Sequence[Exposure],
    layers: Sequence[Layer],
    learned: Learned = NOTHING_LEARNED,
    request: MosaicRequest = DOCUMENTED,
) -> dict[str, Estimate]:
    """Estimate every task of a plan, those of an alignment included.

    Parameters
    ----------
    exposures : sequence of Exposure
        All exposures of the mosaic, with their chips.
    layers : sequence of Layer
        With their own estimates.
    learned : Learned
        Corrections by earlier runs.
    request : MosaicRequest
        Options that determine the images of mosaics.

    Returns
    -------
    dict of str to Estimate
        By the names of tasks, in the order of the stages.
    """
    return (
        {screen_task(exposure.name): estimate_screen(exposure, learned) for exposure in exposures}
        | {sources_task(exposure.name): estimate_sources(exposure, learned) for exposure in exposures}
        | {ALIGN_TASK: estimate_fit(exposures, learned)}
        | {task: estimate for layer in layers for task, estimate in _layer(exposures, layer, learned, request).items()}
    )


def _layer(
    exposures: Sequence[Exposure], layer: Layer, learned: Learned, request: MosaicRequest
) -> dict[str, Estimate]:
    tasks = layer_tasks(layer.name, layer.boxes)
    if layer.boxes == 1:
        return {tasks[0]: layer.estimate}
    members = [exposure for exposure in exposures if exposure.name in layer.exposures]
    grids = [product.grid for product in layer.products]
    tiles = [tile for product in layer.products for _, tile in product.tiles]
    pixel = pixel_bytes(request, members)
    prepare, box, assemble = estimate_boxes(members, grids, layer.boxes, learned, tiles, pixel, layer.touched)
    return dict.fromkeys(tasks, box) | {tasks[0]: prepare, tasks[-1]: assemble}
