"""``hstmosaic verify``."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path

import click

from hstmosaic.cli.json_output import json_errors, print_json
from hstmosaic.cli.options import CONTEXT, examples, json_option
from hstmosaic.errors import ExitCode


@click.command(context_settings=CONTEXT)
@click.argument("path", metavar="DIR|RUN", type=click.Path(path_type=Path))
@json_option
@examples("hstmosaic verify mosaics", "hstmosaic verify mosaics/goods-south_run", "hstmosaic verify mosaics --json")
def verify(path: Path, as_json: bool) -> None:
    """Compare products with their recorded checksums.

    A directory of products is checked against all of its manifests. For a run directory, or a file of a run, only the
    products of that run are checked.
    """
    from hstmosaic.cli.bars import byte_bar
    from hstmosaic.products.verify import find_manifests, verify_products

    with json_errors(as_json):
        directory, found = find_manifests(path)
        with byte_bar("checking", sum(file.size for file in found.products)) as advance:
            verified = verify_products(directory, found, advance)
    if as_json:
        print_json({"ok": not verified.faults, "notes": found.notes, **asdict(verified)})
    else:
        for note in found.notes:
            click.echo(note)
        for fault in verified.faults:
            click.echo(str(fault), err=True)
        click.echo(str(verified))
    sys.exit(ExitCode.NOT_AS_RECORDED if verified.faults else ExitCode.OK)
