"""Showing a run: pictures and report at its end. What goes wrong with them is told, and harms nothing else."""

from __future__ import annotations

import shlex
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hstmosaic.errors import ExitCode, HstMosaicError
from hstmosaic.products.record import read_record
from hstmosaic.products.report import write_report

if TYPE_CHECKING:
    from hstmosaic.run.directory import RunDirectory
    from hstmosaic.run.driver import RunOptions
    from hstmosaic.run.events import Teller

_TOLD_ANYWAY = {"source", "output", "prefix"}
"""The plan and the place of the run directory tell these."""
_PROGRAM = "hstmosaic.products.pictures"
_REMADE = "hstmosaic report {run} makes it again"


def asked(options: RunOptions) -> dict[str, Any]:
    """Return what the user has asked for, for the run log: the command, and every other option that was set."""
    chosen = {item.name: getattr(options, item.name) for item in fields(options)} | {"profile": options.profile.name}
    told = {name: _plain(value) for name, value in chosen.items() if value and name not in _TOLD_ANYWAY}
    command = shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]])
    return {"command": command, "stub": options.stub, "options": told}


def draw_pictures(directory: RunDirectory, tell: Teller) -> tuple[Path, ...]:
    """Make previews, region files and coverage maps in a process of its own.

    The libraries that draw are not loaded into the driver, and its memory does not depend on the size of mosaics.

    Parameters
    ----------
    directory : RunDirectory
        The run.
    tell : Teller
        Hears it if that fails.

    Returns
    -------
    tuple of pathlib.Path
        The files in the output directory; none if it failed.
    """
    program = [sys.executable, "-m", _PROGRAM, str(directory.path)]
    ended = subprocess.run(program, capture_output=True, text=True, check=False)
    if ended.returncode:
        words = (ended.stderr.strip().splitlines() or [f"exit code {ended.returncode}"])[-1]
        again = _REMADE.format(run=directory.path)
        tell("pictures", f"the pictures could not be made: {words}; {again}", "warning", details=ended.stderr)
        return ()
    files = read_record(directory.path).pictures.get("files", [])
    return tuple(directory.output / file["name"] for file in files)


def report(directory: RunDirectory, tell: Teller) -> Path | None:
    """Write the report of a run that has ended.

    Parameters
    ----------
    directory : RunDirectory
        The run.
    tell : Teller
        Hears where the report is, or why there is none.

    Returns
    -------
    pathlib.Path or None
        The report, if it could be written.
    """
    try:
        path = write_report(directory.path)
    except Exception as cause:
        again = _REMADE.format(run=directory.path)
        tell("report", f"the report could not be written: {type(cause).__name__}: {cause}; {again}", "warning")
        return None
    tell("report", f"report: {path}", "info", path=str(path))
    return path


def report_stop(directory: RunDirectory, tell: Teller, error: BaseException) -> Path | None:
    """Write the report of a run that an error has ended early; see `report`.

    What the user is told on the screen is left in the run log. Who interrupts a run does not wait for pictures.
    """
    if isinstance(error, HstMosaicError):
        tell("stopped", error.message, "debug", exit_code=int(error.exit_code), next_step=error.next_step)
        draw_pictures(directory, tell)
        return report(directory, tell)
    interrupted = isinstance(error, KeyboardInterrupt)
    code = ExitCode.INTERRUPTED if interrupted else ExitCode.FAILED
    words = "the run was interrupted" if interrupted else f"{type(error).__name__}: {error}"
    tell("stopped", words, "debug", exit_code=int(code), next_step="the same command goes on where it stopped")
    return report(directory, tell)


def _plain(value: Any) -> Any:
    if isinstance(value, bool | int | float | str):
        return value
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
