"""What Dask workers execute: a task in a child process, measured, and its files brought to where they belong."""

from __future__ import annotations

import os
import platform
import shutil
import signal
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from distributed import get_worker

from hstmosaic.run.node.losses import SHORT_OF_MEMORY, memory_line
from hstmosaic.run.node.zygote import shared_zygote
from hstmosaic.store.run_directory import TaskDirectory
from hstmosaic.store.task_specs import ANSWER_FILE, STATUS, TRAILERS, TaskResult, read_result, write_result

if TYPE_CHECKING:
    from collections.abc import Sequence

_FULL_MB = 2


@dataclass(frozen=True)
class Workplace:
    """Where tasks work."""

    scratch: bool = False
    """In the worker's own directory, on a disk of its node, and not in the run directory."""
    keep_work: bool = False
    """Keep all that a task has written, also of one that has failed."""


@dataclass(frozen=True)
class Measured:
    """What a task took."""

    wall_seconds: float
    cpu_seconds: float
    max_rss_mb: float
    """Peak resident memory of the task's process, 10^6 bytes."""
    host: str
    started: float
    """Seconds since 1970."""
    job: str = ""
    """Number of the Slurm job that it ran in."""


def run_task(folder: str, place: Workplace | None = None, disk_mb: float = 0) -> tuple[TaskResult, Measured]:
    """Run the task of a prepared task directory.

    Parameters
    ----------
    folder : str
        The task directory.
    place : Workplace, optional
        Where it works; by default in ``work/`` of the task directory.
    disk_mb : float
        What the task is estimated to write, 10^6 bytes; looked for where it works in scratch.

    Returns
    -------
    TaskResult
        What the task has answered, or what is made up from how its process ended; also in ``result.json``.
    Measured
        What it took.
    """
    place = place or Workplace()
    task = TaskDirectory(Path(folder))
    zygote = shared_zygote()
    zygote.wait()  # its import is nothing that the task takes
    work = Path(get_worker().local_directory) / task.name if place.scratch else task.work
    started = time.time()
    cpu_seconds = max_rss_mb = 0.0
    result = TaskResult(ok=False, error=_lack_of_room(work.parent, disk_mb) if place.scratch else "", retry=True)
    try:
        if not result.error:
            (task.path / ANSWER_FILE).unlink(missing_ok=True)  # of an attempt whose worker was lost
            logged = task.log.stat().st_size if task.log.exists() else 0  # by earlier attempts
            ended = zygote.run(task.path, work)
            cpu_seconds, max_rss_mb = ended.cpu_seconds, ended.max_rss_mb
            result = _checked(read_result(task.path, ANSWER_FILE) or _made_up(ended.status), work, place)
            result = _checked_memory(result, task, logged)
            if result.ok and place.scratch:
                result = _brought_home(task, result, work, place)
    finally:
        _clear(task, work, place, ok=result.ok)
    measured = Measured(
        wall_seconds=round(time.time() - started, 3),
        cpu_seconds=round(cpu_seconds, 3),
        max_rss_mb=round(max_rss_mb, 1),
        host=_node(),
        started=started,
        job=os.environ.get("SLURM_JOB_ID", ""),
    )
    task.write_measured(asdict(measured))
    write_result(task.path, result)
    return result, measured


def _node() -> str:
    return os.environ.get("SLURMD_NODENAME") or platform.node()


def _lack_of_room(scratch: Path, needed_mb: float) -> str:
    try:
        free_mb = shutil.disk_usage(scratch).free / 1e6
    except OSError as error:
        return f"the scratch directory {scratch} of {_node()} cannot be used: {error.strerror}"
    if free_mb < needed_mb:
        return (
            f"the scratch directory {scratch} of {_node()} has {free_mb:.0f} MB left, a task needs {needed_mb:.0f} MB"
        )
    return ""


def _checked(result: TaskResult, work: Path, place: Workplace) -> TaskResult:
    """Say so where a task may have failed because its disk is full, which drizzlepac does not always say."""
    if result.ok or not work.is_dir() or shutil.disk_usage(work).free / 1e6 > _FULL_MB:
        return result
    what = "the scratch directory" if place.scratch else "the file system of"
    # another node may have more room; the file system of the run is everybody's
    return replace(result, error=f"{what} {work.parent} of {_node()} is full ({result.error})", retry=place.scratch)


def _checked_memory(result: TaskResult, task: TaskDirectory, logged: int) -> TaskResult:
    """Say so where a task has failed for want of memory: of a MemoryError drizzlepac leaves only lines in the log."""
    if result.ok or not task.log.exists():
        return result
    with task.log.open("rb") as log:
        log.seek(logged)
        line = memory_line(log.read().decode(errors="replace"))
    if not line:
        return result
    error = result.error if line in result.error else f"{result.error} ({line})"
    return replace(result, error=error, data=result.data | {SHORT_OF_MEMORY: True})


def _brought_home(task: TaskDirectory, result: TaskResult, work: Path, place: Workplace) -> TaskResult:
    try:
        _bring_home(task, work, None if place.keep_work else tuple(result.files))
    except OSError as error:
        return TaskResult(ok=False, data=result.data, error=f"{task.path} cannot be written from {_node()}: {error}")
    return result


def _bring_home(task: TaskDirectory, work: Path, names: Sequence[str] | None) -> None:
    """Copy files, or all there is, from scratch into the task directory; they appear there together."""
    draft = task.work.with_name(task.work.name + ".part")
    shutil.rmtree(draft, ignore_errors=True)
    if names is None:
        shutil.copytree(work, draft, symlinks=True)
    else:
        draft.mkdir()
        for name in names:
            shutil.copyfile(work / name, draft / name)
    shutil.rmtree(task.work, ignore_errors=True)
    draft.replace(task.work)


def _clear(task: TaskDirectory, work: Path, place: Workplace, *, ok: bool) -> None:
    """Remove what is not needed any more; of a task that has failed, trailers stay."""
    if not ok:
        trailers = None if place.keep_work else [path.name for path in work.glob(TRAILERS)]
        if work.is_dir() and (place.scratch or trailers is not None):
            # where even this cannot be written, the cause of the failure is what counts
            with suppress(OSError):
                _bring_home(task, work, trailers)
        shutil.rmtree(task.work.with_name(task.work.name + ".part"), ignore_errors=True)
    if place.scratch:
        shutil.rmtree(work, ignore_errors=True)


def _made_up(status: int) -> TaskResult:
    return TaskResult(ok=False, data={STATUS: status}, error=_how_it_ended(status), retry=status < 0)


def _how_it_ended(status: int) -> str:
    if status == -signal.SIGKILL:
        return "its process was killed (SIGKILL: by hand, or by the system for want of memory)"
    if status < 0:
        return f"its process was ended by {signal.Signals(-status).name}"
    return f"its process ended with exit code {status} and no result"
