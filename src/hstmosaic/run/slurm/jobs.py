"""Jobs of dask-jobqueue: how they are asked for, one by one and each of its own size."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import math
import re
import shlex
import sys
from asyncio.subprocess import DEVNULL, PIPE
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import dask.config
from dask.utils import parse_bytes
from distributed import Scheduler
from distributed.core import Status

from hstmosaic.child import SAFE_PATH_OPTION, shell_environment
from hstmosaic.errors import ProfileError
from hstmosaic.run.jobqueue import SLURMCluster, SLURMJob
from hstmosaic.run.pool.placement import JobLimits, JobSize
from hstmosaic.run.profiles.walltime import format_walltime, parse_walltime
from hstmosaic.run.slurm.answers import SlurmSilentError, plain, refusal_words
from hstmosaic.run.slurm.commands import CALL_SECONDS, NOT_FOR_SBATCH, NOT_FOR_SCANCEL, PARSABLE, own_jobs
from hstmosaic.run.slurm.partitions import partition_limits, partition_of

if TYPE_CHECKING:
    from pathlib import Path

    from hstmosaic.run.profiles.profile import Profile
    from hstmosaic.store.run_directory import RunDirectory

_PLAIN = re.compile(r"[\w./:@+=,~-]+")
_BYTES_PER_MIB = 1 << 20
_BYTES_PER_GIB = 1 << 30
_DASK_NAME = "dask-worker"
_HEARTBEAT_SECONDS = 5.0
_SYNC_SECONDS = 60.0
_DEFAULTS = {"cores": 4, "memory": "16GB"}
QUIET = {
    "distributed.scheduler.work-stealing": False,
    "distributed.scheduler.worker-ttl": "2 minutes",
    "distributed.worker.memory.terminate": False,
    # by default the driver's event loop is woken up fifty times a second, for statistics that nobody reads
    "distributed.admin.system-monitor.interval": "10s",
    "distributed.admin.tick.interval": "1s",
    "distributed.worker.profile.enabled": False,
    "distributed.client.scheduler-info-interval": "1 minute",
    # hstmosaic watches its jobs itself
    "distributed.deploy.lost-worker-timeout": "7 days",
}


@dataclass
class Job:
    """What the run knows of a job and its worker, which have one name."""

    name: str
    size: JobSize
    number: str = ""
    """Its id, as soon as sbatch or its worker has said it."""
    came: float | None = None
    """When its worker was first seen."""
    until: float = math.inf
    """When its walltime is over."""
    idle_since: float = 0.0


class SizedJob(SLURMJob):
    """A job whose refusal is kept, not raised into Dask's event loop, where nobody hears it."""

    submit_command = f"env {' '.join(f'-u {name}' for name in NOT_FOR_SBATCH)} timeout -k 5 {CALL_SECONDS} sbatch"
    cancel_command = f"env {' '.join(f'-u {name}' for name in NOT_FOR_SCANCEL)} timeout -k 5 {CALL_SECONDS} scancel"
    refusal: str = ""
    """What sbatch said instead of a number."""
    answer: str | None = None
    """What sbatch printed when it submitted the job."""

    async def start(self) -> None:
        """Submit the job."""
        try:
            with self.job_file() as script:
                code, out, err = await _output_of(*shlex.split(self.submit_command), *PARSABLE, script)
        except OSError as error:
            self.refusal = str(error)
        else:
            if code:
                self.refusal = refusal_words(code, out, err)
            else:
                self.answer = out
        self.status = Status.running

    async def close(self) -> None:
        """Cancel the job, if its number is known; a number that is not that of a job of this name cancels nothing."""
        if self.job_id:
            await _output_of(*shlex.split(self.cancel_command), *own_jobs(self.job_name), self.job_id)
        self.status = Status.closed


