"""The command line: verbs, each a few lines over the rooms."""

from __future__ import annotations

import sys

import click

from hstmosaic import __version__
from hstmosaic.cli.looking import report, status, verify
from hstmosaic.cli.making import plan, run
from hstmosaic.cli.options import CONTEXT
from hstmosaic.cli.preparing import catalog, completion, doctor, simulate
from hstmosaic.errors import ExitCode, HstMosaicError


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
