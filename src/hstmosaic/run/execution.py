"""Execution of a planned run: pool, stages, and the record of the end however the run ends."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hstmosaic.plan.outlines import write_outlines
from hstmosaic.run.dask_settings import check_dask_settings
from hstmosaic.run.earlier_run import Comparison, write_options
from hstmosaic.run.ending import end_run
from hstmosaic.run.heartbeat import heartbeat
from hstmosaic.run.history import learning, place_of
from hstmosaic.run.outcome import Outcome, as_user_error, stop_message
from hstmosaic.run.painter import painting
from hstmosaic.run.plan_events import emit_plan
from hstmosaic.run.profiles.image import folders_of
from hstmosaic.run.stages.order import make_mosaics
from hstmosaic.run.stages.run_state import Results, Run
from hstmosaic.run.stages.scheduler import Scheduler
from hstmosaic.store.events import log_to
from hstmosaic.store.files import ENCODING
from hstmosaic.store.stage_events import Fallback, Note

if TYPE_CHECKING:
    from distributed import Client

    from hstmosaic.plan.plan import Plan
    from hstmosaic.run.options import RunOptions
    from hstmosaic.store.events import Event, EventLog
    from hstmosaic.store.run_directory import RunDirectory


def execute(
    plan: Plan,
    options: RunOptions,
    directory: RunDirectory,
    earlier: Comparison,
    events: EventLog,
    client: Client | None,
    started: float,
    key: str | None,
) -> Outcome:
    """Run the stages of a plan, and record how the run ended.

    Parameters
    ----------
    plan : Plan
        The plan.
    options : RunOptions
        Options of the run.
    directory : RunDirectory
        The run directory, which is created if it is missing.
    earlier : Comparison
        Comparison with the earlier run in the same place.
    events : EventLog
        Receives the events; those of the run log from here on.
    client : distributed.Client, optional
        Of the allocation, where the run is in one.
    started : float
        When the run started, seconds since 1970.
    key : str, optional
        Digest of everything that the plan was made from.

    Returns
    -------
    Outcome
        Also when layers failed.

    Raises
    ------
    ProfileError
        If Dask cannot read the user's configuration; nothing is written then.
    RunBusyError
        If another driver works on the same run.
    """
    check_dask_settings()
    from hstmosaic.run.library_log import library_log

    directory.create()
    with directory.locked(), library_log(directory.library_log):
        events.add_listener(log_to(directory.log_file))
        progress = _Progress(plan, directory, started, earlier, key)
        events.add_listener(progress.note_fallback)
        place = place_of(options.profile)
        taught = learning(plan.estimates, place, events, enabled=options.learning and not options.stub)
        try:
            with heartbeat(events), taught, painting(plan, options, directory, events) as painter:
                _make(progress, options, events, client)
                if painter is not None:
                    progress.results.pictures = painter.finish(events)
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


@dataclass
class _Progress:
    """Progress of a run, from which its outcome is made whenever it ends."""

    plan: Plan
    directory: RunDirectory
    started: float
    earlier: Comparison
    key: str | None
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
    from hstmosaic.run.open_pool import open_pool

    plan, directory = progress.plan, progress.directory
    progress.earlier.remove_orphans(directory)
    directory.plan_key_file.unlink(missing_ok=True)
    directory.plan_file.write_text(plan.to_json(), ENCODING)
    if progress.key is not None:
        directory.plan_key_file.write_text(progress.key, ENCODING)
    write_options(directory, options)
    write_outlines(directory.outlines_file, plan)
    emit_plan(plan, options, events)
    for addition in progress.earlier.additions:
        events.emit(Note(), addition, "info")
    profile = options.profile.seeing(folders_of(plan, directory.output))
    with open_pool(profile, directory, events, options.workers, client, keep_work=options.keep_work) as pool:
        pool.check(plan.tasks(aligned=options.aligned).values())
        scheduler = Scheduler(directory, pool, plan.versions, events)
        scheduler.run(make_mosaics(Run(plan, options, directory, scheduler, events, progress.results)))
