"""``hstmosaic run``."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from hstmosaic.cli.json_output import json_errors
from hstmosaic.cli.options import (
    CONTEXT,
    complete_files,
    examples,
    one_or_all,
    profile_option,
    requested,
    selection_options,
)
from hstmosaic.cli.terminal import LOG_LEVELS, terminal_listener
from hstmosaic.plan.request import DOCUMENTED

_CATALOG_HELP = "Align to this catalogue (ECSV, CSV, FITS or VOTable) instead of querying the catalogue service."
_LIKE_HELP = (
    "Repeat a run: an output directory, a run directory, or a _provenance.json file. Options given here replace the "
    "recorded ones."
)


@click.command(context_settings=CONTEXT)
@click.argument("sources", metavar="[INPUT...]", nargs=-1, shell_complete=complete_files)
@selection_options
@click.option("-s", "--skip-gaia-alignment", "skip_alignment", is_flag=True, help="Skip alignment; use the input WCS.")
@click.option(
    "-l",
    "--log-level",
    default="info",
    show_default=True,
    type=click.Choice(LOG_LEVELS),
    help="Level of detail on the terminal and in trailers.",
)
@click.option(
    "--output-dir", default=".", show_default=True, type=click.Path(path_type=Path), help="Directory for the products."
)
@click.option("--workers", type=click.IntRange(min=1), help="Number of parallel tasks.  [default: all usable cores]")
@profile_option
@click.option("--catalog", metavar="FILE", type=click.Path(path_type=Path), help=_CATALOG_HELP)
@click.option("--require-alignment", is_flag=True, help="Stop with an error if an exposure cannot be aligned.")
@click.option("--like", metavar="RUN", type=click.Path(path_type=Path), help=_LIKE_HELP)
@click.option("--show-jobs", is_flag=True, help="Print the job scripts and submit nothing.")
@click.option("--stub", is_flag=True, help="Run placeholder tasks that write tiny files, to test a cluster.")
@click.option("--keep-work", is_flag=True, help="Keep the working directories of finished tasks.")
@click.option("--quiet", "-q", is_flag=True, help="Print warnings and errors only.")
@click.option("--json", "as_json", is_flag=True, help="Print events as JSON, one per line.")
@examples(
    "hstmosaic run list.txt -s",
    'hstmosaic run "data/*_flc.fits" -s -o goods-south --output-dir mosaics',
    "hstmosaic run @list.txt -s --keep ib6o21raq_flt.fits --workers 4",
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
    quiet: bool,
    as_json: bool,
    **given: Any,
) -> None:
    """Make the mosaics, or resume an interrupted run."""
    from hstmosaic.run.dask_settings import check_dask_settings

    check_dask_settings()
    from hstmosaic.run.driver import run_mosaic
    from hstmosaic.run.options import RunOptions
    from hstmosaic.run.profiles.profile import load_profile

    if quiet and as_json:
        raise click.UsageError("--quiet and --json exclude each other")
    if given["skip_alignment"] and (given["catalog"] or given["require_alignment"]):
        raise click.UsageError("--skip-gaia-alignment excludes --catalog and --require-alignment", context)
    _interrupt_on(signal.SIGTERM, signal.SIGHUP)
    recorded = DOCUMENTED
    with json_errors(as_json):
        if like is not None:
            from hstmosaic.cli.bars import byte_bar
            from hstmosaic.run.repeat import repeated

            typed = {name for name in given if context.get_parameter_source(name) is ParameterSource.COMMANDLINE}
            then = repeated(_provenance(like), one_or_all(sources) if sources else None, byte_bar, typed)
            recorded = then.pop("request")
            given |= {name: value for name, value in then.items() if name not in typed}
        elif sources:
            given["source"] = one_or_all(sources)
        else:
            raise click.UsageError("missing INPUT; to repeat a run, use --like RUN", context)
        request = requested(given, recorded)
        options = RunOptions(output=given.pop("output_dir"), profile=load_profile(profile), request=request, **given)
        if show_jobs:
            from hstmosaic.run.job_preview import shown_jobs

            click.echo(shown_jobs(options))
            return
        with terminal_listener(options.log_level, quiet=quiet, as_json=as_json) as listener:
            outcome = run_mosaic(options, listener)
    sys.exit(outcome.exit_code)


def _provenance(like: Path) -> Path:
    """Return the provenance file of a run, which may also be without its run directory."""
    from hstmosaic.plan.names import provenance_name
    from hstmosaic.store.run_lookup import find_run

    if like.name.endswith(provenance_name("")):
        return like
    run = find_run(like)
    return run.output / provenance_name(run.prefix)


def _interrupt_on(*numbers: int) -> None:
    """End the run on these signals as on Ctrl-C; those that nohup ignores stay ignored."""
    for number in numbers:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _interrupt)


def _interrupt(*_: Any) -> None:
    raise KeyboardInterrupt