async def _output_of(*command: str) -> tuple[int, str, str]:
    """Return exit code, standard output and standard error of a command."""
    process = await asyncio.create_subprocess_exec(*command, stdin=DEVNULL, stdout=PIPE, stderr=PIPE)
    out, err = await process.communicate()
    code = await process.wait()
    return code, plain(out), plain(err)


class QuietScheduler(Scheduler):
    """A scheduler that hears of each worker now and then; Dask's own does twice a second, most of all it does here."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        # looked at four times a second, though nothing of the kind is wanted: the driver ends the scheduler
        for timeout in ("idle-timeout", "no-workers-timeout"):
            self.periodic_callbacks.pop(timeout, None)

    def heartbeat_worker(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Hear of a worker, and say when to hear of it again."""
        return super().heartbeat_worker(*args, **kwargs) | {"heartbeat-interval": _HEARTBEAT_SECONDS}


class SizedCluster(SLURMCluster):
    """A cluster whose jobs are each asked for with a size of their own."""

    job_cls = SizedJob

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._sync_interval = _SYNC_SECONDS  # by default once a second, by TLS within this process

    def hire(self, name: str, options: dict[str, Any]) -> None:
        """Submit one job more.

        Parameters
        ----------
        name : str
            Of its worker.
        options : dict
            As `job_options` makes them.
        """
        self.sync(self._hire, name, {"cls": self.job_cls, "options": self.new_spec["options"] | options})

    async def _hire(self, name: str, spec: dict[str, Any]) -> None:
        self.worker_spec[name] = spec
        self.scale(len(self.worker_spec))  # submits what is not yet submitted, in the background

    def dismiss(self, name: str, number: str) -> None:
        """End a job and forget it.

        Parameters
        ----------
        name : str
            Of its worker.
        number : str
            Of the job, empty where it is not known.
        """
        self.sync(self._dismiss, name, number)

    async def _dismiss(self, name: str, number: str) -> None:
        job = self.job(name)
        if job is not None:
            job.job_id = number
        self.worker_spec.pop(name, None)
        self.scale(len(self.worker_spec))

    def staff(self) -> dict[str, Any]:
        """Return what the scheduler, which is in this process, knows of the workers that are there, by name."""
        scheduler: Any = self.scheduler
        return {str(worker.name): worker for worker in list(scheduler.workers.values())}

    def job(self, name: str) -> SizedJob | None:
        """Return a job as soon as sbatch has answered, else None."""
        return self.workers.get(name)


def config(key: str, default: Any = None) -> Any:
    """Return what profile and user say under ``jobqueue.slurm``."""
    found = dask.config.get(f"jobqueue.slurm.{key}", None)
    return default if found is None else found


def job_name(directory: RunDirectory) -> str:
    """Return the name of a run's jobs, by which those that a killed driver has left are found, from whatever host."""
    # nodes see the run directory under this path, so that it is the same directory everywhere
    token = hashlib.sha256(str(directory.path.resolve()).encode()).hexdigest()[:8]
    name = config("name", _DASK_NAME)
    ours = "hstmosaic" if name == _DASK_NAME else name
    # slurm/hstmosaic-slurm knows the run's jobs by this beginning
    return f"{ours}-{token}" if f"{ours}-".startswith("hstmosaic-") else f"hstmosaic-{ours}-{token}"


def job_limits(profile: Profile) -> JobLimits:
    """Return what jobs may be asked for: the profile's limits within those of the partition."""
    shared = JobSize(
        cores=int(config("cores", _DEFAULTS["cores"])),
        memory_mb=parse_bytes(config("memory", _DEFAULTS["memory"])) // 1_000_000,
        seconds=parse_walltime(str(config("walltime"))),
    )
    partition = None
    with contextlib.suppress(SlurmSilentError):  # then sbatch will say what is not allowed
        partition = partition_limits(partition_of(config("queue")))
    memory = [limit for limit in (profile.max_memory_mb, partition and partition.memory_mb) if limit]
    seconds = [limit for limit in (profile.max_walltime, partition and partition.seconds) if limit]
    most_memory, most_seconds = min(memory, default=math.inf), min(seconds, default=math.inf)
    cores = min(shared.cores, partition.cores) if partition else shared.cores
    return JobLimits(
        shared=JobSize(cores, int(min(shared.memory_mb, most_memory)), min(shared.seconds, most_seconds)),
        max_memory_mb=most_memory,
        max_seconds=most_seconds,
    )


