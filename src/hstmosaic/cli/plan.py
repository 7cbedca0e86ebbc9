"""``hstmosaic plan``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from hstmosaic.cli.config import ConfiguredCommand, describe_settings
from hstmosaic.cli.json_output import json_errors
from hstmosaic.cli.options import CONTEXT, complete_files, examples, run_options
from hstmosaic.cli.plan_text import describe_dry_run
from hstmosaic.cli.request import requested_options
from hstmosaic.errors import OutputError
from hstmosaic.store.files import ENCODING

_STANDARD_OUTPUT = "-"
_JSON_HELP = "Write the plan as JSON to FILE, or to standard output without FILE."


@click.command(cls=ConfiguredCommand, context_settings=CONTEXT)
@run_options
@click.option("--dry-run", is_flag=True, hidden=True, help="Accepted as for run.")
@click.option(
    "--json",
    "json_file",
    metavar="[FILE]",
    is_flag=False,
    flag_value=_STANDARD_OUTPUT,
    shell_complete=complete_files,
    help=_JSON_HELP,
)
@examples("hstmosaic plan list.txt -s", 'hstmosaic plan "data/*_fl?.fits" --json plan.json')
@click.pass_context
def plan(
    context: click.Context,
    /,
    sources: tuple[str, ...],
    like: Path | None,
    profile: str,
    show_jobs: bool,
    dry_run: bool,
    quiet: bool,
    json_file: str | None,
    **given: Any,
) -> None:
    """Show what a run would make and need, from headers only.

    All options of run are accepted, so that one word changes.
    """
    from hstmosaic.run.dry_run import dry_run as plan_run

    for line in [] if quiet or json_file else describe_settings(context):
        click.echo(line, err=True)
    with json_errors(json_file == _STANDARD_OUTPUT):
        options = requested_options(context, sources, like, profile, given)
        if show_jobs:
            from hstmosaic.run.job_preview import shown_jobs

            click.echo(shown_jobs(options))
            return
        found = plan_run(options)
        if json_file == _STANDARD_OUTPUT:
            click.echo(found.plan.to_json())
            return
        if json_file is not None:
            _write(Path(json_file), found.plan.to_json() + "\n")
        click.echo(describe_dry_run(found))


def _write(path: Path, text: str) -> None:
    if path.is_file() and path.suffix != ".json":
        raise OutputError(f"{path} exists and is not named .json", "name another file after --json")
    try:
        path.write_text(text, ENCODING)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror}", "name another file") from error
