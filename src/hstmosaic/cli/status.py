"""``hstmosaic status``."""

from __future__ import annotations

from pathlib import Path

import click

from hstmosaic.cli.options import CONTEXT, examples


@click.command(context_settings=CONTEXT)
@click.argument("run", metavar="RUN", type=click.Path(path_type=Path))
@click.option("--watch", is_flag=True, help="Keep updating until the run ends.")
@examples("hstmosaic status mosaics/goods-south_run", "hstmosaic status mosaics/goods-south_run --watch")
def status(run: Path, watch: bool) -> None:
    """Show the stages, tasks, jobs and time left of a run."""
    from hstmosaic.monitor.status import read_status
    from hstmosaic.monitor.watch import watch_run

    if watch:
        watch_run(run)
    click.echo(str(read_status(run)))
