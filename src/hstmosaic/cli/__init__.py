"""The command line: verbs, each a few lines over the rooms."""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path

import click

from hstmosaic import __version__
from hstmosaic.child import prepare_environment
from hstmosaic.cli.looking import report, status, verify
from hstmosaic.cli.making import plan, run
from hstmosaic.cli.options import CONTEXT
from hstmosaic.cli.preparing import catalog, completion, doctor, simulate
from hstmosaic.cli.streams import complain, prepare_streams, stream_error
from hstmosaic.errors import NO_CURRENT_DIRECTORY, ExitCode, HstMosaicError, OutputError


@click.group(context_settings=CONTEXT)
@click.version_option(__version__, prog_name="hstmosaic")
def cli() -> None:
    """Make one seamless mosaic per filter out of calibrated Hubble exposures.

    INPUT is a text file with one exposure a line, @ and the name of such a file, or a search pattern in quotes.
    """


for verb in (plan, run, status, report, verify, doctor, catalog, simulate, completion):
    cli.add_command(verb)


def main() -> None:
    """Run the command line and exit with a documented code."""
    prepare_environment()
    try:
        prepare_streams()
        code = _called()
    except OutputError as error:
        complain(error)
        code = error.exit_code
    unwritten = stream_error()
    if unwritten is not None:
        complain(unwritten)
        code = code or unwritten.exit_code
    sys.exit(code)


def _is_in_a_directory() -> bool:
    try:
        Path.cwd()
    except FileNotFoundError:
        return False
    return True


def _called() -> int:
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
        complain(error)
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        complain("interrupted; the same command goes on where it stopped")
        return ExitCode.INTERRUPTED
    except OSError:
        unwritten = stream_error()
        if unwritten is not None:
            raise unwritten from None
        if not _is_in_a_directory():
            complain(HstMosaicError(NO_CURRENT_DIRECTORY, "change to another one"))
            return ExitCode.FAILED
        raise
    return ExitCode.OK
