"""Events that report the plan of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hstmosaic.run.options import command_record
from hstmosaic.run.pictures import fits_beside_tasks, seconds_left_to_draw
from hstmosaic.store.stage_events import HeaderRejected, Note, Planned
from hstmosaic.text import count_of

if TYPE_CHECKING:
    from hstmosaic.plan.plan import Plan
    from hstmosaic.run.options import RunOptions
    from hstmosaic.store.events import EventLog


def planned(plan: Plan, options: RunOptions) -> Planned:
    """Return the data of the event that reports a plan, from which the state of a run begins.

    Parameters
    ----------
    plan : Plan
        The plan.
    options : RunOptions
        Options of the run.
    """
    drawing = 0.0
    if not options.stub:
        early = options.draws_beside_tasks and fits_beside_tasks(plan)
        drawing = seconds_left_to_draw(plan, beside_tasks=early) * plan.learned.machine * plan.learned.pace
    return Planned(
        command=command_record(options),
        tasks={
            task: (1.0 if options.stub else estimate.seconds, estimate.memory_mb, estimate.group)
            for task, estimate in plan.tasks(aligned=options.aligned).items()
        },
        layers={layer.name: list(layer.exposures) for layer in plan.layers},
        pace=plan.learned.pace,
        pictures_s=round(drawing, 2),
    )


def emit_plan(plan: Plan, options: RunOptions, events: EventLog) -> None:
    """Report a plan, its left-out exposures, and its notes.

    Parameters
    ----------
    plan : Plan
        The plan.
    options : RunOptions
        Options of the run.
    events : EventLog
        Receives the events.
    """
    names = ", ".join(layer.name for layer in plan.layers)
    exposures, layers = count_of(len(plan.exposures), "exposure"), count_of(len(plan.layers), "layer")
    events.emit(planned(plan, options), f"{exposures} in {layers} on {plan.projection_cell}: {names}")
    for exclusion in plan.excluded:
        words = f"{exclusion.name} is left out: {exclusion.reason}; {exclusion.next_step}"
        events.emit(HeaderRejected(), words, "warning")
    for note in (*options.notes, *plan.notes):
        events.emit(Note(), note, "warning")
