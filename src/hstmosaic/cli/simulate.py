"""``hstmosaic simulate``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from hstmosaic.cli.options import CONTEXT, examples

FIELDS = ("demo", "corner", "three-camera")
_CAMERA_OPTIONS = ("at", "dither", "pointing_error", "roll_error")
_CAMERA_HELP = (
    "Simulate a visit of N exposures (default 2) instead of a ready-made field. CAMERA is acs_wfc, acs_hrc, acs_sbc, "
    "wfc3_uvis or wfc3_ir. Repeatable."
)


@click.command(context_settings=CONTEXT)
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False))
@click.option("--field", default="demo", show_default=True, type=click.Choice(FIELDS), help="Ready-made field.")
@click.option("--camera", "cameras", multiple=True, metavar="CAMERA:FILTER[:N]", help=_CAMERA_HELP)
@click.option("--at", nargs=3, type=float, metavar="RA DEC PA", help="Pointing and position angle, degrees.")
@click.option("--dither", default=2.5, show_default=True, help="Distance between exposures of a visit, arcsec.")
@click.option("--subarray", nargs=2, type=int, metavar="ROWS COLUMNS", help="Read out only part of one chip.")
@click.option("--pointing-error", default=0.0, show_default=True, help="WCS error of each visit, arcsec.")
@click.option("--roll-error", default=0.0, show_default=True, help="Position angle error of each visit, degrees.")
@click.option("--single-visit-names", is_flag=True, help="Name the files as single-visit products.")
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=3,
    show_default=True,
    help="Random seed; equal seeds give equal files.",
)
@examples(
    "hstmosaic simulate demo",
    "hstmosaic simulate bench --field corner",
    "hstmosaic simulate pole --at 0 89.95 30 --camera wfc3_ir:F160W:3 --camera acs_wfc:F814W",
)
@click.pass_context
def simulate(context: click.Context, /, directory: Path, **given: Any) -> None:
    """Write simulated exposures, their list and true positions.

    DIRECTORY gets the exposures (with real distortion), list.txt and truth.ecsv. It must be new, empty, or from an
    earlier simulation.
    """
    from hstmosaic.simulate import simulate_field
    from hstmosaic.simulate.fields import check_folder
    from hstmosaic.simulate.request import requested_field

    typed = [n for n in _CAMERA_OPTIONS if context.get_parameter_source(n) is ParameterSource.COMMANDLINE]
    if typed and not given["cameras"]:
        raise click.UsageError(f"--{typed[0].replace('_', '-')} needs --camera; a ready-made field sets its own")

    def progress(done: int, total: int, name: str) -> None:
        click.echo(f"{done}/{total} {directory / name}")

    field = requested_field(**given)
    check_folder(directory, field)
    simulate_field(field, directory, progress)
    click.echo(f"next: hstmosaic run {directory / 'list.txt'} -s")
