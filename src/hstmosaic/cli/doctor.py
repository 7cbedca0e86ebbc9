"""``hstmosaic doctor``."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from hstmosaic.cli.options import CONTEXT, examples, profile_option
from hstmosaic.errors import ExitCode


@click.command(context_settings=CONTEXT)
@profile_option
@click.option(
    "--output-dir",
    default=".",
    show_default=True,
    type=click.Path(path_type=Path),
    help="Directory that a run would write its products to.",
)
@click.option("--image", metavar="NAME|FILE", help="Compare versions with those in an image or a .sif file.")
@click.option("--self-test", is_flag=True, help="Only make a tiny mosaic of a simulated exposure on this machine.")
@examples("hstmosaic doctor", "hstmosaic doctor --profile my-site.yaml --output-dir /scratch/mosaics")
def doctor(profile: str, output_dir: Path, image: str | None, self_test: bool) -> None:
    """Check that a profile works here and report problems.

    On Slurm, one small job is submitted.
    """
    from hstmosaic.run.dask_settings import check_dask_settings

    check_dask_settings()
    from hstmosaic.run.doctor import examine
    from hstmosaic.run.profiles.profile import load_profile
    from hstmosaic.run.selftest import try_out

    findings = try_out() if self_test else examine(load_profile(profile), output_dir.absolute(), image)
    for finding in findings:
        click.echo(str(finding))
    sys.exit(ExitCode.OK if all(finding.good for finding in findings) else ExitCode.CLUSTER)
