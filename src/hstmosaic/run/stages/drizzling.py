"""The stages that drizzle a layer and gather its products."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from hstmosaic.plan.estimates import box_pixels
from hstmosaic.products.gather import gather_layer, move_products, product_names, still_gathered, tile_names
from hstmosaic.products.product_check import ProductError
from hstmosaic.run.stages.drizzle_specs import drizzle_spec, listed_exposures
from hstmosaic.run.stages.scheduler import Task, all_of
from hstmosaic.run.stages.screening import WITHOUT_STRICT
from hstmosaic.run.stages.task_inputs import file_states
from hstmosaic.store import stage_events
from hstmosaic.store.events import report_warnings
from hstmosaic.store.measured import together
from hstmosaic.store.stage_events import Drizzling, Reused
from hstmosaic.store.task_names import box_task, drizzle_task, prepare_task
from hstmosaic.store.task_results import BoxTaskResult, DrizzleResult, PrepareResult
from hstmosaic.store.task_specs import AssembleSpec, BoxSpec, DrizzleSpec, PrepareSpec, StubSpec
from hstmosaic.text import count_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hstmosaic.plan.layers import Layer
    from hstmosaic.plan.plan import Plan
    from hstmosaic.products.gather import Gathered
    from hstmosaic.products.header_notes import HeaderNotes
    from hstmosaic.run.stages.run_state import Run
    from hstmosaic.run.stages.scheduler import EndedTask
    from hstmosaic.run.stages.screening import Verdict
    from hstmosaic.store.result_files import TaskResult
    from hstmosaic.store.run_directory import TaskDirectory

_ALL_LEFT_OUT = "screening left out all of its exposures; see the warnings above"


@dataclass(frozen=True)
class DrizzledLayer:
    """A layer whose tasks have ended well."""

    layer: Layer
    used: tuple[str, ...]
    """File names of the exposures in it."""
    ended: EndedTask
    """The task that made its products."""
    parts: tuple[EndedTask, ...] = ()
    """The tasks before it, if it was divided."""
    published: tuple[Gathered, ...] | None = None
    """Products of an earlier start in the output directory, if all of them are still there."""


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
        # a crash explains more than a verdict
        crashed = [item for item in run.results.left_out if item.crashed and item.name in layer.exposures]
        cause = f"no exposure is left; {crashed[0].name}: {crashed[0].reason}" if crashed else _ALL_LEFT_OUT
        name = crashed[0].name if crashed else layer.exposures[0]
        run.fail(layer, cause, next(verdict.task for verdict in verdicts if verdict.exposure == name))
    return used


async def drizzle(
    run: Run, plan: Plan, layer: Layer, used: tuple[str, ...], notes: HeaderNotes
) -> DrizzledLayer | None:
    """Drizzle a layer, in several tasks if it is divided into boxes.

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
        None if it failed; the failure is reported here.
    """
    task = _task(run, plan, layer, used, notes)
    earlier = run.scheduler.finished(task)
    if earlier is not None:
        published = still_gathered(earlier.directory.path, run.directory.output)
        if published is not None:
            return _checked(run, DrizzledLayer(layer, used, earlier, published=published))
        if task.is_intact(earlier.directory, earlier.result):
            return _checked(run, DrizzledLayer(layer, used, await run.scheduler.start_task(task)))
    words = f"drizzling {layer.name}: {count_of(len(used), 'exposure')}"
    run.events.emit(Drizzling(layer.name), words)
    if layer.boxes == 1 or run.options.stub:
        return _checked(run, DrizzledLayer(layer, used, await run.scheduler.start_task(task)))
    return await _in_boxes(run, layer, used, task)


def gather(run: Run, drizzled: DrizzledLayer) -> None:
    """Move the products of a layer to the output directory, and report them.

    Parameters
    ----------
    run : Run
        The run.
    drizzled : DrizzledLayer
        The layer.
    """
    layer, ended = drizzled.layer, drizzled.ended
    made = ended.result.read(DrizzleResult)
    if drizzled.published is not None:
        run.results.gathered += drizzled.published
        run.results.sources[layer.name] = made.sources
        words = f"{layer.name} was finished before"
        run.events.emit(Reused(layer.name, ended.directory.name), words)
        return
    move = move_products if run.options.stub else gather_layer
    try:
        run.results.gathered += move(layer, drizzled.used, made.files, ended.directory.path, run.directory.output)
    except (ProductError, OSError) as error:
        run.fail(layer, str(error), ended.directory)
        return
    run.results.sources[layer.name] = made.sources
    if not run.options.keep_work:
        for part in (*drizzled.parts, ended):
            part.directory.remove_work()
    took = together([part.measured for part in (*drizzled.parts, ended)])
    words = f" in {took.wall_seconds:.0f} s with {took.max_rss_mb / 1000:.1f} GB" if took else ""
    names = ", ".join(product.name for product in layer.products)
    run.events.emit(stage_events.Gathered(layer.name, took), f"{names} made{words}")


def _task(run: Run, plan: Plan, layer: Layer, used: Sequence[str], notes: HeaderNotes) -> Task:
    """Return the task that makes a layer that is not divided."""
    results, options = run.results, run.options
    return Task(
        name=drizzle_task(layer.name),
        spec=StubSpec(products=(*product_names(layer), *tile_names(layer)))
        if options.stub
        else drizzle_spec(plan, layer, used, notes, results.sha256, results.repairs, options.log_level),
        inputs=file_states(listed_exposures(plan, layer)),
        estimate=layer.estimate,
        priority=1 + round(layer.estimate.seconds),
        is_intact=lambda directory, result: _is_intact(run, directory, result),
    )


async def _in_boxes(run: Run, layer: Layer, used: tuple[str, ...], whole: Task) -> DrizzledLayer | None:
    """Prepare a layer, drizzle its boxes, and assemble them."""
    assert isinstance(whole.spec, DrizzleSpec)
    estimates, pixels = run.plan.estimates, box_pixels(run.plan.division.memory_mb)
    name = prepare_task(layer.name)
    task = replace(whole, name=name, spec=PrepareSpec(whole.spec, pixels, layer.boxes), estimate=estimates[name])
    prepared = await run.scheduler.start_task(task)
    if not _is_good(run, layer, prepared):
        return None
    boxes = []
    for number, places in enumerate(prepared.result.read(PrepareResult).boxes):
        name = box_task(layer.name, number)
        spec = BoxSpec(str(prepared.directory.path), run.scheduler.key(task), places)
        boxes.append(run.scheduler.start_task(replace(whole, name=name, spec=spec, estimate=estimates[name])))
    drizzled = await all_of(boxes)
    if not all(_is_good(run, layer, ended) for ended in drizzled):
        return None
    records = tuple(
        (product, str(ended.directory.work / record))
        for ended in drizzled
        for product, record in ended.result.read(BoxTaskResult).records
    )
    assembly = AssembleSpec(whole.spec, str(prepared.directory.path), records)
    task = replace(whole, spec=assembly, estimate=estimates[whole.name], same_as=whole.spec)
    ended = await run.scheduler.start_task(task)
    # its fallbacks are those of the task that prepared it, which were reported
    return DrizzledLayer(layer, used, ended, (prepared, *drizzled)) if _is_sound(run, layer, ended) else None


def _is_intact(run: Run, directory: TaskDirectory, result: TaskResult) -> bool:
    return bool(result.files) and directory.is_intact(result, run.directory.output)


def _checked(run: Run, drizzled: DrizzledLayer) -> DrizzledLayer | None:
    return drizzled if _is_good(run, drizzled.layer, drizzled.ended) else None


def _is_good(run: Run, layer: Layer, ended: EndedTask) -> bool:
    """Report failure and fallbacks of a task of a layer; fallbacks fail it under ``--strict``."""
    if not _is_sound(run, layer, ended):
        return False
    grave = report_warnings(layer.name, ended.result.warnings, run.events)
    if grave and run.options.strict:
        run.fail(layer, f"{'; '.join(map(str, grave))}; {WITHOUT_STRICT}", ended.directory)
        return False
    return True


def _is_sound(run: Run, layer: Layer, ended: EndedTask) -> bool:
    """Report the failure of a task of a layer."""
    if not ended.result.ok:
        run.fail(layer, ended.result.error, ended.directory)
    return ended.result.ok
