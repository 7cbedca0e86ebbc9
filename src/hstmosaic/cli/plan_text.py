"""Text of plans and dry runs for the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hstmosaic.store.task_names import layer_tasks, stage_of
from hstmosaic.text import count_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from hstmosaic.plan.estimates import Estimate
    from hstmosaic.plan.layers import Layer
    from hstmosaic.plan.plan import Plan
    from hstmosaic.run.dry_run import DryRun

_SKIES = {True: "skies matched", False: "skies not matched"}


def describe_plan(plan: Plan) -> str:
    """Return a plan as lines of text."""
    return "\n".join(_lines(plan, aligned=True))


def describe_dry_run(found: DryRun) -> str:
    """Return a dry run as lines of text: the plan, then the needs of the run."""
    return "\n".join([*_lines(found.plan, aligned=found.options.aligned), "", *found.lines()])


def _lines(plan: Plan, *, aligned: bool) -> Iterator[str]:
    ra, dec = plan.projection_center
    height, width = plan.tight_limits.shape()
    yield f"{count_of(len(plan.exposures), 'exposure')}, {len(plan.excluded)} left out"
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
        yield from _layer_lines(layer, [plan.estimates[task] for task in layer_tasks(layer.name, layer.boxes)])
    yield ""
    yield from _needs(plan, aligned=aligned)
    for exclusion in plan.excluded:
        yield f"\nleft out: {exclusion.name}: {exclusion.reason}; {exclusion.next_step}"
    for note in plan.notes:
        yield f"\nnote: {note}"


def _needs(plan: Plan, *, aligned: bool) -> Iterator[str]:
    stages: dict[str, list[Estimate]] = {}
    for task, estimate in plan.tasks(aligned=aligned).items():
        stages.setdefault(stage_of(task).label, []).append(estimate)
    for stage, estimates in stages.items():
        memory, seconds = max(e.memory_mb for e in estimates), sum(e.seconds for e in estimates)
        tasks = count_of(len(estimates), "task")
        yield f"{stage}: {tasks} of up to {memory / 1000:.1f} GB, {seconds:.0f} s on one core"
    learned = plan.learned
    if learned.tasks:
        measured = f"{count_of(learned.tasks, 'task')} of {count_of(learned.runs, 'earlier run')}"
        yield f"estimates are corrected by measurements of {measured}"
    else:
        yield "estimates are not corrected by measurements of earlier runs"


def _layer_lines(layer: Layer, tasks: Sequence[Estimate]) -> Iterator[str]:
    memory, disk = max(task.memory_mb for task in tasks), max(task.disk_mb for task in tasks)
    seconds = sum(task.seconds for task in tasks)
    yield f"{layer.name}: {count_of(len(layer.exposures), 'exposure')}, {layer.exptime:.0f} s"
    skies = _SKIES[layer.sky_matched]
    yield f"  {layer.mean_chips:.2f} chips over a pixel: parameter set {layer.parameter_set} ({skies})"
    for name, value in layer.parameters:
        yield f"  {name} = {value}, as requested"
    of_task = "" if layer.boxes == 1 else f" in each of {len(tasks)} tasks"
    yield f"  needs about {memory / 1000:.1f} GB of memory{of_task}, {seconds:.0f} s, {disk} MB of disk"
    for product in layer.products:
        height, width = product.grid.shape
        yield f'  {product.name}  {width} x {height} pixels of {product.grid.scale:.4g}"'
        if product.tiles:
            yield f"    {count_of(len(product.tiles), 'tile')}, such as {product.tiles[0][0]}"
