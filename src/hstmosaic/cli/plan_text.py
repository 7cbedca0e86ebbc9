"""A plan in words, for the screen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hstmosaic.store.task_names import stage_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hstmosaic.plan.estimates import Estimate
    from hstmosaic.plan.layers import Layer
    from hstmosaic.plan.plan import Plan

_SKIES = {True: "skies matched", False: "skies not matched"}


def describe_plan(plan: Plan) -> str:
    """Return what a plan will do and why, as lines of text."""
    return "\n".join(_lines(plan))


def _lines(plan: Plan) -> Iterator[str]:
    ra, dec = plan.projection_center
    height, width = plan.tight_limits.shape()
    yield f"{len(plan.exposures)} exposure(s), {len(plan.excluded)} left out"
    yield f"projection cell {plan.projection_cell}, centred at RA {ra:.4f}, Dec {dec:+.4f}"
    if len(plan.cell_distances) > 1:
        for name, distance in sorted(plan.cell_distances.items(), key=lambda item: item[1]):
            chosen = "  <- nearest" if name == plan.projection_cell else ""
            yield f"  {name}: {distance:.1f} sky cells from its centre{chosen}"
    yield f"sky cells: {', '.join(plan.sky_cells)}"
    yield f"limits {plan.limits.as_list()}"
    yield f"data fill {plan.tight_limits.as_list()}, {width} x {height} pixels"
    yield f"prefix {plan.prefix}"
    for layer in plan.layers:
        yield ""
        yield from _layer_lines(layer)
    yield ""
    yield from _needs(plan)
    for exclusion in plan.excluded:
        yield f"\nleft out: {exclusion.name}: {exclusion.reason}; {exclusion.next_step}"
    for note in plan.notes:
        yield f"\nnote: {note}"


def _needs(plan: Plan) -> Iterator[str]:
    stages: dict[str, list[Estimate]] = {}
    for task, estimate in plan.estimates.items():
        stages.setdefault(stage_of(task).label, []).append(estimate)
    for stage, estimates in stages.items():
        memory, seconds = max(e.memory_mb for e in estimates), sum(e.seconds for e in estimates)
        yield f"{stage}: {len(estimates)} task(s) of up to {memory / 1000:.1f} GB, {seconds:.0f} s on one core"
    learned = plan.learned
    if learned.tasks:
        yield f"these estimates are corrected by {learned.tasks} task(s) of {learned.runs} earlier run(s)"
    else:
        yield "these estimates are those of the model: no earlier run has corrected them"


def _layer_lines(layer: Layer) -> Iterator[str]:
    need = layer.estimate
    yield f"{layer.name}: {len(layer.exposures)} exposure(s), {layer.exptime:.0f} s"
    yield (
        f"  {layer.mean_chips:.2f} chips over a pixel: parameter set {layer.parameter_set}"
        f" ({_SKIES[layer.sky_matched]})"
    )
    for name, value in layer.parameters:
        yield f"  {name} = {value}, as requested"
    yield f"  needs about {need.memory_mb / 1000:.1f} GB of memory, {need.seconds:.0f} s, {need.disk_mb} MB of disk"
    for product in layer.products:
        height, width = product.grid.shape
        yield f'  {product.name}  {width} x {height} pixels of {product.grid.scale:.2f}"'
