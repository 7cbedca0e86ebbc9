"""The driver: from a list of exposures to mosaics."""

from __future__ import annotations

import time
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from hstmosaic.errors import ExitCode
from hstmosaic.plan.build import make_plan
from hstmosaic.plan.checks import Exclusion
from hstmosaic.plan.names import manifest_name
from hstmosaic.plan.outlines import OUTLINES_FILE, write_outlines
from hstmosaic.plan.user_catalog import read_catalog
from hstmosaic.products.gather import Gathered, publish
from hstmosaic.products.manifest import write_manifest
from hstmosaic.run.aligner import Aligner
from hstmosaic.run.alignment import AlignOptions
from hstmosaic.run.cluster import open_pool
from hstmosaic.run.directory import RunDirectory, check_room, run_directory
from hstmosaic.run.events import Teller, is_milestone, log_to
from hstmosaic.run.profile import Profile
from hstmosaic.run.schedule import Failure, Progress, Schedule, Settings
from hstmosaic.run.showing import asked, draw_pictures, report, report_stop
from hstmosaic.run.zygote import warm_zygote

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from distributed import Client

    from hstmosaic.plan.plan import Plan
    from hstmosaic.run.events import Event


_MANY = 100
"""So many exposures take seconds to read."""


@dataclass(frozen=True)
class RunOptions:
    """What the user asks for."""

    source: str
    """Search pattern, list, or ``@`` and list."""
    prefix: str | None = None
    """Prefix of the products; the documented default when None."""
    skip_alignment: bool = False
    catalog: Path | None = None
    """Catalogue to align to; the catalogue service is asked when None."""
    require_alignment: bool = False
    """Make it an error if there is no good fit."""
    log_level: str = "info"
    """Of drizzlepac's logs and trailers."""
    output: Path = field(default_factory=Path)
    """Where the products go."""
    workers: int | None = None
    """Tasks at a time; the number of usable cores when None."""
    keep: tuple[str, ...] = ()
    """Names of exposures to use whatever the checks say."""
    strict: bool = False
    """Turn every exclusion into an error."""
    keep_work: bool = False
    """Keep the working directories of finished tasks."""
    stub: bool = False
    """Only pretend: tasks take a second and write tiny files, whose names begin with ``stub``."""
    profile: Profile = field(default_factory=lambda: Profile("local"))
    """Where tasks run."""


@dataclass(frozen=True)
class Outcome:
    """How a run ended."""

    plan: Plan
    products: tuple[Gathered, ...]
    left_out: tuple[Exclusion, ...]
    """By header checks and by screening."""
    failures: tuple[Failure, ...]
    directory: Path
    """The run directory."""
    seconds: float

    @property
    def exit_code(self) -> ExitCode:
        """What the shell is told."""
        if not self.failures:
            return ExitCode.OK
        screened = {exclusion.name for exclusion in self.left_out}
        nothing_left = all(exposure.name in screened for exposure in self.plan.exposures)
        return ExitCode.NOTHING_LEFT if nothing_left else ExitCode.LAYER_FAILED


def run_mosaic(options: RunOptions, listener: Callable[[Event], None]) -> Outcome:
    """Make the mosaics of a list of exposures; what an earlier run of the same finished is not done again.

    Parameters
    ----------
    options : RunOptions
        What the user asks for.
    listener : callable
        Hears every `Event`.

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
    started = time.time()
    # drizzlepac's import goes on while headers are read; on a login node there is none
    with _ready(options) as client:
        return _run(options, Teller(listener), started, client)


def _ready(options: RunOptions) -> AbstractContextManager[Client | None]:
    if options.profile.cluster == "local":
        return warm_zygote()
    if options.profile.cluster == "allocation":
        from hstmosaic.run.allocation import allocation_client

        return allocation_client(options.profile, options.output.absolute())
    return nullcontext()


def _run(options: RunOptions, tell: Teller, started: float, client: Client | None) -> Outcome:
    if options.catalog is not None and not options.skip_alignment:
        read_catalog(options.catalog)  # an error in it is told before anything is started

    def on_read(done: int, total: int) -> None:
        if total >= _MANY and is_milestone(done, total):
            tell("reading", f"read the headers of {done} of {total} exposure(s)", done=done, total=total)

    prefix = options.prefix
    if options.stub:
        # never in the place of a mosaic
        prefix = f"stub-{prefix}" if prefix else "stub"
    plan = make_plan(options.source, prefix=prefix, strict=options.strict, keep=options.keep, on_read=on_read)
    check_room(options.output.absolute(), sum(layer.estimate.disk_mb for layer in plan.layers))
    directory = run_directory(options.output.absolute(), plan.prefix)
    directory.create()
    with directory.locked():
        tell.add(log_to(directory.log_file))
        try:
            progress, aligned = _run_plan(plan, directory, options, tell, client)
        except BaseException as error:
            report_stop(directory, tell, error)
            raise
        if not options.stub:
            draw_pictures(directory, tell)
        outcome = Outcome(
            plan=plan,
            products=(*progress.gathered, *aligned),
            left_out=(*plan.excluded, *progress.left_out),
            failures=tuple(progress.failures),
            directory=directory.path,
            seconds=time.time() - started,
        )
        if outcome.products:
            write_manifest(
                directory.output / manifest_name(plan.prefix), [product.name for product in outcome.products]
            )
        _tell_end(outcome, tell)
        report(directory, tell)
    return outcome


def _run_plan(
    plan: Plan, directory: RunDirectory, options: RunOptions, tell: Teller, client: Client | None
) -> tuple[Progress, tuple[Gathered, ...]]:
    directory.plan_file.write_text(plan.to_json())
    write_outlines(directory.path / OUTLINES_FILE, plan)
    names = ", ".join(layer.name for layer in plan.layers)
    tell(
        "planned",
        f"{len(plan.exposures)} exposure(s) in {len(plan.layers)} layer(s) on {plan.projection_cell}: {names}",
        asked=asked(options),
    )
    for exclusion in plan.excluded:
        tell("left out", f"{exclusion.name} is left out: {exclusion.reason}; {exclusion.next_step}", "warning")
    for note in plan.notes:
        tell("note", note, "warning")
    settings = Settings(
        log_level=options.log_level,
        keep=frozenset(options.keep),
        keep_work=options.keep_work,
        strict=options.strict,
        stub=options.stub,
    )
    with open_pool(options.profile, directory, tell, options.workers, client) as pool:
        pool.check([layer.estimate for layer in plan.layers])
        if options.skip_alignment or options.stub:
            return Schedule(plan, directory, pool, settings, tell).run(), ()
        how = AlignOptions(options.catalog, required=options.require_alignment, log_level=options.log_level)
        aligner = Aligner(directory, pool, how, tell)
        progress = Schedule(plan, directory, pool, settings, tell, before_drizzling=aligner).run()
        return progress, publish(aligner.files(), directory.output) if progress.gathered else ()


def _tell_end(outcome: Outcome, tell: Teller) -> None:
    for failure in outcome.failures:
        tell("failed", f"{failure.layer} was not made: {failure.cause}; see {failure.log}", "error")
    made = f"{len(outcome.products)} file(s) in {outcome.directory.parent}"
    verdict = "finished" if not outcome.failures else f"{len(outcome.failures)} layer(s) failed"
    tell("finished", f"{verdict} after {outcome.seconds:.0f} s: {made}", "info", exit_code=int(outcome.exit_code))
