"""``hstmosaic run``."""

from __future__ import annotations

import signal
import sys
from typing import TYPE_CHECKING, Any

import click

from hstmosaic.cli.config import ConfiguredCommand, describe_settings
from hstmosaic.cli.json_output import json_errors
from hstmosaic.cli.options import CONTEXT, examples, run_options
from hstmosaic.cli.plan_text import describe_dry_run
from hstmosaic.cli.request import requested_options
from hstmosaic.cli.terminal import terminal_listener

if TYPE_CHECKING:
    from pathlib import Path


@click.command(cls=ConfiguredCommand, context_settings=CONTEXT)
@run_options
@click.option("--dry-run", is_flag=True, help="Show what the run would do, as hstmosaic plan does, and exit.")
@click.option("--json", "as_json", is_flag=True, help="Print events as JSON, one per line; with --dry-run, the plan.")
@examples(
    "hstmosaic run list.txt -s",
    'hstmosaic run "data/*_flc.fits" -s -o goods-south --output-dir mosaics',
    "hstmosaic run list.txt -s --keep ib6o21raq_flt.fits --workers 4",
    "hstmosaic run list.txt -s --profile slurm --show-jobs",
    "hstmosaic run --like mosaics --output-dir again",
)
@click.pass_context
def run(
    context: click.Context,
    /,
    sources: tuple[str, ...],
    like: Path | None,
    profile: str,
    show_jobs: bool,
    dry_run: bool,
    quiet: bool,
    as_json: bool,
    **given: Any,
) -> None:
    """Make the mosaics, or resume an interrupted run.

    INPUT is a list, a search pattern, a folder, or - for a list on standard input. Options can also be set in
    hstmosaic.toml next to the list, and by variables such as HSTMOSAIC_OUTPUT_DIR.
    """
    from hstmosaic.run.driver import run_mosaic

    if not (quiet or as_json):
        for line in describe_settings(context):
            click.echo(line, err=True)
    _interrupt_on(signal.SIGTERM, signal.SIGHUP)
    with json_errors(as_json):
        if quiet and as_json:
            raise click.UsageError("--quiet and --json exclude each other")
        options = requested_options(context, sources, like, profile, given)
        if show_jobs:
            from hstmosaic.run.job_preview import shown_jobs

            click.echo(shown_jobs(options))
            return
        if dry_run:
            from hstmosaic.run.dry_run import dry_run as plan_run

            found = plan_run(options)
            click.echo(found.plan.to_json() if as_json else describe_dry_run(found))
            return
        with terminal_listener(options.log_level, quiet=quiet, as_json=as_json) as listener:
            outcome = run_mosaic(options, listener)
    sys.exit(outcome.exit_code)


def _interrupt_on(*numbers: int) -> None:
    """End the run on these signals as on Ctrl-C; those that nohup ignores stay ignored."""
    for number in numbers:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _interrupt)


def _interrupt(*_: Any) -> None:
    raise KeyboardInterrupt
