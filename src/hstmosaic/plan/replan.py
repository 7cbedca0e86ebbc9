"""The plan again, after the alignment has changed where the exposures lie."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from hstmosaic.plan.cells import load_sky_grid
from hstmosaic.plan.exposures import read_exposure
from hstmosaic.plan.layers import common_geometry, make_layers
from hstmosaic.plan.limits import tight_limits
from hstmosaic.plan.tasks import estimate_tasks

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from hstmosaic.plan.plan import Plan


def replan(plan: Plan, aligned: Mapping[str, Path]) -> Plan:
    """Plan grids and layers again with the headers of aligned copies.

    Projection cell, sky cells, documented limits and prefix stay those of the exposures as given: drizzlepac computes
    them before it aligns. The tight limits and the products' grids follow the data, so that nothing is cut off.

    Parameters
    ----------
    plan : Plan
        As made from the exposures as given, with their chips.
    aligned : mapping of str to pathlib.Path
        Aligned copies by the names of their exposures; the other exposures stay as they are.

    Returns
    -------
    Plan
        Its exposures have the paths of the aligned copies.
    """
    exposures = tuple(read_exposure(aligned[e.name]) if e.name in aligned else e for e in plan.exposures)
    cell = load_sky_grid().cell(int(plan.projection_cell.removeprefix("p")))
    tight = tight_limits(exposures, cell, plan.limits)
    geometry = common_geometry(exposures, cell, plan.limits, tight)
    layers = make_layers(exposures, geometry, plan.prefix, plan.learned)
    estimates = estimate_tasks(exposures, layers, plan.learned)
    return replace(
        plan, exposures=exposures, tight_limits=tight, frame=geometry.frame, layers=layers, estimates=estimates
    )
