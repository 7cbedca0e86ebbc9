"""Pictures of a run that one of its workers draws: a login node is no place to read mosaics."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hstmosaic.errors import ClusterError
from hstmosaic.plan.estimates import Estimate, estimate_pictures
from hstmosaic.products.decimate import SIDE
from hstmosaic.run.showing import PROGRAM, drawn, tell_drawing, tell_undrawn
from hstmosaic.store.task_specs import PicturesSpec

if TYPE_CHECKING:
    from hstmosaic.plan.plan import Plan
    from hstmosaic.products.gather import Gathered
    from hstmosaic.run.pool.pool import Pool
    from hstmosaic.store.events import Teller
    from hstmosaic.store.run_directory import RunDirectory

_TASK = "pictures"
_MEMORY_MB = 500
"""Measured 340 MB on mosaics of 5000 pixels a side."""
_STRIPS = 3
"""Of double precision are in memory at a time."""
_PATIENCE = 300.0
"""Seconds in which a worker has to come to it; as a rule the one that drizzled last is still there."""


def estimate_drawing(plan: Plan) -> Estimate:
    """Estimate what drawing the pictures of all products of a plan needs."""
    grids = [product.grid for layer in plan.layers for product in layer.products]
    widest = max(grid.shape[1] for grid in grids)
    strips_mb = _STRIPS * 8 * widest * max(widest / SIDE, 1) / 1e6
    return Estimate(round(_MEMORY_MB + strips_mb), estimate_pictures(grids), disk_mb=0)


def draw_on_worker(plan: Plan, directory: RunDirectory, pool: Pool, tell: Teller) -> list[Gathered] | None:
    """Make previews, region files and coverage maps in a task.

    Parameters
    ----------
    plan : Plan
        The plan.
    directory : RunDirectory
        The run, with everything gathered.
    pool : Pool
        Where tasks run.
    tell : Teller
        Hears it if that fails.

    Returns
    -------
    list of Gathered or None
        The files in the output directory, none if drawing failed; None if no worker has done it in time.
    """
    task, estimate = directory.task(_TASK), estimate_drawing(plan)
    task.prepare(PicturesSpec(program=PROGRAM, run=str(directory.path)), "")
    tell_drawing(tell)
    try:
        result, _ = pool.submit(task.path, estimate).result(_PATIENCE + 3 * estimate.seconds)
    except (TimeoutError, ClusterError):
        return None
    if not result.ok:
        tell_undrawn(directory, tell, result.error, result.data.get("details", ""))
        return []
    if not pool.workplace.keep_work:
        task.remove_work()
    return drawn(directory)
