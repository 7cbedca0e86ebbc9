"""``hstmosaic clean``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from hstmosaic.cli.json_output import json_errors, print_json
from hstmosaic.cli.options import CONTEXT, examples, json_option, run_argument
from hstmosaic.text import count_of

if TYPE_CHECKING:
    from pathlib import Path

    from hstmosaic.products.clean import MadeByRun


@click.command(context_settings=CONTEXT)
@run_argument
@click.option("--yes", is_flag=True, help="Remove the files; without it, they are only listed.")
@json_option
@examples("hstmosaic clean mosaics", "hstmosaic clean mosaics/goods-south_run --yes", "hstmosaic clean mosaics --json")
def clean(run: Path, yes: bool, as_json: bool) -> None:
    """Remove what a run made: its products and its run directory.

    Without --yes, the files are only listed. Exposures, files that changed since the run, and all other files are
    kept. RUN is an output directory, a run directory, or a file in either.
    """
    from hstmosaic.cli.bars import byte_bar
    from hstmosaic.products.clean import made_by_run, recorded_files, remove
    from hstmosaic.store.run_lookup import find_run

    with json_errors(as_json):
        directory = find_run(run)
        with directory.locked():
            with byte_bar("comparing", sum(file.size for file in recorded_files(directory))) as advance:
                made = made_by_run(directory, advance)
            if not as_json:
                _list(made)
            if yes:
                remove(made, directory)
    if as_json:
        print_json({"run": str(directory.path), "removed": yes, **made.to_dict()})
    else:
        files = f"{count_of(len(made.files), 'product')} ({made.size / 1e6:.1f} MB) and the run directory"
        click.echo(f"removed {files}" if yes else f"{files} would be removed; --yes removes them")


def _list(made: MadeByRun) -> None:
    for path in (*made.files, *made.state):
        click.echo(f"{path}/" if path.is_dir() else str(path))
    for path in made.changed:
        click.echo(f"kept: {path}: changed since the run", err=True)
    for path in made.unknown:
        click.echo(f"kept: {path}: not from hstmosaic", err=True)
