"""The verbs that look at runs and at what came out of them."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from hstmosaic.cli.options import CONTEXT, examples
from hstmosaic.errors import ExitCode


@click.command(context_settings=CONTEXT)
@click.argument("run", metavar="RUN", type=click.Path(path_type=Path))
@click.option("--watch", is_flag=True, help="Go on showing it until nobody works on it any more.")
@examples("hstmosaic status mosaics/goods-south_run", "hstmosaic status mosaics/goods-south_run --watch")
def status(run: Path, watch: bool) -> None:
    """Say how a run is doing: stages, tasks, jobs, retries, time left."""
    from hstmosaic.monitor.status import read_status
    from hstmosaic.monitor.watch import watch_run

    if watch:
        watch_run(run)
    click.echo(str(read_status(run)))


@click.command(context_settings=CONTEXT)
@click.argument("run", metavar="RUN", type=click.Path(path_type=Path))
@click.option("--pictures", is_flag=True, help="Make its pictures again too.")
@examples("hstmosaic report mosaics/goods-south_run", "hstmosaic report --pictures mosaics/goods-south_run")
def report(run: Path, pictures: bool) -> None:
    """Write the report of a run again, and its pictures where there are none."""
    from hstmosaic.products.report import write_report
    from hstmosaic.products.run_record import read_record

    if pictures or not read_record(run).pictures:
        from hstmosaic.products.pictures import make_pictures
        from hstmosaic.run.pictures import list_pictures

        make_pictures(run)
        list_pictures(run)
    click.echo(write_report(run))


@click.command(context_settings=CONTEXT)
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
@examples("hstmosaic verify mosaics")
def verify(directory: Path) -> None:
    """Check the products in DIR against the manifests beside them."""
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
