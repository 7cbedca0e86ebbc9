"""Run inside one Slurm allocation: srun starts the same command in many processes, each with a role of its own."""

from __future__ import annotations

import logging
import os
import platform
import re
import shutil
import signal
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dask.config
from distributed import Client
from distributed.core import rpc
from distributed.diagnostics.plugin import SchedulerPlugin
from distributed.exceptions import WorkerStartTimeoutError

from hstmosaic.errors import ClusterError, OutputError
from hstmosaic.run.dask_settings import QUIET, address_note
from hstmosaic.run.jobqueue import SLURMRunner
from hstmosaic.run.pool.local import MEMORY
from hstmosaic.run.pool.machine_limits import MB_PER_MIB, usable_memory
from hstmosaic.run.pool.placement import WORKER_MEMORY_MB
from hstmosaic.run.slurm.tls import read_keys, run_keys
from hstmosaic.text import count_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from distributed import Scheduler

    from hstmosaic.run.profiles.profile import Profile

_START_SECONDS = 300
_ALONE_SECONDS = 30
_NOT_OURS = "remove it and submit again, with an --output-dir that others cannot write to"


class EndWithDriver(SchedulerPlugin):
    """Ends scheduler and workers if the driver is gone, since a killed driver cannot end them."""

    async def start(self, scheduler: Scheduler) -> None:
        """Check for a driver after the time that it may take to connect."""
        scheduler.loop.call_later(_START_SECONDS, self._end_if_alone, scheduler)

    def remove_client(self, scheduler: Scheduler, client: str) -> None:
        """Check for a driver after the time that it may take to reconnect."""
        scheduler.loop.call_later(_ALONE_SECONDS, self._end_if_alone, scheduler)

    def _end_if_alone(self, scheduler: Scheduler) -> None:
        if not any(name.startswith("Client-") for name in scheduler.clients):
            scheduler.loop.add_callback(scheduler.close, reason="the driver is gone")


@contextmanager
def allocation_client(
    profile: Profile, output: Path, warn: Callable[[str], None], timeout: float = _START_SECONDS
) -> Iterator[Client]:
    """Become scheduler, worker or driver of the allocation; only the driver returns from here.

    Parameters
    ----------
    profile : Profile
        With the Dask configuration.
    output : pathlib.Path
        All nodes see it under the same path. Keys and address are in a folder of it that the user alone can read.
    warn : callable
        Is called with a message if workers are missing.
    timeout : float
        Seconds to wait for the other processes.

    Yields
    ------
    distributed.Client
        Of a cluster with one process as scheduler and all others as workers.

    Raises
    ------
    ClusterError
        If srun did not start this process, the others do not connect, or their folder may belong to another user.
    OutputError
        If that folder cannot be made.
    """
    rank, count = _place_in_step(os.environ)
    folder = output / _folder_name(os.environ)
    if rank == 0:
        try:
            output.mkdir(parents=True, exist_ok=True)
            run_keys(folder)
        except OSError as error:
            raise OutputError(f"{folder}: {error.strerror}", "choose another --output-dir") from error
    else:
        _wait_for(folder, folder, timeout)
    own = pinned_path(folder)
    address = own / "scheduler.json"
    if rank != 0:
        _wait_for(address, folder / address.name, timeout)
    keys = read_keys(own)
    # all processes write into the log of the job, which is about the run
    logging.getLogger("distributed").setLevel(logging.WARNING)
    if rank != 1:
        # the runner ends scheduler and workers by this signal when the driver has shut them down
        signal.signal(signal.SIGINT, lambda *_: sys.exit(0))
    with dask.config.set({**QUIET, **profile.dask}):
        interface = dask.config.get("jobqueue.slurm.interface", None)
        if note := address_note():
            warn(note)
        try:
            # scheduler and workers do not return from here
            runner: Any = SLURMRunner(
                scheduler_file=str(address),
                scheduler_options={
                    "security": keys,
                    "protocol": "tls://",
                    "interface": interface,
                    "dashboard": False,
                    "dashboard_address": "127.0.0.1:0",
                    "plugins": (EndWithDriver(),),
                },
                worker_options=_worker_options(os.environ) | {"security": keys, "interface": interface},
            )
            runner.scheduler_comm = rpc(runner.scheduler_address, connection_args=keys.get_connection_args("client"))
            with runner, Client(runner.scheduler_address, security=keys) as client:
                wait_for_workers(client, count - 2, warn, timeout)
                yield client
        finally:
            if rank in (0, 1):  # either may be killed
                shutil.rmtree(folder, ignore_errors=True)


