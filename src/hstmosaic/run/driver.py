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
from hstmosaic.products.gather import Gathered, publish
from hstmosaic.run.disk_space import check_room, room_needed, unusable
from hstmosaic.run.ending import end_run
from hstmosaic.run.heartbeat import announced, heartbeat
from hstmosaic.run.history import learned_for, learning, place_of
from hstmosaic.run.library_log import library_log
from hstmosaic.run.node.zygote import warm_zygote
from hstmosaic.run.open_pool import open_pool
from hstmosaic.run.options import RunOptions, command_record
from hstmosaic.run.outcome import Outcome, as_user_error
from hstmosaic.run.pictures import draw_on_worker
from hstmosaic.run.profiles.image import folders_of
from hstmosaic.run.stages.aligner import Aligner
from hstmosaic.run.stages.alignment import AlignOptions
from hstmosaic.run.stages.schedule import Progress, Schedule, Settings
from hstmosaic.store.events import EventLog, is_milestone, log_to
from hstmosaic.store.files import ENCODING
from hstmosaic.store.run_directory import RunDirectory, run_directory, written_by_owner_alone
from hstmosaic.store.task_specs import FALLBACK

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from distributed import Client

    from hstmosaic.plan.estimates import Learned
    from hstmosaic.plan.plan import Plan
    from hstmosaic.store.events import Event


_MANY = 100
"""So many exposures take seconds to read."""


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
        If an input cannot be used, with all problems; nothing has been written then.
    OutputError
        If the output directory is not writable or too small; nothing has been written then.
    RunBusyError
        If another driver works on the same run.
    """
    if listener is None:
        with progress_bar() as bar:
            return run_mosaic(options, bar)
    started = time.time()
    # drizzlepac's import goes on while headers are read; on a login node there is none
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
        read_catalog(options.catalog)  # an error in it is told before anything is started
    place = place_of(options.profile)
    plan = _plan(options, events, learned_for(place, wanted=options.learning))
    directory = run_directory(options.output.absolute(), plan.prefix)
    check_room(directory.output, room_needed(plan, directory, options))
    directory.create()
    with directory.locked(), library_log(directory.library_log):
        events.add_listener(log_to(directory.log_file))
        work = _Work(plan, directory, options, started)
        events.add_listener(work.note_fallback)
        taught = learning(plan.estimates, place, events, wanted=options.learning and not options.stub)
        try:
            with heartbeat(events), taught:
                _run_plan(work, options, events, client)
        except BaseException as caught:
            error = as_user_error(caught, directory.output)
            try:
                end_run(work.outcome(error), options, directory, events)
            finally:
                raise error
        outcome = work.outcome()
        end_run(outcome, options, directory, events, work.pictures)
    return outcome


def _plan(options: RunOptions, events: EventLog, learned: Learned) -> Plan:
    """Plan; what is wrong with inputs and with the output directory is told together."""
    no_room = unusable(options.output.absolute())

    def on_read(done: int, total: int) -> None:
        if total >= _MANY and is_milestone(done, total):
            events.emit("reading", f"read the headers of {done} of {total} exposure(s)", done=done, total=total)

    try:
        plan = make_plan(
            options.source,
            prefix=options.product_prefix,
            strict=options.strict,
            keep=options.keep,
            on_read=on_read,
            learned=learned,
            request=options.request,
        )
    except BadInputError as error:
        raise (error if no_room is None else error.with_output(no_room)) from None
    if no_room is not None:
        raise no_room
    return plan


@dataclass
class _Work:
    """A run on its way: what there is to tell of it, whenever it ends."""

    plan: Plan
    directory: RunDirectory
    options: RunOptions
    started: float
    aligner: Aligner | None = None
    progress: Progress = field(default_factory=Progress)
    aligned: tuple[Gathered, ...] = ()
    pictures: list[Gathered] | None = None
    fallbacks: dict[str, list[str]] = field(default_factory=dict)

    def note_fallback(self, event: Event) -> None:
        """Keep what an event reports, if it is a fallback."""
        if event.kind == FALLBACK:
            self.fallbacks.setdefault(event.data["fallback"], []).append(event.data["name"])

    def outcome(self, error: BaseException | None = None) -> Outcome:
        return Outcome(
            plan=self.plan,
            products=(*self.progress.gathered, *self.aligned),
            left_out=(*self.plan.excluded, *self.progress.left_out),
            failures=tuple(self.progress.failures),
            directory=self.directory.path,
            started=self.started,
            ended=time.time(),
            checksums=dict(self.progress.sha256),
            alignment=self.aligner.result if self.aligner is not None else None,
            error=error,
            fallbacks=dict(self.fallbacks),
            repairs=dict(self.progress.repairs),
        )


def _run_plan(work: _Work, options: RunOptions, events: EventLog, client: Client | None) -> None:
    plan, directory = work.plan, work.directory
    directory.plan_file.write_text(plan.to_json(), ENCODING)
    write_outlines(directory.outlines_file, plan)
    names = ", ".join(layer.name for layer in plan.layers)
    events.emit(
        "planned",
        f"{len(plan.exposures)} exposure(s) in {len(plan.layers)} layer(s) on {plan.projection_cell}: {names}",
        asked=command_record(options),
        **announced(plan, aligned=options.aligned, stub=options.stub),
    )
    for exclusion in plan.excluded:
        events.emit("left out", f"{exclusion.name} is left out: {exclusion.reason}; {exclusion.next_step}", "warning")
    for note in (*options.notes, *plan.notes):
        events.emit("note", note, "warning")
    settings = Settings(
        log_level=options.log_level,
        keep=frozenset(options.keep),
        keep_work=options.keep_work,
        strict=options.strict,
        stub=options.stub,
    )
    profile = options.profile.seeing(folders_of(plan, directory.output))
    with open_pool(profile, directory, events, options.workers, client, keep_work=options.keep_work) as pool:
        pool.check(plan.tasks(aligned=options.aligned).values())
        if options.aligned:
            how = AlignOptions(
                options.catalog,
                required=options.require_alignment,
                strict=options.strict,
                log_level=options.log_level,
            )
            work.aligner = Aligner(directory, pool, how, events)
            work.aligner.start_ahead(plan)
        Schedule(plan, directory, pool, settings, events, work.progress, before_drizzling=work.aligner).run()
        if work.aligner is not None and work.progress.gathered:
            work.aligned = publish(work.aligner.files(), directory.output)
        if profile.cluster == "slurm" and not options.stub:
            work.pictures = draw_on_worker(plan, directory, pool, events)
