"""``hstmosaic report``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from hstmosaic.cli.options import CONTEXT, examples, run_argument

if TYPE_CHECKING:
    from pathlib import Path


@click.command(context_settings=CONTEXT)
@run_argument
@click.option("--pictures", is_flag=True, help="Also draw the pictures again.")
@examples("hstmosaic report mosaics", "hstmosaic report --pictures mosaics/goods-south_run")
def report(run: Path, pictures: bool) -> None:
    """Write the report of a run again.

    Missing pictures are drawn. RUN is an output directory, a run directory, or a file in either.
    """
    from hstmosaic.products.report import write_report
    from hstmosaic.products.run_record import read_record
    from hstmosaic.store.run_lookup import find_run

    run = find_run(run).path
    record = read_record(run)
    listed = record.pictures
    if pictures or listed.is_empty or not listed.is_complete(record.directory.pictures):
        from hstmosaic.products.pictures import make_pictures
        from hstmosaic.run.pictures import list_pictures

        make_pictures(run)
        list_pictures(run)
    click.echo(write_report(run))