def _place_in_step(environment: Mapping[str, str]) -> tuple[int, int]:
    try:
        rank, count = int(environment["SLURM_PROCID"]), int(environment["SLURM_NTASKS"])
    except KeyError as error:
        raise ClusterError(
            f"{error} is not set: srun did not start this process", "see slurm/allocation.sbatch"
        ) from error
    if count < 3:
        raise ClusterError(
            f"{count_of(count, 'task')} of srun cannot be driver, scheduler and worker", "sbatch --ntasks=3 or more"
        )
    return rank, count


def _folder_name(environment: Mapping[str, str]) -> str:
    """Return a name that is unique to this start; a requeued job keeps its number."""
    step = f"{environment['SLURM_JOB_ID']}.{environment.get('SLURM_STEP_ID', '0')}"
    return f".hstmosaic-{step}.{environment.get('SLURM_RESTART_COUNT', '0')}"


def pinned_path(folder: Path) -> Path:
    """Return a path that leads to this folder even if others replace it.

    A user who can write to the output directory could make such a folder, and with keys in it control the workers.
    """
    try:
        held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        found = os.fstat(held)
    except OSError as error:
        raise ClusterError(f"{folder}: {error.strerror}", _NOT_OURS) from error
    if found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise ClusterError(f"{folder} is accessible to other users", _NOT_OURS)
    return Path(f"/proc/self/fd/{held}")


def _wait_for(path: Path, shown: Path, timeout: float) -> None:
    deadline = time.monotonic() + timeout
    while not path.exists() or not (path.is_dir() or path.stat().st_size):
        if time.monotonic() > deadline:
            raise ClusterError(f"{shown} did not appear", "is the output directory shared by all nodes?")
        time.sleep(0.2)


def wait_for_workers(client: Client, count: int, warn: Callable[[str], None], seconds: float = _START_SECONDS) -> None:
    """Wait until all workers are connected; warn if some are missing, raise `ClusterError` if all are."""
    try:
        client.wait_for_workers(count, timeout=seconds)
    except WorkerStartTimeoutError as error:
        if not error.available_workers:
            raise ClusterError(
                f"none of {count_of(count, 'worker')} connected within {seconds:g} s", "see the log of the job"
            ) from error
        connected = f"{error.available_workers} of {count_of(count, 'worker')} connected within {seconds:g} s"
        warn(f"{connected}; the run continues with them, see the log of the job about the others")


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
    """Return the directory for files of workers that the profile names; that of the system when None.

    Raises
    ------
    ClusterError
        If a variable in it is not set, or the directory does not exist.
    """
    if named is None:
        return tempfile.gettempdir()
    path = os.path.expandvars(named)
    if not os.access(path, os.W_OK | os.X_OK):
        raise ClusterError(
            f"cannot write to {path!r} on {platform.node()} (local-directory of the profile)",
            "name a directory of every node, as a path or with variables that are set in jobs",
        )
    return path


def memory_per_task(environment: Mapping[str, str]) -> int:
    """Return the memory of each process of this step, 10^6 bytes, from Slurm's variables.

    Parameters
    ----------
    environment : mapping of str to str
        With ``SLURM_MEM_PER_CPU`` or ``SLURM_MEM_PER_NODE``; without both, the node sets the limit.
    """
    cores = int(environment.get("SLURM_CPUS_PER_TASK", "1"))
    if "SLURM_MEM_PER_CPU" in environment:
        return int(int(environment["SLURM_MEM_PER_CPU"]) * cores * MB_PER_MIB)
    counts = environment.get("SLURM_STEP_TASKS_PER_NODE", environment.get("SLURM_TASKS_PER_NODE", "1"))
    most = max(int(found) for found in re.findall(r"(\d+)(?:\(x\d+\))?", counts))
    if int(environment.get("SLURM_MEM_PER_NODE", "0")):
        return int(int(environment["SLURM_MEM_PER_NODE"]) * MB_PER_MIB / most)
    return usable_memory(environment=environment).mb // most
