"""What Dask workers execute: a task in a child process, measured."""

from __future__ import annotations

import os
import platform
import signal
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from hstmosaic.plan.specs import TaskResult, read_result, write_result
from hstmosaic.run.directory import TaskDirectory
from hstmosaic.run.zygote import shared_zygote


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


def run_task(folder: str) -> tuple[TaskResult, Measured]:
    """Run the task of a prepared task directory.

    Parameters
    ----------
    folder : str
        The task directory.

    Returns
    -------
    TaskResult
        Read from the task's ``result.json``, or made up from how its process ended.
    Measured
        What it took.
    """
    task = TaskDirectory(Path(folder))
    zygote = shared_zygote()
    zygote.wait()  # its import is nothing that the task takes
    started = time.time()
    ended = zygote.run(task.path)
    measured = Measured(
        wall_seconds=round(time.time() - started, 3),
        cpu_seconds=round(ended.cpu_seconds, 3),
        max_rss_mb=round(ended.max_rss_mb, 1),
        host=platform.node(),
        started=started,
        job=os.environ.get("SLURM_JOB_ID", ""),
    )
    task.write_measured(asdict(measured))
    result = read_result(task.path)
    if result is None:
        result = TaskResult(
            ok=False, data={"status": ended.status}, error=_how_it_ended(ended.status), retry=ended.status < 0
        )
        write_result(task.path, result)
    return result, measured


def _how_it_ended(status: int) -> str:
    if status == -signal.SIGKILL:
        return "its process was killed (SIGKILL: by hand, or by the system for want of memory)"
    if status < 0:
        return f"its process was ended by {signal.Signals(-status).name}"
    return f"its process ended with exit code {status} and no result"
