"""The command line, with one module for each verb."""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path

import click

from hstmosaic import __version__
from hstmosaic.child import prepare_environment
from hstmosaic.cli import catalog, clean, completion, doctor, plan, report, run, simulate, status, verify
from hstmosaic.cli.options import CONTEXT
from hstmosaic.cli.streams import prepare_streams, print_error, stream_error
from hstmosaic.errors import NO_CURRENT_DIRECTORY, ExitCode, HstMosaicError, OutputError


class _OrderedGroup(click.Group):
    """A group that lists its commands in the order of a user's work."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the commands in the order in which they were added."""
        return list(self.commands)


@click.group(cls=_OrderedGroup, context_settings=CONTEXT)
@click.version_option(__version__, prog_name="hstmosaic")
def cli() -> None:
    """Make one seamless mosaic per filter from calibrated Hubble exposures.

    INPUT is a text file with one exposure per line, a search pattern, a folder, or - for a list on standard input.
    It can be repeated.
    Underscores in options can be written as hyphens, and the other way round.
    """


for verb in (
    plan.plan,
    run.run,
    status.status,
    report.report,
    verify.verify,
    clean.clean,
    doctor.doctor,
    catalog.catalog,
    simulate.simulate,
    completion.completion,
):
    cli.add_command(verb)


def main() -> None:
    """Run the command line and exit with a documented exit code."""
    prepare_environment()
    try:
        prepare_streams()
        code = _run_command()
    except OutputError as error:
        print_error(error)
        code = error.exit_code
    unwritten = stream_error()
    if unwritten is not None:
        print_error(unwritten)
        code = code or unwritten.exit_code
    sys.exit(code)


def _is_in_a_directory() -> bool:
    try:
        Path.cwd()
    except FileNotFoundError:
        return False
    return True


def _run_command() -> int:
    """Run the command line and return its exit code."""
    try:
        cli.main(standalone_mode=False)
    except SystemExit as error:
        return error.code if isinstance(error.code, int) else int(error.code is not None)
    except click.ClickException as error:
        with suppress(OSError):
            error.show()
        return ExitCode.USAGE if isinstance(error, click.UsageError) else ExitCode.FAILED
    except HstMosaicError as error:
        print_error(error)
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        print_error("interrupted; rerun the same command to resume")
        return ExitCode.INTERRUPTED
    except OSError:
        unwritten = stream_error()
        if unwritten is not None:
            raise unwritten from None
        if not _is_in_a_directory():
            print_error(HstMosaicError(NO_CURRENT_DIRECTORY, "change to another directory"))
            return ExitCode.FAILED
        raise
    return ExitCode.OK
