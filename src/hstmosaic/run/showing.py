"""Showing a run: pictures and report at its end. What goes wrong with them is told, and harms nothing else."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hstmosaic.child import child_environment, module_command
from hstmosaic.errors import HstMosaicError
from hstmosaic.plan.names import json_manifest_name
from hstmosaic.products.manifest import PICTURE_KINDS, described, read_manifest
from hstmosaic.products.report import write_report
from hstmosaic.products.run_record import read_record
from hstmosaic.store.files import ENCODING, write_whole

if TYPE_CHECKING:
    from hstmosaic.products.gather import Gathered
    from hstmosaic.products.run_record import RunRecord
    from hstmosaic.run.driver import RunOptions
    from hstmosaic.store.events import Teller
    from hstmosaic.store.run_directory import RunDirectory

_TOLD_ANYWAY = {"source", "output", "prefix", "notes"}
"""The plan and the place of the run directory tell these."""
PROGRAM = "hstmosaic.products.pictures"
_REMADE = "hstmosaic report {run} makes it again"


def asked(options: RunOptions) -> dict[str, Any]:
    """Return what the user has asked for, for the run log: the command, and every other option that was set."""
    chosen = {item.name: getattr(options, item.name) for item in fields(options) if item.name not in _TOLD_ANYWAY}
    usual = {item.name: item.default for item in fields(options)}
    told = {name: _plain(value) for name, value in chosen.items() if value != usual[name]}
    told["profile"] = options.profile.name
    command = shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]])
    return {"command": command, "stub": options.stub, "options": told}


def draw_pictures(directory: RunDirectory, tell: Teller, error: BaseException | None = None) -> list[Gathered]:
    """Make previews, region files and coverage maps in a process of its own.

    The libraries that draw are not loaded into the driver, and its memory does not depend on the size of mosaics.

    Parameters
    ----------
    directory : RunDirectory
        The run.
    tell : Teller
        Hears it if that fails.
    error : BaseException, optional
        What has ended the run early. Who interrupts a run does not wait for pictures.

    Returns
    -------
    list of Gathered
        The files in the output directory; empty if it failed.
    """
    if error is not None and not isinstance(error, HstMosaicError):
        return []
    tell_drawing(tell)
    ended = subprocess.run(
        module_command(PROGRAM, str(directory.path)),
        env=child_environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding=ENCODING,
        errors="replace",
        check=False,
    )
    if ended.returncode:
        words = (ended.stderr.strip().splitlines() or [f"exit code {ended.returncode}"])[-1]
        tell_undrawn(directory, tell, words, ended.stderr)
        return []
    return drawn(directory)


def tell_drawing(tell: Teller) -> None:
    """Tell that all is done but the pictures."""
    tell("drawing", "drawing pictures", "debug")


def tell_undrawn(directory: RunDirectory, tell: Teller, words: str, details: str) -> None:
    """Tell why there are no pictures, and how to get them."""
    again = _REMADE.format(run=directory.path)
    tell("pictures", f"the pictures could not be made: {words}; {again}", "warning", details=details)


def drawn(directory: RunDirectory) -> list[Gathered]:
    """Return the pictures of a run, as files in the output directory."""
    return _drawn(read_record(directory.path))


def _drawn(record: RunRecord) -> list[Gathered]:
    files = record.pictures.get("files", [])
    return [replace(described(record.output / file["name"], file["kind"]), layer=file["layer"]) for file in files]


def list_pictures(run: Path) -> None:
    """Bring the manifest of a run that has ended up to date with pictures that were made since.

    Parameters
    ----------
    run : pathlib.Path
        The run directory.

    Raises
    ------
    OutputError
        If the manifest is damaged.
    """
    record = read_record(run)
    path = record.output / json_manifest_name(record.plan.prefix)
    if not path.is_file():
        return  # the end of the run writes it
    manifest = read_manifest(path)
    there = (
        file for file in manifest.products if file.kind not in PICTURE_KINDS or (record.output / file.name).is_file()
    )
    time = path.stat().st_mtime_ns
    write_whole(path, replace(manifest, products=tuple(there)).with_products(_drawn(record)).to_json())
    # by its time a manifest is told from those of later starts
    os.utime(path, ns=(time, time))


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


def tell_stop(error: BaseException, code: int, tell: Teller) -> None:
    """Leave in the run log what the user is told on the screen when an error ends a run."""
    if isinstance(error, HstMosaicError):
        tell("stopped", error.message, "debug", exit_code=code, next_step=error.next_step)
        return
    tell("stopped", stop_words(error), "debug", exit_code=code, next_step="the same command goes on where it stopped")


def stop_words(error: BaseException) -> str:
    """Return what has ended a run early, in words."""
    if isinstance(error, HstMosaicError):
        return error.message
    return "the run was interrupted" if isinstance(error, KeyboardInterrupt) else f"{type(error).__name__}: {error}"


def _plain(value: Any) -> Any:
    if isinstance(value, bool | int | float | str):
        return value
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
