"""JSON for programs: results and errors of verbs, on standard output."""

from __future__ import annotations

import json
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from hstmosaic.errors import BadInputError, ExitCode, HstMosaicError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


def print_json(content: Mapping[str, Any]) -> None:
    """Print an object as one line of JSON."""
    click.echo(json.dumps(content))


@contextmanager
def json_errors(enabled: bool) -> Iterator[None]:
    """Print an error, also of the command line, as JSON in addition to the message on standard error.

    Parameters
    ----------
    enabled : bool
        Whether to print JSON.
    """
    try:
        yield
    except (HstMosaicError, click.UsageError) as error:
        if enabled:
            print_json(error_record(error))
            sys.stdout.flush()
        raise


def error_record(error: HstMosaicError | click.UsageError) -> dict[str, Any]:
    """Return what programs need of an error: exit code, message, next step and problems of inputs."""
    if isinstance(error, click.UsageError):
        return _record(ExitCode.USAGE, error.format_message())
    return _record(error.exit_code, error.message, error.next_step) | {
        "problems": [
            {"name": p.name, "cause": p.cause, "next_step": p.next_step}
            for p in (error.problems if isinstance(error, BadInputError) else ())
        ]
    }


def _record(code: ExitCode, message: str, next_step: str = "") -> dict[str, Any]:
    return {
        "kind": "error",
        "level": "error",
        "exit_code": int(code),
        "message": message,
        "next_step": next_step,
        "problems": [],
    }
