"""``hstmosaic report``."""

from __future__ import annotations

from pathlib import Path

import click

from hstmosaic.cli.options import CONTEXT, examples


@click.command(context_settings=CONTEXT)
@click.argument("run", metavar="RUN", type=click.Path(path_type=Path))
@click.option("--pictures", is_flag=True, help="Draw the pictures again as well.")
@examples("hstmosaic report mosaics/goods-south_run", "hstmosaic report --pictures mosaics/goods-south_run")
def report(run: Path, pictures: bool) -> None:
    """Write the report of a run again.

    Missing pictures are drawn.
    """
    from hstmosaic.products.report import write_report
    from hstmosaic.products.run_record import read_record

    if pictures or read_record(run).pictures.is_empty:
        from hstmosaic.products.pictures import make_pictures
        from hstmosaic.run.pictures import list_pictures

        make_pictures(run)
        list_pictures(run)
    click.echo(write_report(run))
