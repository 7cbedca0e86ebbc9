"""Pictures of a run: drawn next to the driver or on a worker, and listed in the manifest."""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from hstmosaic.child import child_environment, module_command
from hstmosaic.errors import ClusterError, HstMosaicError
from hstmosaic.plan.estimates import Estimate, estimate_pictures
from hstmosaic.plan.names import json_manifest_name
from hstmosaic.products.manifest import PICTURE_KINDS, described, read_manifest
from hstmosaic.products.picture_list import PICTURE_SIDE, read_picture_list
from hstmosaic.products.picture_program import PROGRAM
from hstmosaic.products.run_record import read_record
from hstmosaic.run.pool.machine_limits import usable_memory
from hstmosaic.store.files import ENCODING, write_atomically
from hstmosaic.store.stage_events import Drawing, PicturesFailed
from hstmosaic.store.task_results import PicturesFailure
from hstmosaic.store.task_specs import PicturesSpec

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hstmosaic.plan.plan import Plan
    from hstmosaic.products.gather import Gathered
    from hstmosaic.products.run_record import RunRecord
    from hstmosaic.products.seams import Seams
    from hstmosaic.run.pool.pool import Pool
    from hstmosaic.store.events import EventLog
    from hstmosaic.store.run_directory import RunDirectory

_TASK = "pictures"
_MEMORY_MB = 500
"""Measured 340 MB on mosaics of 5000 pixels a side."""
_STRIPS = 3
"""Number of strips in double precision that are in memory at a time."""
_FREE = 1 / 9
"""Memory that tasks leave free, as a share of theirs: a tenth of the whole."""
_PATIENCE = 300.0
"""Seconds in which a worker must start the task; usually the one that drizzled last is still connected."""
REMADE = "hstmosaic report {run} makes it again"


def estimate_drawing(plan: Plan) -> Estimate:
    """Estimate the resources to draw the pictures of all products of a plan."""
    grids = [product.grid for layer in plan.layers for product in layer.products]
    widest = max(grid.shape[1] for grid in grids)
    strips_mb = _STRIPS * 8 * widest * max(widest / PICTURE_SIDE, 1) / 1e6
    return Estimate(round(_MEMORY_MB + strips_mb), estimate_pictures(grids), disk_mb=0)


def fits_beside_tasks(plan: Plan, memory_mb: float | None = None) -> bool:
    """Return whether pictures can be drawn while tasks run.

    Parameters
    ----------
    plan : Plan
        The plan.
    memory_mb : float, optional
        Memory of all tasks together, 10^6 bytes; what the machine leaves when None.
    """
    given = usable_memory().mb if memory_mb is None else memory_mb
    return estimate_drawing(plan).memory_mb <= _FREE * given


def seconds_left_to_draw(plan: Plan, *, beside_tasks: bool) -> float:
    """Estimate the time for the pictures after the last task, seconds.

    Parameters
    ----------
    plan : Plan
        The plan.
    beside_tasks : bool
        Whether each layer is drawn as soon as it is gathered, so that one is left.
    """
    if not beside_tasks:
        return estimate_drawing(plan).seconds
    layers = [[product.grid for product in layer.products] for layer in plan.layers]
    return max(estimate_pictures(grids, alone=False) for grids in layers)


def draw_on_worker(plan: Plan, directory: RunDirectory, pool: Pool, events: EventLog) -> list[Gathered] | None:
    """Make previews, region files and coverage maps in a task.

    Parameters
    ----------
    plan : Plan
        The plan.
    directory : RunDirectory
        The run, with everything gathered.
    pool : Pool
        Where tasks run.
    events : EventLog
        Receives the events.

    Returns
    -------
    list of Gathered or None
        The files in the output directory, none if drawing failed; None if no worker has done it in time.
    """
    task, estimate = directory.task(_TASK), estimate_drawing(plan)
    task.prepare(PicturesSpec(program=PROGRAM, run=str(directory.path)), "")
    emit_drawing(events)
    try:
        result, _ = pool.submit(task.path, estimate).result(_PATIENCE + 3 * estimate.seconds)
    except (TimeoutError, ClusterError):
        return None
    if not result.ok:
        emit_undrawn(directory, events, result.error, result.read(PicturesFailure).details)
        return []
    if not pool.task_options.keep_work:
        task.remove_work()
    return drawn(directory)


def draw_pictures(directory: RunDirectory, events: EventLog, error: BaseException | None = None) -> list[Gathered]:
    """Make previews, region files and coverage maps in a separate process.

    The libraries that draw are not loaded into the driver, and its memory does not depend on the size of mosaics.

    Parameters
    ----------
    directory : RunDirectory
        The run.
    events : EventLog
        Receives the events.
    error : BaseException, optional
        Error that ended the run early. After an interrupt, no pictures are drawn.

    Returns
    -------
    list of Gathered
        The files in the output directory; empty if it failed.
    """
    if error is not None and not isinstance(error, HstMosaicError):
        return []
    emit_drawing(events)
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
        emit_undrawn(directory, events, last_words(ended.stderr, ended.returncode), ended.stderr)
        return []
    return drawn(directory)


def last_words(output: str, code: int) -> str:
    """Return the last line that a program wrote before it failed, or its exit code."""
    return (output.strip().splitlines() or [f"exit code {code}"])[-1]


def emit_drawing(events: EventLog) -> None:
    """Report that only the pictures are left to do."""
    events.emit(Drawing(), "drawing pictures", "debug")


def emit_undrawn(directory: RunDirectory, events: EventLog, words: str, details: str) -> None:
    """Report why pictures are missing, and how to make them."""
    again = REMADE.format(run=directory.path)
    events.emit(PicturesFailed(details), f"the pictures could not be made: {words}; {again}", "warning")


def drawn(directory: RunDirectory) -> list[Gathered]:
    """Return the pictures of a run, as files in the output directory."""
    return _drawn(read_record(directory.path))


def seams_of(directory: RunDirectory) -> Mapping[str, Seams]:
    """Return the steps of backgrounds that were measured with the pictures; none if their list is damaged."""
    try:
        return read_picture_list(directory.pictures_file).seams
    except ValueError:
        return {}


def _drawn(record: RunRecord) -> list[Gathered]:
    files = record.pictures.files
    return [replace(described(record.output / file.name, file.kind), layer=file.layer) for file in files]


def list_pictures(run: Path) -> None:
    """Update the manifest of an ended run with pictures that were made later.

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
    write_atomically(
        path,
        replace(manifest, products=tuple(there), seams=record.pictures.seams).with_products(_drawn(record)).to_json(),
    )
    # the time of a manifest distinguishes it from those of later starts
    os.utime(path, ns=(time, time))
