"""Estimates of all tasks of a plan."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hstmosaic.plan.estimates import NOTHING_LEARNED, Estimate, estimate_fit, estimate_screen, estimate_sources
from hstmosaic.store.task_names import ALIGN_TASK, drizzle_task, screen_task, sources_task

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hstmosaic.plan.estimates import Learned
    from hstmosaic.plan.exposures import Exposure
    from hstmosaic.plan.layers import Layer


def estimate_tasks(
    exposures: Sequence[Exposure], layers: Sequence[Layer], learned: Learned = NOTHING_LEARNED
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

    Returns
    -------
    dict of str to Estimate
        By the names of tasks, in the order of the stages.
    """
    return (
        {screen_task(exposure.name): estimate_screen(exposure, learned) for exposure in exposures}
        | {sources_task(exposure.name): estimate_sources(exposure, learned) for exposure in exposures}
        | {ALIGN_TASK: estimate_fit(exposures, learned)}
        | {drizzle_task(layer.name): layer.estimate for layer in layers}
    )
