"""Execution of a task by a Dask worker: run in a child process, measured, its files copied to the task directory."""

from __future__ import annotations

import os
import platform
import shutil
import signal
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from distributed import get_worker

from hstmosaic.run.node.losses import memory_line
from hstmosaic.run.node.zygote import shared_zygote
from hstmosaic.store.measured import Measured, write_measured
from hstmosaic.store.result_files import ANSWER_FILE, OUT_OF_MEMORY, STATUS, TaskResult, read_result, write_result
from hstmosaic.store.run_directory import TaskDirectory
from hstmosaic.store.task_specs import TRAILERS

if TYPE_CHECKING:
    from collections.abc import Sequence

_FULL_MB = 2


@dataclass(frozen=True)
class TaskOptions:
    """Options of workers for tasks."""

    scratch: bool = False
    """Write files to the worker's local directory, on a disk of its node, instead of the run directory."""
    keep_work: bool = False
    """Keep all files of a task, also of one that failed."""


def run_task(folder: str, options: TaskOptions | None = None, disk_mb: float = 0) -> tuple[TaskResult, Measured]:
    """Run the task of a prepared task directory.

    Parameters
    ----------
    folder : str
        The task directory.
    options : TaskOptions, optional
        By default the task writes to ``work/`` of the task directory.
    disk_mb : float
        Estimated size of its files, 10^6 bytes; scratch has to have that much free space.

    Returns
    -------
    TaskResult
        That of the task, or one derived from the exit code of its process; also in ``result.json``.
    Measured
        Its time and memory.
    """
    options = options or TaskOptions()
    task = TaskDirectory(Path(folder))
    zygote = shared_zygote()
    zygote.wait()  # the import is not part of the time of the task
    work = Path(get_worker().local_directory) / task.name if options.scratch else task.work
    started = time.time()
    cpu_seconds = max_rss_mb = 0.0
    result = TaskResult(ok=False, error=_missing_space(work.parent, disk_mb) if options.scratch else "", retry=True)
    try:
        if not result.error:
            (task.path / ANSWER_FILE).unlink(missing_ok=True)  # of an attempt that was lost with its worker
            logged = task.log.stat().st_size if task.log.exists() else 0  # by earlier attempts
            ended = zygote.run(task.path, work)
            cpu_seconds, max_rss_mb = ended.cpu_seconds, ended.max_rss_mb
            result = _add_full_disk(
                read_result(task.path, ANSWER_FILE) or _result_of_status(ended.status), work, options
            )
            result = _add_memory_error(result, task, logged)
            if result.ok and options.scratch:
                result = _store_files(task, result, work, options)
    finally:
        _clear(task, work, options, ok=result.ok)
    measured = Measured(
        wall_seconds=round(time.time() - started, 3),
        cpu_seconds=round(cpu_seconds, 3),
        max_rss_mb=round(max_rss_mb, 1),
        host=_node(),
        started=started,
        job=os.environ.get("SLURM_JOB_ID", ""),
    )
    write_measured(task.measured_file, measured)
    write_result(task.path, result)
    return result, measured


def _node() -> str:
    return os.environ.get("SLURMD_NODENAME") or platform.node()


def _missing_space(scratch: Path, needed_mb: float) -> str:
    try:
        free_mb = shutil.disk_usage(scratch).free / 1e6
    except OSError as error:
        return f"cannot use the scratch directory {scratch} of {_node()}: {error.strerror}"
    if free_mb < needed_mb:
        return (
            f"the scratch directory {scratch} of {_node()} has {free_mb:.0f} MB free, a task needs {needed_mb:.0f} MB"
        )
    return ""


def _add_full_disk(result: TaskResult, work: Path, options: TaskOptions) -> TaskResult:
    """Add to the error of a task that its disk is full, which drizzlepac does not always report."""
    if result.ok or not work.is_dir() or shutil.disk_usage(work).free / 1e6 > _FULL_MB:
        return result
    what = "the scratch directory" if options.scratch else "the file system of"
    # another node may have more space, but the file system of the run is shared
    return replace(result, error=f"{what} {work.parent} of {_node()} is full ({result.error})", retry=options.scratch)


def _add_memory_error(result: TaskResult, task: TaskDirectory, logged: int) -> TaskResult:
    """Add to the error of a task a MemoryError that drizzlepac caught and only logged."""
    if result.ok or not task.log.exists():
        return result
    with task.log.open("rb") as log:
        log.seek(logged)
        line = memory_line(log.read().decode(errors="replace"))
    if not line:
        return result
    error = result.error if line in result.error else f"{result.error} ({line})"
    return replace(result, error=error, data=result.data | {OUT_OF_MEMORY: True})


def _store_files(task: TaskDirectory, result: TaskResult, work: Path, options: TaskOptions) -> TaskResult:
    try:
        _copy_from_scratch(task, work, None if options.keep_work else tuple(result.files))
    except OSError as error:
        return TaskResult(ok=False, data=result.data, error=f"cannot write {task.path} from {_node()}: {error}")
    return result


def _copy_from_scratch(task: TaskDirectory, work: Path, names: Sequence[str] | None) -> None:
    """Copy files (all if None) from scratch into the task directory, where they appear together."""
    draft = task.work.with_name(task.work.name + ".part")
    shutil.rmtree(draft, ignore_errors=True)
    if names is None:
        shutil.copytree(work, draft, symlinks=True)
    else:
        draft.mkdir()
        for name in names:
            (draft / name).parent.mkdir(exist_ok=True)
            shutil.copyfile(work / name, draft / name)
    shutil.rmtree(task.work, ignore_errors=True)
    draft.replace(task.work)


def _clear(task: TaskDirectory, work: Path, options: TaskOptions, *, ok: bool) -> None:
    """Remove files that are not needed any more. The trailers of a task that failed are kept."""
    if not ok:
        trailers = None if options.keep_work else [path.name for path in work.glob(TRAILERS)]
        if work.is_dir() and (options.scratch or trailers is not None):
            # the cause of the failure matters more than an error here
            with suppress(OSError):
                _copy_from_scratch(task, work, trailers)
        shutil.rmtree(task.work.with_name(task.work.name + ".part"), ignore_errors=True)
    if options.scratch:
        shutil.rmtree(work, ignore_errors=True)


def _result_of_status(status: int) -> TaskResult:
    return TaskResult(ok=False, data={STATUS: status}, error=_describe_status(status), retry=status < 0)


def _describe_status(status: int) -> str:
    if status == -signal.SIGKILL:
        return "its process was killed (SIGKILL: by a user, or by the system for lack of memory)"
    if status < 0:
        return f"its process was ended by {signal.Signals(-status).name}"
    return f"its process ended with exit code {status} and no result"
