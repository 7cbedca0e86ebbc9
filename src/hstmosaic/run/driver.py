"""The driver: from a list of exposures to mosaics."""

from __future__ import annotations

import time
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from hstmosaic.errors import BadInputError
from hstmosaic.monitor.progress_bar import progress_bar
from hstmosaic.plan.build import make_plan
from hstmosaic.plan.outlines import write_outlines
from hstmosaic.plan.user_catalog import read_catalog
from hstmosaic.run.disk_space import check_room, room_needed, unusable
from hstmosaic.run.earlier_run import Comparison, compare_with_earlier, write_options
from hstmosaic.run.ending import end_run
from hstmosaic.run.heartbeat import heartbeat, planned
from hstmosaic.run.history import learned_for, learning, place_of
from hstmosaic.run.library_log import library_log
from hstmosaic.run.node.zygote import warm_zygote
from hstmosaic.run.open_pool import open_pool
from hstmosaic.run.options import RunOptions
from hstmosaic.run.outcome import Outcome, as_user_error, stop_message
from hstmosaic.run.profiles.image import folders_of
from hstmosaic.run.stages.order import make_mosaics
from hstmosaic.run.stages.run_state import Results, Run
from hstmosaic.run.stages.scheduler import Scheduler
from hstmosaic.run.up_to_date import earlier_outcome, emit_nothing_to_do
from hstmosaic.store.events import EventLog, is_milestone, log_to
from hstmosaic.store.files import ENCODING
from hstmosaic.store.run_directory import RunDirectory, run_directory, written_by_owner_alone
from hstmosaic.store.stage_events import Fallback, HeaderRejected, Note, Reading
from hstmosaic.text import count_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from distributed import Client

    from hstmosaic.plan.estimates import Learned
    from hstmosaic.plan.plan import Plan
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
    # drizzlepac is imported while headers are read, except on a login node
    warnings: list[str] = []
    with written_by_owner_alone(), _ready(options, warnings.append) as client:
        options = replace(options, notes=(*options.notes, *warnings))
        return _run(options, EventLog(listener), started, client)


def _ready(options: RunOptions, warn: Callable[[str], None]) -> AbstractContextManager[Client | None]:
    if options.profile.cluster == "local":
        return warm_zygote()
    if options.profile.cluster == "allocation":
        from hstmosaic.run.slurm.allocation import allocation_client

        return allocation_client(options.profile, options.output.absolute(), warn)
    return nullcontext()


def _run(options: RunOptions, events: EventLog, started: float, client: Client | None) -> Outcome:
    if options.catalog is not None and not options.skip_alignment:
        read_catalog(options.catalog)  # report its errors before anything starts
    place = place_of(options.profile)
    plan = _plan(options, events, learned_for(place, enabled=options.learning))
    directory = run_directory(options.output.absolute(), plan.prefix)
    earlier = compare_with_earlier(plan, options, directory)
    earlier.check(directory, replace=options.replace)
    finished = earlier_outcome(plan, options, directory, time.time())
    if finished is not None:
        _emit_plan(plan, options, events)
        emit_nothing_to_do(finished, options, events)
        return finished
    check_room(directory.output, room_needed(plan, directory, options))
    directory.create()
    with directory.locked(), library_log(directory.library_log):
        events.add_listener(log_to(directory.log_file))
        progress = _Progress(plan, directory, started, earlier)
        events.add_listener(progress.note_fallback)
        taught = learning(plan.estimates, place, events, enabled=options.learning and not options.stub)
        try:
            with heartbeat(events), taught:
                _make(progress, options, events, client)
        except BaseException as caught:
            error = as_user_error(caught, directory.output)
            try:
                end_run(progress.outcome(error), options, directory, events)
            except Exception as second:
                words = f"the end of the run could not be recorded: {stop_message(second)}"
                events.emit(Note(), words, "warning")
                error.add_note(words)
            if error is caught:
                raise
            raise error from caught
        outcome = progress.outcome()
        end_run(outcome, options, directory, events, progress.results.pictures)
    return outcome


def _plan(options: RunOptions, events: EventLog, learned: Learned) -> Plan:
    """Make the plan; problems of inputs and of the output directory are reported together."""
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


@dataclass
class _Progress:
    """Progress of a run, from which its outcome is made whenever it ends."""

    plan: Plan
    directory: RunDirectory
    started: float
    earlier: Comparison
    results: Results = field(default_factory=Results)
    fallbacks: dict[str, list[str]] = field(default_factory=dict)

    def note_fallback(self, event: Event) -> None:
        """Keep what an event reports, if it is a fallback."""
        if isinstance(event.payload, Fallback):
            self.fallbacks.setdefault(event.payload.fallback, []).append(event.payload.name)

    def outcome(self, error: BaseException | None = None) -> Outcome:
        """Return the outcome of the run if it ends now."""
        results = self.results
        return Outcome(
            plan=self.plan,
            products=tuple(results.gathered),
            left_out=(*self.plan.excluded, *results.left_out),
            failures=tuple(results.failures),
            directory=self.directory.path,
            started=self.started,
            ended=time.time(),
            checksums=dict(results.sha256),
            alignment=results.alignment,
            error=error,
            fallbacks=dict(self.fallbacks),
            repairs=dict(results.repairs),
            registration=tuple(results.registration),
            stars=tuple(results.stars),
        )


def _make(progress: _Progress, options: RunOptions, events: EventLog, client: Client | None) -> None:
    """Report the plan, open the pool, and run the stages."""
    plan, directory = progress.plan, progress.directory
    progress.earlier.remove_orphans(directory)
    directory.plan_file.write_text(plan.to_json(), ENCODING)
    write_options(directory, options)
    write_outlines(directory.outlines_file, plan)
    _emit_plan(plan, options, events)
    for addition in progress.earlier.additions:
        events.emit(Note(), addition, "info")
    profile = options.profile.seeing(folders_of(plan, directory.output))
    with open_pool(profile, directory, events, options.workers, client, keep_work=options.keep_work) as pool:
        pool.check(plan.tasks(aligned=options.aligned).values())
        scheduler = Scheduler(directory, pool, plan.versions, events)
        scheduler.run(make_mosaics(Run(plan, options, directory, scheduler, events, progress.results)))


def _emit_plan(plan: Plan, options: RunOptions, events: EventLog) -> None:
    names = ", ".join(layer.name for layer in plan.layers)
    exposures, layers = count_of(len(plan.exposures), "exposure"), count_of(len(plan.layers), "layer")
    events.emit(planned(plan, options), f"{exposures} in {layers} on {plan.projection_cell}: {names}")
    for exclusion in plan.excluded:
        words = f"{exclusion.name} is left out: {exclusion.reason}; {exclusion.next_step}"
        events.emit(HeaderRejected(), words, "warning")
    for note in (*options.notes, *plan.notes):
        events.emit(Note(), note, "warning")
