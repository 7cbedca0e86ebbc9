"""The command line: verbs, each a few lines over the rooms."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource
from click.shell_completion import CompletionItem

from hstmosaic import __version__
from hstmosaic.describe import describe_plan
from hstmosaic.errors import ExitCode, HstMosaicError, OutputError
from hstmosaic.progress import LOG_LEVELS, listening

if TYPE_CHECKING:
    from collections.abc import Callable

FIELDS = ("demo", "corner", "three-camera")
_OF_CAMERAS = ("at", "dither", "pointing_error", "roll_error")
_CAMERA_HELP = "A visit of N exposures (2) instead of a ready-made field: acs_wfc, wfc3_uvis or wfc3_ir. Repeatable."
_CATALOG_HELP = "Align to this catalogue (ECSV, CSV, FITS, VOTable) instead of asking the service."
_LIKE_HELP = "Repeat the run of a _provenance.json; options given beside it count more."
_PROFILE_HELP = "Where tasks run: local, slurm, allocation, or a YAML file like those in batch/."
_LEARNING_HELP = "Estimate without what earlier runs measured, and keep nothing of this one."
_CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


def examples(*lines: str) -> Callable[[Any], Any]:
    """Put examples under a command's help."""

    def decorate(function: Any) -> Any:
        shown = "\n".join(f"  {line}" for line in lines)
        function.__doc__ = f"{function.__doc__}\n\n\b\nExamples:\n{shown}\n"
        return function

    return decorate


