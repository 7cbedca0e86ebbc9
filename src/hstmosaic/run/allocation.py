"""A run inside one Slurm allocation: srun starts the same command many times, and each takes its part."""

from __future__ import annotations

import os
import platform
import re
import shutil
import signal
import sys
import tempfile
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import dask.config
import psutil
from distributed import Client
from distributed.core import rpc

from hstmosaic.errors import ClusterError
from hstmosaic.run.cluster import MEMORY
from hstmosaic.run.jobqueue import SLURMRunner
from hstmosaic.run.keys import read_keys, run_keys
from hstmosaic.run.sizes import WORKER_MEMORY_MB

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from hstmosaic.run.profile import Profile

_START_SECONDS = 300
_MB_PER_MIB = 1.048576


@contextmanager
def allocation_client(profile: Profile, output: Path) -> Iterator[Client]:
    """Take this process's part in the allocation: only one of them, the driver, ever comes back from here.

    Parameters
    ----------
    profile : Profile
        Its Dask configuration holds here.
    output : pathlib.Path
        Seen by all nodes under the same path; keys and address go to a folder in it that the user alone can read.

    Yields
    ------
    distributed.Client
        Of a cluster of all other processes but one, which is its scheduler.

    Raises
    ------
    ClusterError
        If srun has not started this process, or the others do not come.
    """
    rank, count = _place_in_step(os.environ)
    folder = output / f".hstmosaic-{os.environ['SLURM_JOB_ID']}.{os.environ.get('SLURM_STEP_ID', '0')}"
    address = folder / "scheduler.json"
    if rank == 0:
        output.mkdir(parents=True, exist_ok=True)
        keys = run_keys(folder)
    else:
        _wait_for(address)
        keys = read_keys(folder)
    if rank != 1:
        # the runner ends scheduler and workers by this signal when the driver has shut them down
        signal.signal(signal.SIGINT, lambda *_: sys.exit(0))
    quiet = {"distributed.worker.memory.terminate": False, "distributed.admin.system-monitor.interval": "10s"}
    with dask.config.set(quiet | dict(profile.dask)):
        interface = dask.config.get("jobqueue.slurm.interface", None)
        runner: Any = SLURMRunner(
            scheduler_file=str(address),
            scheduler_options={
                "security": keys,
                "protocol": "tls://",
                "interface": interface,
                "dashboard_address": "127.0.0.1:0",
            },
            worker_options=_worker_options(os.environ) | {"security": keys, "interface": interface},
        )
        runner.scheduler_comm = rpc(runner.scheduler_address, connection_args=keys.get_connection_args("client"))
        try:
            with runner, Client(runner.scheduler_address, security=keys) as client:
                client.wait_for_workers(count - 2, timeout=_START_SECONDS)
                yield client
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _place_in_step(environment: Mapping[str, str]) -> tuple[int, int]:
    try:
        rank, count = int(environment["SLURM_PROCID"]), int(environment["SLURM_NTASKS"])
    except KeyError as error:
        raise ClusterError(f"{error} is not set: srun has not started this", "see slurm/allocation.sbatch") from error
    if count < 3:
        raise ClusterError(f"{count} task(s) are too few: driver, scheduler, workers", "sbatch --ntasks=3 or more")
    return rank, count


def _wait_for(path: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while not path.exists() or not path.stat().st_size:
        if time.monotonic() > deadline:
            raise ClusterError(f"{path} has not appeared", "is the output directory shared by all nodes?")
        time.sleep(0.2)


def _worker_options(environment: Mapping[str, str]) -> dict[str, Any]:
    cores = int(environment.get("SLURM_CPUS_PER_TASK", "1"))
    return {
        "nthreads": cores,
        "memory_limit": 0,
        "resources": {MEMORY: memory_per_task(environment) - WORKER_MEMORY_MB},
        "local_directory": local_directory(dask.config.get("jobqueue.slurm.local-directory", None)),
        "preload": ["hstmosaic.run.worker"],
        "dashboard": False,
    }


def local_directory(named: str | None) -> str:
    """Return the directory in which workers keep their files, as the profile names it; the system's own when None.

    Raises
    ------
    ClusterError
        If a variable in it is not set here, or there is no such directory.
    """
    if named is None:
        return tempfile.gettempdir()
    path = os.path.expandvars(named)
    if not os.access(path, os.W_OK | os.X_OK):
        raise ClusterError(
            f"no directory {path!r} that can be written on {platform.node()} (local-directory of the profile)",
            "name one that every node has, as a path or with variables that are set in jobs",
        )
    return path


def memory_per_task(environment: Mapping[str, str]) -> int:
    """Return the memory that each task of this step may take, 10^6 bytes, from Slurm's variables.

    Parameters
    ----------
    environment : mapping of str to str
        With ``SLURM_MEM_PER_CPU`` or ``SLURM_MEM_PER_NODE``; where both are missing, Slurm sets no limit.
    """
    cores = int(environment.get("SLURM_CPUS_PER_TASK", "1"))
    if "SLURM_MEM_PER_CPU" in environment:
        return int(int(environment["SLURM_MEM_PER_CPU"]) * cores * _MB_PER_MIB)
    counts = environment.get("SLURM_STEP_TASKS_PER_NODE", environment.get("SLURM_TASKS_PER_NODE", "1"))
    most = max(int(found) for found in re.findall(r"(\d+)(?:\(x\d+\))?", counts))
    if int(environment.get("SLURM_MEM_PER_NODE", "0")):
        return int(int(environment["SLURM_MEM_PER_NODE"]) * _MB_PER_MIB / most)
    return int(0.9 * psutil.virtual_memory().total / 1e6 / most)
