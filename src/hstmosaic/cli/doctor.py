"""``hstmosaic doctor``."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path

import click

from hstmosaic.cli.json_output import json_errors, print_json
from hstmosaic.cli.options import CONTEXT, examples, json_option, profile_option
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
@json_option
@examples("hstmosaic doctor", "hstmosaic doctor --profile my-site.yaml --output-dir /scratch/mosaics")
def doctor(profile: str, output_dir: Path, image: str | None, self_test: bool, as_json: bool) -> None:
    """Check that a profile works here and report problems.

    On Slurm, one small job is submitted.
    """
    from hstmosaic.run.dask_settings import check_dask_settings

    check_dask_settings()
    from hstmosaic.run.doctor import examine
    from hstmosaic.run.profiles.profile import load_profile
    from hstmosaic.run.selftest import try_out

    with json_errors(as_json):
        findings = try_out() if self_test else examine(load_profile(profile), output_dir.absolute(), image)
    if as_json:
        print_json({"ok": all(finding.passed for finding in findings), "checks": [asdict(f) for f in findings]})
    else:
        for finding in findings:
            click.echo(str(finding))
    sys.exit(ExitCode.OK if all(finding.passed for finding in findings) else ExitCode.CLUSTER)
