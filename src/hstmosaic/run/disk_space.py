"""Check of the disk space that a run needs."""

from __future__ import annotations

import math
import os
import shutil
from typing import TYPE_CHECKING

from hstmosaic.errors import OutputError
from hstmosaic.store.task_names import layer_tasks

if TYPE_CHECKING:
    from pathlib import Path

    from hstmosaic.plan.plan import Plan
    from hstmosaic.run.options import RunOptions
    from hstmosaic.store.run_directory import RunDirectory


def check_room(output: Path, needed_mb: int) -> None:
    """Check that an output directory, which need not exist, can take the products.

    Parameters
    ----------
    output : pathlib.Path
        The output directory.
    needed_mb : int
        Space for working copies and products, 10^6 bytes.

    Raises
    ------
    OutputError
        If it is not writable or too small.
    """
    try:
        existing = next(folder for folder in (output, *output.parents) if folder.exists())
    except PermissionError as error:
        raise OutputError(
            f"{output}: no permission to read a directory above it", "choose another --output-dir"
        ) from error
    if not existing.is_dir():
        raise OutputError(f"{existing} is not a directory", "choose another --output-dir")
    if not os.access(existing, os.W_OK | os.X_OK):
        raise OutputError(f"{existing} is not writable", "choose another --output-dir")
    free_mb = shutil.disk_usage(existing).free // 1_000_000
    if free_mb < needed_mb:
        raise OutputError(
            f"{existing} has {free_mb} MB left, the run needs about {needed_mb} MB",
            "free some space or choose another --output-dir",
        )


def unusable(output: Path) -> OutputError | None:
    """Return why an output directory cannot be used at all, or None."""
    try:
        check_room(output, 0)
    except OutputError as error:
        return error
    return None


def room_needed(plan: Plan, directory: RunDirectory, options: RunOptions) -> int:
    """Return the space that the rest of a run takes in the output directory, 10^6 bytes."""
    needed = {task: estimate.disk_mb for task, estimate in plan.tasks(aligned=options.aligned).items()}
    if options.profile.scratch and not options.keep_work:
        for layer in plan.layers:  # working copies are on disks of the nodes
            copies = sum(plan.exposure(name).size for name in layer.exposures)
            needed[layer_tasks(layer.name, layer.boxes)[0]] -= copies // 1_000_000
    held = {task: directory.task(task).held_mb(directory.output) for task in needed}
    return math.ceil(sum(max(disk_mb - held[task], 0.0) for task, disk_mb in needed.items()))
