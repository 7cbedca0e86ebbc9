"""The tasks of a plan: their names, and what each will need."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hstmosaic.plan.estimates import NOTHING_LEARNED, Estimate, estimate_fit, estimate_screen, estimate_sources

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hstmosaic.plan.estimates import Learned
    from hstmosaic.plan.exposures import Exposure
    from hstmosaic.plan.layers import Layer

ALIGN_TASK = "align"
"""Name of the joint fit."""


STAGES = {"screen": "screening", "sources": "finding stars", ALIGN_TASK: "fitting", "drizzle": "drizzling"}
"""Names of the stages, in their order, by what the names of their tasks begin with."""


def stage_of(task: str) -> str:
    """Return the stage that a task belongs to."""
    return STAGES[task.partition("-")[0]]


def screen_task(exposure: str) -> str:
    """Return the name of the task that screens an exposure of a file name."""
    return f"screen-{exposure.removesuffix('.fits')}"


def sources_task(exposure: str) -> str:
    """Return the name of the task that finds the sources of an exposure of a file name."""
    return f"sources-{exposure.removesuffix('.fits')}"


def drizzle_task(layer: str) -> str:
    """Return the name of the task that drizzles a layer."""
    return f"drizzle-{layer}"


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
        What earlier runs have taught.

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
