"""Dask cluster whose Slurm jobs are submitted one by one, each with a size of its own."""

from __future__ import annotations

import math
import shlex
from asyncio import create_subprocess_exec
from asyncio.subprocess import DEVNULL, PIPE
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from distributed import Scheduler
from distributed.core import Status

from hstmosaic.run.dask_settings import QUIET
from hstmosaic.run.jobqueue import SLURMCluster, SLURMJob
from hstmosaic.run.slurm.answers import plain, rejection_message
from hstmosaic.run.slurm.commands import CALL_SECONDS, NOT_FOR_SBATCH, NOT_FOR_SCANCEL, PARSABLE, own_jobs

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hstmosaic.run.pool.placement import JobSize

_HEARTBEAT_SECONDS = 5.0
_SYNC_SECONDS = 60.0
SETTINGS: Mapping[str, object] = {
    **QUIET,
    "distributed.scheduler.work-stealing": False,
    "distributed.scheduler.worker-ttl": "2 minutes",
    "distributed.client.scheduler-info-interval": "1 minute",
    # hstmosaic watches its jobs itself
    "distributed.deploy.lost-worker-timeout": "7 days",
}


@dataclass
class Job:
    """State of a job and its worker, which have the same name."""

    name: str
    size: JobSize
    number: str = ""
    """Slurm's number, empty until sbatch or the worker reported it."""
    connected_at: float | None = None
    """Monotonic time at which its worker was first seen."""
    ends_at: float = math.inf
    """Monotonic time at which its walltime ends."""
    idle_since: float = 0.0


class SizedJob(SLURMJob):
    """A job that keeps the error of sbatch, which dask-jobqueue would raise into the event loop of Dask."""

    submit_command = f"env {' '.join(f'-u {name}' for name in NOT_FOR_SBATCH)} timeout -k 5 {CALL_SECONDS} sbatch"
    cancel_command = f"env {' '.join(f'-u {name}' for name in NOT_FOR_SCANCEL)} timeout -k 5 {CALL_SECONDS} scancel"
    rejection: str = ""
    """Error of sbatch."""
    answer: str | None = None
    """Output of sbatch after it submitted the job."""

    async def start(self) -> None:
        """Submit the job."""
        try:
            with self.job_file() as script:
                code, out, err = await _output_of(*shlex.split(self.submit_command), *PARSABLE, script)
        except OSError as error:
            self.rejection = str(error)
        else:
            if code:
                self.rejection = rejection_message(code, out, err)
            else:
                self.answer = out
        self.status = Status.running

    async def close(self) -> None:
        """Cancel the job if its number is known; a number of another job cancels nothing, as its name differs."""
        if self.job_id:
            await _output_of(*shlex.split(self.cancel_command), *own_jobs(self.job_name), self.job_id)
        self.status = Status.closed


async def _output_of(*command: str) -> tuple[int, str, str]:
    """Return exit code, standard output and standard error of a command."""
    process = await create_subprocess_exec(*command, stdin=DEVNULL, stdout=PIPE, stderr=PIPE)
    out, err = await process.communicate()
    code = await process.wait()
    return code, plain(out), plain(err)


class QuietScheduler(Scheduler):
    """A scheduler with rare heartbeats; Dask's own two per second and worker are most of its work here."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        # checked four times a second and never needed, since the driver ends the scheduler
        for timeout in ("idle-timeout", "no-workers-timeout"):
            self.periodic_callbacks.pop(timeout, None)

    def heartbeat_worker(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Handle the heartbeat of a worker, and set the time of the next one."""
        return super().heartbeat_worker(*args, **kwargs) | {"heartbeat-interval": _HEARTBEAT_SECONDS}


class SizedCluster(SLURMCluster):
    """A cluster of jobs of different sizes."""

    job_cls = SizedJob

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._sync_interval = _SYNC_SECONDS  # by default once a second, by TLS within this process

    def submit_job(self, name: str, options: dict[str, Any]) -> None:
        """Submit a job in the background.

        Parameters
        ----------
        name : str
            Of its worker.
        options : dict
            From `hstmosaic.run.slurm.jobs.job_options`.
        """
        self.sync(self._add, name, {"cls": self.job_cls, "options": self.new_spec["options"] | options})

    async def _add(self, name: str, spec: dict[str, Any]) -> None:
        self.worker_spec[name] = spec
        self.scale(len(self.worker_spec))

    def remove_job(self, name: str, number: str) -> None:
        """Cancel a job and forget it.

        Parameters
        ----------
        name : str
            Of its worker.
        number : str
            Of the job, empty if it is not known.
        """
        self.sync(self._remove, name, number)

    async def _remove(self, name: str, number: str) -> None:
        job = self.job(name)
        if job is not None:
            job.job_id = number
        self.worker_spec.pop(name, None)
        self.scale(len(self.worker_spec))

    def connected(self) -> dict[str, Any]:
        """Return the connected workers, as the scheduler in this process has them, by name."""
        scheduler: Any = self.scheduler
        return {str(worker.name): worker for worker in list(scheduler.workers.values())}

    def job(self, name: str) -> SizedJob | None:
        """Return a job if sbatch accepted it, else None."""
        return self.workers.get(name)
