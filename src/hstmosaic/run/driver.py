"""The driver: from a list of exposures to mosaics."""

from __future__ import annotations

import time
from contextlib import nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING

from hstmosaic.errors import BadInputError
from hstmosaic.monitor.progress_bar import progress_bar
from hstmosaic.plan.names import json_manifest_name
from hstmosaic.run.disk_space import check_room, room_needed, unusable
from hstmosaic.run.earlier_run import compare_with_earlier
from hstmosaic.run.history import learned_for, place_of
from hstmosaic.run.node.zygote import warm_zygote
from hstmosaic.run.plan_events import emit_plan
from hstmosaic.run.plan_key import plan_key
from hstmosaic.run.up_to_date import earlier_outcome, emit_nothing_to_do, unchanged_outcome
from hstmosaic.store.events import EventLog, is_milestone
from hstmosaic.store.run_directory import run_directory, written_by_owner_alone
from hstmosaic.store.stage_events import Reading

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from distributed import Client

    from hstmosaic.plan.estimates import Learned
    from hstmosaic.plan.plan import Plan
    from hstmosaic.run.options import RunOptions
    from hstmosaic.run.outcome import Outcome
    from hstmosaic.store.events import Event


_MANY = 100
"""Number of exposures from which reading takes seconds."""


def run_mosaic(options: RunOptions, listener: Callable[[Event], None] | None = None) -> Outcome:
    """Make the mosaics of a list of exposures, or resume an earlier run with the same output.

    Parameters
    ----------
    options : RunOptions
        Exposures, output directory, profile and so on.
    listener : callable, optional
        Called with every `Event`; shows a progress bar in a notebook or on a terminal when None.

    Returns
    -------
    Outcome
        Also when layers failed.

    Raises
    ------
    AlignmentError
        If alignment is required and there was no good fit, or the user's catalogue cannot be used.
    ClusterError
        If the batch system refuses the run's jobs or a task is too large for any.
    BadInputError
        If an input cannot be used, with all problems; nothing is written then.
    OutputError
        If the output directory is not writable or too small, or holds other products of the same prefix and
        ``options.replace`` is not set; nothing is written then.
    RunBusyError
        If another driver works on the same run.
    """
    if listener is None:
        with progress_bar() as bar:
            return run_mosaic(options, bar)
    started = time.time()
    warnings: list[str] = []
    with written_by_owner_alone(), _ready(options, warnings.append) as client:
        options = replace(options, notes=(*options.notes, *warnings))
        return _run(options, EventLog(listener), started, client)


def _ready(options: RunOptions, warn: Callable[[str], None]) -> AbstractContextManager[Client | None]:
    # drizzlepac is imported while headers are read, except where there may be nothing to do, and on a login node
    if options.profile.cluster == "local" and not any(options.output.glob(f"*{json_manifest_name('')}")):
        return warm_zygote()
    if options.profile.cluster == "allocation":
        from hstmosaic.run.slurm.allocation import allocation_client

        return allocation_client(options.profile, options.output.absolute(), warn)
    return nullcontext()


def _run(options: RunOptions, events: EventLog, started: float, client: Client | None) -> Outcome:
    key = plan_key(options)
    finished = unchanged_outcome(options, key, time.time())
    if finished is not None:
        return _nothing_to_do(finished, options, events)
    if options.catalog is not None and not options.skip_alignment:
        from hstmosaic.plan.user_catalog import read_catalog

        read_catalog(options.catalog)  # report its errors before anything starts
    learned = learned_for(place_of(options.profile), enabled=options.learning)
    plan = _plan(options, events, learned)
    directory = run_directory(options.output.absolute(), plan.prefix)
    earlier = compare_with_earlier(plan, options, directory)
    earlier.check(directory, replace=options.replace)
    finished = earlier_outcome(plan, options, directory, time.time())
    if finished is not None:
        return _nothing_to_do(finished, options, events)
    check_room(directory.output, room_needed(plan, directory, options))
    with warm_zygote() if options.profile.cluster == "local" else nullcontext():
        # imports Dask, which a start with nothing to do does not need
        from hstmosaic.run.execution import execute

        return execute(plan, options, directory, earlier, events, client, started, key)


def _nothing_to_do(finished: Outcome, options: RunOptions, events: EventLog) -> Outcome:
    emit_plan(finished.plan, options, events)
    emit_nothing_to_do(finished, options, events)
    return finished


def _plan(options: RunOptions, events: EventLog, learned: Learned) -> Plan:
    """Make the plan; problems of inputs and of the output directory are reported together."""
    from hstmosaic.plan.build import make_plan  # imports astropy, which an unchanged run does not need

    no_room = unusable(options.output.absolute())

    def on_read(done: int, total: int) -> None:
        if total >= _MANY and is_milestone(done, total):
            events.emit(Reading(done, total), f"read the headers of {done} of {total} exposures")

    try:
        plan = make_plan(
            options.source,
            prefix=options.product_prefix,
            strict=options.strict,
            keep=options.keep,
            on_read=on_read,
            learned=learned,
            request=options.request,
            division=options.division,
        )
    except BadInputError as error:
        raise (error if no_room is None else error.with_output(no_room)) from None
    if no_room is not None:
        raise no_room
    return plan
