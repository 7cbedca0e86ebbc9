"""Plan of a mosaic after the alignment moved its exposures."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from hstmosaic.plan.cells import load_sky_grid
from hstmosaic.plan.exposures import read_exposure
from hstmosaic.plan.layers import common_geometry, make_layers
from hstmosaic.plan.limits import tight_limits
from hstmosaic.plan.task_estimates import estimate_tasks

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from hstmosaic.plan.plan import Plan


def replan(plan: Plan, aligned: Mapping[str, Path]) -> Plan:
    """Recompute grids and layers with the headers of aligned copies.

    Projection cell, sky cells, documented limits and prefix do not change, because drizzlepac computes them before it
    aligns. Tight limits and grids follow the data.

    Parameters
    ----------
    plan : Plan
        Made from the input exposures, with their chips.
    aligned : mapping of str to pathlib.Path
        Aligned copies by the names of their exposures; the others do not change.

    Returns
    -------
    Plan
        Its exposures have the paths of the aligned copies.
    """
    exposures = tuple(read_exposure(aligned[e.name]) if e.name in aligned else e for e in plan.exposures)
    cell = load_sky_grid().cell(int(plan.projection_cell.removeprefix("p")))
    tight = tight_limits(exposures, cell, plan.limits)
    geometry = common_geometry(exposures, cell, plan.limits, tight, plan.request)
    boxes, whole = {layer.name: layer.boxes for layer in plan.layers}, plan.division.whole_layers
    layers = tuple(
        # progress was reported by the first division
        replace(layer, boxes=boxes[layer.name])
        for layer in make_layers(exposures, geometry, plan.prefix, plan.learned, plan.request, whole=whole)
    )
    estimates = estimate_tasks(exposures, layers, plan.learned, plan.request)
    return replace(
        plan, exposures=exposures, tight_limits=tight, frame=geometry.frame, layers=layers, estimates=estimates
    )
