"""Text and sizes of job scripts: `job_script` is what `hstmosaic run --show-jobs` prints."""

from __future__ import annotations

import contextlib
import hashlib
import math
import re
import shlex
import sys
from typing import TYPE_CHECKING, Any

import dask.config
from dask.utils import parse_bytes

from hstmosaic.child import SAFE_PATH_OPTION, shell_environment
from hstmosaic.errors import ProfileError
from hstmosaic.run.jobqueue import SLURMJob
from hstmosaic.run.pool.placement import JobLimits, JobSize
from hstmosaic.run.profiles.walltime import format_walltime, parse_walltime
from hstmosaic.run.slurm.answers import SlurmCommandError
from hstmosaic.run.slurm.partitions import partition_limits, partition_of

if TYPE_CHECKING:
    from pathlib import Path

    from hstmosaic.run.profiles.profile import Profile
    from hstmosaic.store.run_directory import RunDirectory

_PLAIN_PATH = re.compile(r"[\w./:@+=,~-]+")
_BYTES_PER_MIB = 1 << 20
_BYTES_PER_GIB = 1 << 30
_DASK_NAME = "dask-worker"
_DEFAULTS = {"cores": 4, "memory": "16GB"}


def job_script(size: JobSize, name: str, logs: Path, profile: Profile, scheduler: str = "tls://DRIVER:PORT") -> str:
    """Return the script of a job of a worker; nothing is submitted.

    Besides its arguments it depends on Dask's configuration alone, which `Profile.dask` is a part of.

    Parameters
    ----------
    size : JobSize
        Cores, memory, walltime and scratch.
    name : str
        Of the job.
    logs : pathlib.Path
        Directory of its output.
    profile : Profile
        Of the run.
    scheduler : str
        Address that the worker connects to.
    """
    options = job_options(size, name, logs, profile) | {"log_directory": None}
    return str(SLURMJob(scheduler, name="WORKER", **options).job_script())


def job_options(size: JobSize, name: str, logs: Path, profile: Profile) -> dict[str, Any]:
    """Return the arguments of dask-jobqueue's `SLURMJob`; see `job_script` for the parameters."""
    return {
        "cores": size.cores,
        "processes": 1,
        "python": worker_python(),
        "memory": f"{size.memory_mb}MB",
        "job_mem": f"{_units(size.memory_mb, _BYTES_PER_MIB)}M",
        "job_cpu": config("job-cpu"),
        "walltime": format_walltime(size.seconds),
        "job_name": name,
        "log_directory": str(logs),
        "nanny": False,
        # Slurm enforces memory and the driver restarts; requeueing by Slurm would run tasks twice
        "job_extra_directives": [
            "--no-requeue",
            *_scratch_directives(size, profile),
            *config("job-extra-directives", []),
        ],
        "job_script_prologue": [*config("job-script-prologue", []), *shell_environment(), *_check_scratch(profile)],
        "worker_extra_args": [
            *config("worker-extra-args", []),
            *("--memory-limit", "0", "--no-dashboard", "--preload", "hstmosaic.run.worker"),
        ],
    }


def worker_python() -> str:
    """Return the words that start Python in a job, without the current directory on its path."""
    return f"{config('python', shlex.quote(sys.executable))} {SAFE_PATH_OPTION}"


def _units(megabytes: float, unit: int) -> int:
    return math.ceil(megabytes * 1e6 / unit)


def _scratch_directives(size: JobSize, profile: Profile) -> list[str]:
    if not profile.scratch_option or not size.disk_mb:
        return []
    mib, gib = _units(size.disk_mb, _BYTES_PER_MIB), _units(size.disk_mb, _BYTES_PER_GIB)
    return [profile.scratch_option.format(mb=mib, gb=gib)]


def _check_scratch(profile: Profile) -> list[str]:
    """Return lines that end the job if its node has no scratch directory; Dask would make one without a message."""
    if not profile.scratch:
        return []
    folder = config("local-directory")
    if folder is None:
        raise ProfileError(
            f"profile {profile.name}: scratch without a directory", "name it in jobqueue.slurm.local-directory"
        )
    return [
        f'scratch="{folder}"',
        '[ -d "$scratch" ] && [ -w "$scratch" ] || { echo "cannot write to the scratch directory \'$scratch\' on'
        ' ${SLURMD_NODENAME:-$HOSTNAME} (local-directory of the profile)" >&2; exit 1; }',
    ]


def config(key: str, default: Any = None) -> Any:
    """Return a value under ``jobqueue.slurm`` of the profile or of the user's Dask configuration."""
    found = dask.config.get(f"jobqueue.slurm.{key}", None)
    return default if found is None else found


def job_name(directory: RunDirectory) -> str:
    """Return the name of a run's jobs, which is the same on all hosts and in all starts of the run."""
    # nodes see the run directory under this path
    token = hashlib.sha256(str(directory.path.resolve()).encode()).hexdigest()[:8]
    name = config("name", _DASK_NAME)
    ours = "hstmosaic" if name == _DASK_NAME else name
    # slurm/hstmosaic-slurm finds the jobs of runs by this prefix
    return f"{ours}-{token}" if f"{ours}-".startswith("hstmosaic-") else f"hstmosaic-{ours}-{token}"


def job_limits(profile: Profile) -> JobLimits:
    """Return the limits of jobs: those of the profile within those of the partition."""
    shared = JobSize(
        cores=int(config("cores", _DEFAULTS["cores"])),
        memory_mb=parse_bytes(config("memory", _DEFAULTS["memory"])) // 1_000_000,
        seconds=parse_walltime(str(config("walltime"))),
    )
    partition = None
    with contextlib.suppress(SlurmCommandError):  # then sbatch reports what is not allowed
        partition = partition_limits(partition_of(config("queue")))
    memory = [limit for limit in (profile.max_memory_mb, partition and partition.memory_mb) if limit]
    seconds = [limit for limit in (profile.max_walltime, partition and partition.seconds) if limit]
    max_memory, max_seconds = min(memory, default=math.inf), min(seconds, default=math.inf)
    cores = min(shared.cores, partition.cores) if partition else shared.cores
    return JobLimits(
        shared=JobSize(cores, int(min(shared.memory_mb, max_memory)), min(shared.seconds, max_seconds)),
        max_memory_mb=max_memory,
        max_seconds=max_seconds,
    )


def check_path(path: Path) -> None:
    """Reject a path that dask-jobqueue cannot write into a script, since it quotes nothing.

    Raises
    ------
    ProfileError
        If the path has blanks or characters that mean something to the shell or to sbatch.
    """
    if not _PLAIN_PATH.fullmatch(str(path)):
        raise ProfileError(
            f"{path}: the path of a run on Slurm cannot contain blanks, quotes, percent signs and the like",
            "choose another --output-dir",
        )
