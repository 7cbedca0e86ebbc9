"""The verbs that prepare for runs: a cluster, a catalogue, exposures, a shell."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from hstmosaic.cli.options import CONTEXT, complete_files, examples, profile_option
from hstmosaic.errors import ExitCode

FIELDS = ("demo", "corner", "three-camera")
_OF_CAMERAS = ("at", "dither", "pointing_error", "roll_error")
_CAMERA_HELP = (
    "A visit of N exposures (2) instead of a ready-made field: acs_wfc, acs_hrc, acs_sbc, wfc3_uvis or wfc3_ir. "
    "Repeatable."
)


@click.command(context_settings=CONTEXT)
@profile_option
@click.option(
    "--output-dir", default=".", show_default=True, type=click.Path(path_type=Path), help="Where products would go."
)
@click.option("--image", metavar="NAME|FILE", help="Compare versions with those in an image, or a .sif file.")
@click.option("--self-test", is_flag=True, help="Make a tiny mosaic of a simulated exposure here, and nothing else.")
@examples("hstmosaic doctor", "hstmosaic doctor --profile my-site.yaml --output-dir /scratch/mosaics")
def doctor(profile: str, output_dir: Path, image: str | None, self_test: bool) -> None:
    """Try out what a profile needs, and say what to mend."""
    from hstmosaic.run.dask_settings import check_dask_settings

    check_dask_settings()
    from hstmosaic.run.doctor import examine
    from hstmosaic.run.profiles.profile import load_profile
    from hstmosaic.run.selftest import try_out

    findings = try_out() if self_test else examine(load_profile(profile), output_dir.absolute(), image)
    for finding in findings:
        click.echo(str(finding))
    sys.exit(ExitCode.OK if all(finding.good for finding in findings) else ExitCode.CLUSTER)


@click.command(context_settings=CONTEXT)
@click.argument("source", metavar="INPUT", shell_complete=complete_files)
@click.option("-o", "--output", required=True, metavar="FILE", type=click.Path(path_type=Path), help="The catalogue.")
@examples("hstmosaic catalog list.txt -o stars.ecsv", "hstmosaic run list.txt --catalog stars.ecsv")
def catalog(source: str, output: Path) -> None:
    """Fetch the catalogue that an alignment needs, for machines without network."""
    from hstmosaic.plan.build import make_plan
    from hstmosaic.run.stages.catalog import Service, fetch_ahead

    name, count = fetch_ahead(make_plan(source).exposures, output, Service())
    click.echo(f"{count} sources of {name} written to {output}")


@click.command(context_settings=CONTEXT)
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False))
@click.option("--field", default="demo", show_default=True, type=click.Choice(FIELDS), help="Ready-made field.")
@click.option("--camera", "cameras", multiple=True, metavar="CAMERA:FILTER[:N]", help=_CAMERA_HELP)
@click.option("--at", nargs=3, type=float, metavar="RA DEC PA", help="Pointing and position angle, degrees.")
@click.option("--dither", default=2.5, show_default=True, help="Distance of exposures in a visit, arcsec.")
@click.option("--subarray", nargs=2, type=int, metavar="ROWS COLUMNS", help="Read out a part of one chip only.")
@click.option("--pointing-error", default=0.0, show_default=True, help="Error of each visit's WCS, arcsec.")
@click.option("--roll-error", default=0.0, show_default=True, help="Error of each visit's position angle, degrees.")
@click.option("--single-visit-names", is_flag=True, help="Name files as single-visit products.")
@click.option(
    "--seed", type=click.IntRange(min=0), default=3, show_default=True, help="The same seed gives the same files."
)
@examples(
    "hstmosaic simulate demo",
    "hstmosaic simulate bench --field corner",
    "hstmosaic simulate pole --at 0 89.95 30 --camera wfc3_ir:F160W:3 --camera acs_wfc:F814W",
)
@click.pass_context
def simulate(context: click.Context, /, directory: Path, **given: Any) -> None:
    """Write simulated exposures with real distortion, their list and the truth into DIRECTORY."""
    from hstmosaic.simulate import simulate_field
    from hstmosaic.simulate.request import requested_field

    typed = [n for n in _OF_CAMERAS if context.get_parameter_source(n) is ParameterSource.COMMANDLINE]
    if typed and not given["cameras"]:
        raise click.UsageError(f"--{typed[0].replace('_', '-')} needs --camera: ready-made fields have their own")

    def progress(done: int, total: int, name: str) -> None:
        click.echo(f"{done}/{total} {directory / name}")

    simulate_field(requested_field(**given), directory, progress)
    click.echo(f"mosaic them with: hstmosaic run {directory / 'list.txt'} -s")


@click.command(context_settings=CONTEXT)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@examples('eval "$(hstmosaic completion bash)"')
@click.pass_context
def completion(context: click.Context, /, shell: str) -> None:
    """Print the code that completes hstmosaic's commands in a shell."""
    from click.shell_completion import get_completion_class

    found = get_completion_class(shell)
    assert found is not None
    click.echo(found(context.find_root().command, {}, "hstmosaic", "_HSTMOSAIC_COMPLETE").source())