def _complete_files(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete file names where something else can be given, too."""
    return [CompletionItem(incomplete, type="file")]


def _same_input(function: Any) -> Any:
    """Add what `plan` and `run` have in common."""
    for option in (
        click.option("-o", "--output_file_prefix", "prefix", metavar="PREFIX", help="Begin product names with PREFIX."),
        click.option(
            "--keep", multiple=True, metavar="NAME", help="Use an exposure whatever screening says. Repeatable."
        ),
        click.option("--strict", is_flag=True, help="Make every exposure that would be left out an error."),
        click.option("--no-learning", "learning", flag_value=False, default=True, help=_LEARNING_HELP),
    ):
        function = option(function)
    return function


@click.group(context_settings=_CONTEXT)
@click.version_option(__version__, prog_name="hstmosaic")
def cli() -> None:
    """Make one seamless mosaic per filter out of calibrated Hubble exposures.

    INPUT is a text file with one exposure a line, @ and the name of such a file, or a search pattern in quotes.
    """


@cli.command(context_settings=_CONTEXT)
@click.argument("source", metavar="INPUT", shell_complete=_complete_files)
@_same_input
@click.option(
    "--json",
    "json_file",
    metavar="FILE|-",
    shell_complete=_complete_files,
    help="Write the plan as JSON to FILE, or to the screen.",
)
@examples("hstmosaic plan list.txt", 'hstmosaic plan "data/*_fl?.fits" --json plan.json')
def plan(source: str, learning: bool, json_file: str | None, **given: Any) -> None:
    """Say what a run would do and why, from headers alone."""
    from hstmosaic.plan.build import make_plan
    from hstmosaic.run.learning import learned_for, this_machine

    made = make_plan(source, learned=learned_for(this_machine(), wanted=learning), **given)
    if json_file == "-":
        click.echo(made.to_json())
        return
    if json_file is not None:
        _write(Path(json_file), made.to_json() + "\n")
    click.echo(describe_plan(made))


@cli.command(context_settings=_CONTEXT)
@click.argument("source", metavar="[INPUT]", required=False, shell_complete=_complete_files)
@_same_input
@click.option(
    "-s", "--skip_gaia_alignment", "skip_alignment", is_flag=True, help="Use the WCS that the exposures have."
)
@click.option(
    "-l",
    "--log_level",
    default="info",
    show_default=True,
    type=click.Choice(LOG_LEVELS),
    help="How much trailers and the screen say.",
)
@click.option(
    "--output-dir", default=".", show_default=True, type=click.Path(path_type=Path), help="Where the products go."
)
@click.option("--workers", type=click.IntRange(min=1), help="Tasks at a time.  [default: the usable cores]")
@click.option(
    "--profile",
    default="local",
    show_default=True,
    metavar="NAME|FILE",
    shell_complete=_complete_files,
    help=_PROFILE_HELP,
)
@click.option("--catalog", metavar="FILE", type=click.Path(path_type=Path), help=_CATALOG_HELP)
@click.option("--require-alignment", is_flag=True, help="Make it an error if an exposure cannot be aligned.")
@click.option("--like", metavar="PROVENANCE", type=click.Path(path_type=Path), help=_LIKE_HELP)
@click.option("--show-jobs", is_flag=True, help="Print the scripts of the jobs and submit none.")
@click.option("--stub", is_flag=True, help="Only pretend, with tiny files: for trying out a cluster.")
@click.option("--keep-work", is_flag=True, help="Keep the working directories of finished tasks.")
@click.option("--quiet", "-q", is_flag=True, help="Say only what is wrong.")
@click.option("--json", "as_json", is_flag=True, help="Print events as JSON, one a line, for machines.")
@examples(
    "hstmosaic run list.txt -s",
    'hstmosaic run "data/*_flc.fits" -s -o goods-south --output-dir mosaics',
    "hstmosaic run @list.txt -s --keep ib6o21raq_flt.fits --workers 4",
    "hstmosaic run list.txt -s --profile slurm --show-jobs",
    "hstmosaic run --like mosaics/goods-south_provenance.json --output-dir again",
)
@click.pass_context
def run(
    context: click.Context,
    /,
    like: Path | None,
    profile: str,
    show_jobs: bool,
    quiet: bool,
    as_json: bool,
    **given: Any,
) -> None:
    """Make the mosaics; what an interrupted run has finished is not done again."""
    from hstmosaic.run.driver import RunOptions, run_mosaic
    from hstmosaic.run.profile import load_profile

    if quiet and as_json:
        raise click.UsageError("--quiet and --json exclude each other")
    if given["skip_alignment"] and (given["catalog"] or given["require_alignment"]):
        raise click.UsageError("--skip_gaia_alignment excludes --catalog and --require-alignment", context)
    _interrupt_by(signal.SIGTERM, signal.SIGHUP)
    if like is not None:
        from hstmosaic.bars import byte_bar
        from hstmosaic.run.like import repeated

        typed = {name for name in given if context.get_parameter_source(name) is ParameterSource.COMMANDLINE}
        then = repeated(like, given["source"], byte_bar, typed)
        given |= {name: value for name, value in then.items() if name not in typed - {"source"}}
    elif given["source"] is None:
        raise click.UsageError("give INPUT, or --like PROVENANCE to repeat a run", context)
    options = RunOptions(output=given.pop("output_dir"), profile=load_profile(profile), **given)
    if show_jobs:
        from hstmosaic.run.show import shown_jobs

        click.echo(shown_jobs(options))
        return
    with listening(options.log_level, quiet=quiet, as_json=as_json) as listener:
        outcome = run_mosaic(options, listener)
    sys.exit(outcome.exit_code)


@cli.command(context_settings=_CONTEXT)
@click.argument("run", metavar="RUN", type=click.Path(path_type=Path))
@click.option("--watch", is_flag=True, help="Go on showing it until nobody works on it any more.")
@examples("hstmosaic status mosaics/goods-south_run", "hstmosaic status mosaics/goods-south_run --watch")
def status(run: Path, watch: bool) -> None:
    """Say how a run is doing: stages, tasks, jobs, retries, time left."""
    from hstmosaic.run.status import read_status
    from hstmosaic.run.watch import watch_run

    if watch:
        watch_run(run)
    click.echo(str(read_status(run)))


@cli.command(context_settings=_CONTEXT)
@click.argument("run", metavar="RUN", type=click.Path(path_type=Path))
@click.option("--pictures", is_flag=True, help="Make its pictures again too.")
@examples("hstmosaic report mosaics/goods-south_run", "hstmosaic report --pictures mosaics/goods-south_run")
def report(run: Path, pictures: bool) -> None:
    """Write the report of a run again, and its pictures where there are none."""
    from hstmosaic.products.record import read_record
    from hstmosaic.products.report import write_report

    if pictures or not read_record(run).pictures:
        from hstmosaic.products.pictures import make_pictures
        from hstmosaic.run.showing import list_pictures

        make_pictures(run)
        list_pictures(run)
    click.echo(write_report(run))


@cli.command(context_settings=_CONTEXT)
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
@examples("hstmosaic verify mosaics")
def verify(directory: Path) -> None:
    """Check the products in DIR against the manifests beside them."""
    from hstmosaic.bars import byte_bar
    from hstmosaic.products.checksums import read_manifests, verify_products

    found = read_manifests(directory)
    with byte_bar("checking", sum(file.size for file in found.products)) as advance:
        verified = verify_products(directory, found, advance)
    for note in found.notes:
        click.echo(note)
    for fault in verified.faults:
        click.echo(str(fault), err=True)
    click.echo(str(verified))
    sys.exit(ExitCode.NOT_AS_RECORDED if verified.faults else ExitCode.OK)


@cli.command(context_settings=_CONTEXT)
@click.option(
    "--profile",
    default="local",
    show_default=True,
    metavar="NAME|FILE",
    shell_complete=_complete_files,
    help=_PROFILE_HELP,
)
@click.option(
    "--output-dir", default=".", show_default=True, type=click.Path(path_type=Path), help="Where products would go."
)
@click.option("--image", metavar="NAME|FILE", help="Compare versions with those in an image, or a .sif file.")
@click.option("--self-test", is_flag=True, help="Make a tiny mosaic of a simulated exposure here, and nothing else.")
@examples("hstmosaic doctor", "hstmosaic doctor --profile my-site.yaml --output-dir /scratch/mosaics")
def doctor(profile: str, output_dir: Path, image: str | None, self_test: bool) -> None:
    """Try out what a profile needs, and say what to mend."""
    from hstmosaic.run.doctor import examine
    from hstmosaic.run.profile import load_profile
    from hstmosaic.run.selftest import try_out

    findings = try_out() if self_test else examine(load_profile(profile), output_dir.absolute(), image)
    for finding in findings:
        click.echo(str(finding))
    sys.exit(ExitCode.OK if all(finding.good for finding in findings) else ExitCode.CLUSTER)


@cli.command(context_settings=_CONTEXT)
@click.argument("source", metavar="INPUT", shell_complete=_complete_files)
@click.option("-o", "--output", required=True, metavar="FILE", type=click.Path(path_type=Path), help="The catalogue.")
@examples("hstmosaic catalog list.txt -o stars.ecsv", "hstmosaic run list.txt --catalog stars.ecsv")
def catalog(source: str, output: Path) -> None:
    """Fetch the catalogue that an alignment needs, for machines without network."""
    from hstmosaic.plan.build import make_plan
    from hstmosaic.run.catalog import Service, fetch_ahead

    name, count = fetch_ahead(make_plan(source).exposures, output, Service())
    click.echo(f"{count} sources of {name} written to {output}")


@cli.command(context_settings=_CONTEXT)
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


@cli.command(context_settings=_CONTEXT)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@examples('eval "$(hstmosaic completion bash)"')
def completion(shell: str) -> None:
    """Print the code that completes hstmosaic's commands in a shell."""
    from click.shell_completion import get_completion_class

    found = get_completion_class(shell)
    assert found is not None
    click.echo(found(cli, {}, "hstmosaic", "_HSTMOSAIC_COMPLETE").source())


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text)
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror}", "name another file") from error


def _interrupt_by(*numbers: int) -> None:
    """Have signals end a run as Ctrl-C does; under nohup a lost terminal does not matter."""
    for number in numbers:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _interrupt)


def _interrupt(*_: Any) -> None:
    raise KeyboardInterrupt


def main() -> None:
    """Run the command line and exit with a documented code."""
    try:
        cli.main(standalone_mode=False)
        code = ExitCode.OK
    except click.UsageError as error:
        error.show()
        code = ExitCode.USAGE
    except click.ClickException as error:
        error.show()
        code = ExitCode.FAILED
    except HstMosaicError as error:
        click.echo(f"hstmosaic: {error}", err=True)
        code = error.exit_code
    except (KeyboardInterrupt, click.Abort):
        click.echo("hstmosaic: interrupted; the same command goes on where it stopped", err=True)
        code = ExitCode.INTERRUPTED
    sys.exit(code)


if __name__ == "__main__":
    main()
