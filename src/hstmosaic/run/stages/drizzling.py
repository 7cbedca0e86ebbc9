"""The stages that drizzle a layer and gather its products."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hstmosaic.plan.boxes import boxes_of
from hstmosaic.products.gather import gather_layer, move_products, product_names, still_gathered, tile_names
from hstmosaic.products.product_check import ProductError
from hstmosaic.run.stages.drizzle_specs import drizzle_spec, listed_exposures
from hstmosaic.run.stages.scheduler import Task, all_of
from hstmosaic.run.stages.screening import WITHOUT_STRICT
from hstmosaic.run.stages.task_inputs import file_states
from hstmosaic.store import event_payloads
from hstmosaic.store.event_payloads import Drizzling, Reused
from hstmosaic.store.events import report_warnings
from hstmosaic.store.task_results import DrizzleResult
from hstmosaic.store.task_specs import StubSpec
from hstmosaic.text import count_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hstmosaic.plan.boxes import Box
    from hstmosaic.plan.layers import Layer
    from hstmosaic.plan.plan import Plan
    from hstmosaic.products.gather import Gathered
    from hstmosaic.products.header_notes import HeaderNotes
    from hstmosaic.run.stages.run_state import Run
    from hstmosaic.run.stages.scheduler import EndedTask
    from hstmosaic.run.stages.screening import Verdict
    from hstmosaic.store.run_directory import TaskDirectory
    from hstmosaic.store.task_specs import TaskResult

_ALL_LEFT_OUT = "screening left out all of its exposures; see the warnings above"


@dataclass(frozen=True)
class DrizzledLayer:
    """A layer whose tasks have ended well."""

    layer: Layer
    used: tuple[str, ...]
    """File names of the exposures in it."""
    boxes: tuple[EndedTask, ...]
    """The task of each box."""
    published: tuple[Gathered, ...] | None = None
    """What an earlier start put into the output directory, if all of it is still there."""


def usable_exposures(run: Run, layer: Layer, verdicts: Sequence[Verdict]) -> tuple[str, ...]:
    """Return the exposures of a layer to drizzle; a layer without any fails.

    Parameters
    ----------
    run : Run
        The run.
    layer : Layer
        The layer.
    verdicts : sequence of Verdict
        Of all its exposures.
    """
    for verdict in verdicts:
        if verdict.failure:
            run.fail(layer, f"screening of {verdict.exposure} failed: {verdict.failure}", verdict.task)
            return ()
    used = tuple(verdict.exposure for verdict in verdicts if verdict.used)
    if not used:
        # a crash says more than a verdict
        crashed = [item for item in run.results.left_out if item.crashed and item.name in layer.exposures]
        cause = f"no exposure is left; {crashed[0].name}: {crashed[0].reason}" if crashed else _ALL_LEFT_OUT
        name = crashed[0].name if crashed else layer.exposures[0]
        run.fail(layer, cause, next(verdict.task for verdict in verdicts if verdict.exposure == name))
    return used


async def drizzle(
    run: Run, plan: Plan, layer: Layer, used: tuple[str, ...], notes: HeaderNotes
) -> DrizzledLayer | None:
    """Drizzle a layer, one task for each box.

    Parameters
    ----------
    run : Run
        The run.
    plan : Plan
        With the exposures as they are to be drizzled.
    layer : Layer
        One of its layers.
    used : tuple of str
        File names of the exposures to drizzle.
    notes : HeaderNotes
        Records for the headers of the mosaics.

    Returns
    -------
    DrizzledLayer or None
        None if it failed, which has been reported.
    """
    tasks = [_task(run, plan, layer, box, used, notes) for box in boxes_of(layer, plan.tight_limits)]
    earlier = [found for task in tasks if (found := run.scheduler.finished(task)) is not None]
    if len(earlier) == len(tasks):
        published = still_gathered(earlier[0].directory.path, run.directory.output)
        if published is not None:
            return _checked(run, DrizzledLayer(layer, used, tuple(earlier), published))
    pending = [run.scheduler.start_task(task) for task in tasks]
    if not all(one.done for one in pending):
        words = f"drizzling {layer.name}: {count_of(len(used), 'exposure')}"
        run.events.emit(Drizzling(layer.name), words)
    ended = await all_of(pending)
    return _checked(run, DrizzledLayer(layer, used, tuple(ended)))


def gather(run: Run, drizzled: DrizzledLayer) -> None:
    """Move the products of a layer to the output directory, and report them.

    Parameters
    ----------
    run : Run
        The run.
    drizzled : DrizzledLayer
        The layer.
    """
    layer, (box, *_) = drizzled.layer, drizzled.boxes
    if drizzled.published is not None:
        run.results.gathered += drizzled.published
        words = f"{layer.name} was finished before"
        run.events.emit(Reused(layer.name, box.directory.name), words)
        return
    move = move_products if run.options.stub else gather_layer
    made = box.result.read(DrizzleResult).files
    try:
        run.results.gathered += move(layer, drizzled.used, made, box.directory.path, run.directory.output)
    except (ProductError, OSError) as error:
        run.fail(layer, str(error), box.directory)
        return
    if not run.options.keep_work:
        box.directory.remove_work()
    took = box.measured
    words = f" in {took.wall_seconds:.0f} s with {took.max_rss_mb / 1000:.1f} GB" if took else ""
    names = ", ".join(product.name for product in layer.products)
    run.events.emit(event_payloads.Gathered(layer.name, took), f"{names} made{words}")


def _task(run: Run, plan: Plan, layer: Layer, box: Box, used: Sequence[str], notes: HeaderNotes) -> Task:
    results, options = run.results, run.options
    return Task(
        name=box.task,
        spec=StubSpec(products=(*product_names(layer), *tile_names(layer)))
        if options.stub
        else drizzle_spec(plan, layer, box, used, notes, results.sha256, results.repairs, options.log_level),
        inputs=file_states(listed_exposures(plan, layer)),
        estimate=layer.estimate,
        priority=1 + round(layer.estimate.seconds),
        is_intact=lambda directory, result: _is_intact(run, directory, result),
    )


def _is_intact(run: Run, directory: TaskDirectory, result: TaskResult) -> bool:
    return bool(result.files) and directory.is_intact(result, run.directory.output)


def _checked(run: Run, drizzled: DrizzledLayer) -> DrizzledLayer | None:
    """Report what went wrong in the tasks of a layer; fallbacks of libraries fail it under ``--strict``."""
    for ended in drizzled.boxes:
        if not ended.result.ok:
            run.fail(drizzled.layer, ended.result.error, ended.directory)
            return None
        grave = report_warnings(drizzled.layer.name, ended.result.warnings, run.events)
        if grave and run.options.strict:
            run.fail(drizzled.layer, f"{'; '.join(map(str, grave))}; {WITHOUT_STRICT}", ended.directory)
            return None
    return drizzled
