"""``hstmosaic catalog``."""

from __future__ import annotations

from pathlib import Path

import click

from hstmosaic.cli.options import CONTEXT, examples, input_argument, one_or_all


@click.command(context_settings=CONTEXT)
@input_argument
@click.option(
    "-o", "--output", required=True, metavar="FILE", type=click.Path(path_type=Path), help="File for the catalogue."
)
@examples("hstmosaic catalog list.txt -o stars.ecsv", "hstmosaic run list.txt --catalog stars.ecsv")
def catalog(sources: tuple[str, ...], output: Path) -> None:
    """Download the alignment catalogue, for offline machines."""
    from hstmosaic.plan.build import make_plan
    from hstmosaic.run.stages.catalog import Service, fetch_ahead

    name, count = fetch_ahead(make_plan(one_or_all(sources)).exposures, output, Service())
    click.echo(f"wrote {count} sources of {name} to {output}")
