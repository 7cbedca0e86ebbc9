"""``hstmosaic verify``."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from hstmosaic.cli.options import CONTEXT, examples
from hstmosaic.errors import ExitCode


@click.command(context_settings=CONTEXT)
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
@examples("hstmosaic verify mosaics")
def verify(directory: Path) -> None:
    """Compare products with their recorded checksums."""
    from hstmosaic.cli.bars import byte_bar
    from hstmosaic.products.verify import read_manifests, verify_products

    found = read_manifests(directory)
    with byte_bar("checking", sum(file.size for file in found.products)) as advance:
        verified = verify_products(directory, found, advance)
    for note in found.notes:
        click.echo(note)
    for fault in verified.faults:
        click.echo(str(fault), err=True)
    click.echo(str(verified))
    sys.exit(ExitCode.NOT_AS_RECORDED if verified.faults else ExitCode.OK)
