"""``hstmosaic status``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from hstmosaic.cli.json_output import json_errors, print_json
from hstmosaic.cli.options import CONTEXT, examples, json_option, run_argument

if TYPE_CHECKING:
    from pathlib import Path


@click.command(context_settings=CONTEXT)
@run_argument
@click.option("--watch", is_flag=True, help="Keep updating until the run ends.")
@json_option
@examples(
    "hstmosaic status mosaics", "hstmosaic status mosaics/goods-south_run --watch", "hstmosaic status mosaics --json"
)
def status(run: Path, watch: bool, as_json: bool) -> None:
    """Show the stages, tasks, jobs and time left of a run.

    RUN is an output directory, a run directory, or a file in either.
    """
    from hstmosaic.monitor.status import read_status
    from hstmosaic.monitor.watch import watch_run
    from hstmosaic.store.run_lookup import find_run

    if watch and as_json:
        raise click.UsageError("--watch and --json exclude each other")
    with json_errors(as_json):
        found = find_run(run).path
        if watch:
            watch_run(found)
        now = read_status(found)
    if as_json:
        print_json({"run": str(found), **now.to_dict()})
    else:
        click.echo(str(now))
