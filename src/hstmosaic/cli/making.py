"""The verbs that plan and make mosaics."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from hstmosaic.cli.options import CONTEXT, complete_files, examples, profile_option, same_input
from hstmosaic.cli.plan_text import describe_plan
from hstmosaic.cli.terminal import LOG_LEVELS, listening
from hstmosaic.errors import OutputError
from hstmosaic.store.files import ENCODING

_CATALOG_HELP = "Align to this catalogue (ECSV, CSV, FITS, VOTable) instead of asking the service."
_LIKE_HELP = "Repeat the run of a _provenance.json; options given beside it count more."


@click.command(context_settings=CONTEXT)
@click.argument("source", metavar="INPUT", shell_complete=complete_files)
@same_input
@click.option(
    "--json",
    "json_file",
    metavar="FILE|-",
    shell_complete=complete_files,
    help="Write the plan as JSON to FILE, or to the screen.",
)
@examples("hstmosaic plan list.txt", 'hstmosaic plan "data/*_fl?.fits" --json plan.json')
def plan(source: str, learning: bool, json_file: str | None, **given: Any) -> None:
    """Say what a run would do and why, from headers alone."""
    from hstmosaic.plan.build import make_plan
    from hstmosaic.run.history import learned_for, this_machine

    made = make_plan(source, learned=learned_for(this_machine(), wanted=learning), **given)
    if json_file == "-":
        click.echo(made.to_json())
        return
    if json_file is not None:
        _write(Path(json_file), made.to_json() + "\n")
    click.echo(describe_plan(made))


@click.command(context_settings=CONTEXT)
@click.argument("source", metavar="[INPUT]", required=False, shell_complete=complete_files)
@same_input
@click.option(
    "-s", "--skip_gaia_alignment", "skip_alignment", is_flag=True, help="Use the WCS that the exposures have."
)
@click.option(
    "-l",
    "--log_level",
    default="info",
    show_default=True,
    type=click.Choice(LOG_LEVELS),
    help="How much trailers and the screen say.",
)
@click.option(
    "--output-dir", default=".", show_default=True, type=click.Path(path_type=Path), help="Where the products go."
)
@click.option("--workers", type=click.IntRange(min=1), help="Tasks at a time.  [default: the usable cores]")
@profile_option
@click.option("--catalog", metavar="FILE", type=click.Path(path_type=Path), help=_CATALOG_HELP)
@click.option("--require-alignment", is_flag=True, help="Make it an error if an exposure cannot be aligned.")
@click.option("--like", metavar="PROVENANCE", type=click.Path(path_type=Path), help=_LIKE_HELP)
@click.option("--show-jobs", is_flag=True, help="Print the scripts of the jobs and submit none.")
@click.option("--stub", is_flag=True, help="Only pretend, with tiny files: for trying out a cluster.")
@click.option("--keep-work", is_flag=True, help="Keep the working directories of finished tasks.")
@click.option("--quiet", "-q", is_flag=True, help="Say only what is wrong.")
@click.option("--json", "as_json", is_flag=True, help="Print events as JSON, one a line, for machines.")
@examples(
    "hstmosaic run list.txt -s",
    'hstmosaic run "data/*_flc.fits" -s -o goods-south --output-dir mosaics',
    "hstmosaic run @list.txt -s --keep ib6o21raq_flt.fits --workers 4",
    "hstmosaic run list.txt -s --profile slurm --show-jobs",
    "hstmosaic run --like mosaics/goods-south_provenance.json --output-dir again",
)
@click.pass_context
def run(
    context: click.Context,
    /,
    like: Path | None,
    profile: str,
    show_jobs: bool,
    quiet: bool,
    as_json: bool,
    **given: Any,
) -> None:
    """Make the mosaics; what an interrupted run has finished is not done again."""
    from hstmosaic.run.dask_settings import check_dask_settings

    check_dask_settings()
    from hstmosaic.run.driver import run_mosaic
    from hstmosaic.run.options import RunOptions
    from hstmosaic.run.profiles.profile import load_profile

    if quiet and as_json:
        raise click.UsageError("--quiet and --json exclude each other")
    if given["skip_alignment"] and (given["catalog"] or given["require_alignment"]):
        raise click.UsageError("--skip_gaia_alignment excludes --catalog and --require-alignment", context)
    _interrupt_by(signal.SIGTERM, signal.SIGHUP)
    if like is not None:
        from hstmosaic.cli.bars import byte_bar
        from hstmosaic.run.repeat import repeated

        typed = {name for name in given if context.get_parameter_source(name) is ParameterSource.COMMANDLINE}
        then = repeated(like, given["source"], byte_bar, typed)
        given |= {name: value for name, value in then.items() if name not in typed - {"source"}}
    elif given["source"] is None:
        raise click.UsageError("give INPUT, or --like PROVENANCE to repeat a run", context)
    options = RunOptions(output=given.pop("output_dir"), profile=load_profile(profile), **given)
    if show_jobs:
        from hstmosaic.run.job_preview import shown_jobs

        click.echo(shown_jobs(options))
        return
    with listening(options.log_level, quiet=quiet, as_json=as_json) as listener:
        outcome = run_mosaic(options, listener)
    sys.exit(outcome.exit_code)


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, ENCODING)
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror}", "name another file") from error


def _interrupt_by(*numbers: int) -> None:
    """Have signals end a run as Ctrl-C does; under nohup a lost terminal does not matter."""
    for number in numbers:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _interrupt)


def _interrupt(*_: Any) -> None:
    raise KeyboardInterrupt