def job_options(size: JobSize, name: str, logs: Path, profile: Profile) -> dict[str, Any]:
    """Return the arguments of `SLURMJob` for a job.

    Parameters
    ----------
    size : JobSize
        What it needs.
    name : str
        Of the job.
    logs : pathlib.Path
        Where its output goes.
    profile : Profile
        Says whether tasks work in scratch.
    """
    mib = math.ceil(size.memory_mb * 1e6 / _BYTES_PER_MIB)
    return {
        "cores": size.cores,
        "processes": 1,
        "python": worker_python(),
        "memory": f"{size.memory_mb}MB",
        "job_mem": f"{mib}M",
        "job_cpu": config("job-cpu"),
        "walltime": format_walltime(size.seconds),
        "job_name": name,
        "log_directory": str(logs),
        "nanny": False,
        # Slurm enforces memory and the driver restarts; Slurm's own requeueing would do things twice
        "job_extra_directives": ["--no-requeue", *_ask_for_scratch(size, profile), *config("job-extra-directives", [])],
        "job_script_prologue": [
            *config("job-script-prologue", []),
            *shell_environment(),
            *_check_scratch(profile),
        ],
        "worker_extra_args": [
            *config("worker-extra-args", []),
            *("--memory-limit", "0", "--no-dashboard", "--preload", "hstmosaic.run.worker"),
        ],
    }


def worker_python() -> str:
    """Return the words that start Python in a job, without the current directory on its path."""
    return f"{config('python', shlex.quote(sys.executable))} {SAFE_PATH_OPTION}"


def _ask_for_scratch(size: JobSize, profile: Profile) -> list[str]:
    if not profile.scratch_option or not size.disk_mb:
        return []
    mib, gib = (math.ceil(size.disk_mb * 1e6 / unit) for unit in (_BYTES_PER_MIB, _BYTES_PER_GIB))
    return [profile.scratch_option.format(mb=mib, gb=gib)]


def _check_scratch(profile: Profile) -> list[str]:
    """Say in the job's log what Dask would not: that there is no such directory, and on which node."""
    if not profile.scratch:
        return []
    where = config("local-directory")
    if where is None:
        raise ProfileError(
            f"profile {profile.name}: scratch without a directory", "name it in jobqueue.slurm.local-directory"
        )
    return [
        f'scratch="{where}"',
        '[ -d "$scratch" ] && [ -w "$scratch" ] || { echo "no scratch directory \'$scratch\' that can be written on'
        ' ${SLURMD_NODENAME:-$HOSTNAME} (local-directory of the profile)" >&2; exit 1; }',
    ]


def job_script(size: JobSize, name: str, logs: Path, profile: Profile, scheduler: str = "tls://DRIVER:PORT") -> str:
    """Return the script that a job of a size would be submitted with; nothing is submitted."""
    options = job_options(size, name, logs, profile) | {"log_directory": None}
    shown = SLURMJob(scheduler, name="WORKER", **options)
    return str(shown.job_script())


def check_path(path: Path) -> None:
    """Refuse what dask-jobqueue cannot write into a script, where it quotes nothing.

    Raises
    ------
    ProfileError
        If the path has a blank, or what the shell or sbatch would read as something else.
    """
    if not _PLAIN.fullmatch(str(path)):
        raise ProfileError(
            f"{path}: the path of a run on Slurm cannot have blanks, quotes, percent signs and the like",
            "choose another --output-dir",
        )
