"""A run inside one Slurm allocation: srun starts the same command many times, and each takes its part."""

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
from hstmosaic.run.dask_settings import address_note
from hstmosaic.run.jobqueue import SLURMRunner
from hstmosaic.run.pool.local import MEMORY
from hstmosaic.run.pool.machine_limits import MB_PER_MIB, usable_memory
from hstmosaic.run.pool.placement import WORKER_MEMORY_MB
from hstmosaic.run.slurm.tls import read_keys, run_keys

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from distributed import Scheduler

    from hstmosaic.run.profiles.profile import Profile

_START_SECONDS = 300
_ALONE_SECONDS = 30
_NOT_OURS = "remove it and submit again, with an --output-dir that others cannot write to"


class EndWithDriver(SchedulerPlugin):
    """Ends scheduler and workers where the driver is gone: one that was killed has not told them to end."""

    async def start(self, scheduler: Scheduler) -> None:
        """Give the driver time to come."""
        scheduler.loop.call_later(_START_SECONDS, self._end_if_alone, scheduler)

    def remove_client(self, scheduler: Scheduler, client: str) -> None:
        """Give it time to come back."""
        scheduler.loop.call_later(_ALONE_SECONDS, self._end_if_alone, scheduler)

    def _end_if_alone(self, scheduler: Scheduler) -> None:
        if not any(name.startswith("Client-") for name in scheduler.clients):
            scheduler.loop.add_callback(scheduler.close, reason="the driver is gone")


@contextmanager
def allocation_client(profile: Profile, output: Path, warn: Callable[[str], None]) -> Iterator[Client]:
    """Take this process's part in the allocation: only one of them, the driver, ever comes back from here.

    Parameters
    ----------
    profile : Profile
        Its Dask configuration holds here.
    output : pathlib.Path
        Seen by all nodes under the same path; keys and address go to a folder in it that the user alone can read.
    warn : callable
        Hears that some of the workers have not come.

    Yields
    ------
    distributed.Client
        Of a cluster of all other processes but one, which is its scheduler.

    Raises
    ------
    ClusterError
        If srun has not started this process, the others do not come, or their folder may be somebody else's.
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
        _wait_for(folder, shown=folder)
    own = _own(folder)
    address = own / "scheduler.json"
    if rank != 0:
        _wait_for(address, shown=folder / address.name)
    keys = read_keys(own)
    # all of them write into the log of the job, which is about the run
    logging.getLogger("distributed").setLevel(logging.WARNING)
    if rank != 1:
        # the runner ends scheduler and workers by this signal when the driver has shut them down
        signal.signal(signal.SIGINT, lambda *_: sys.exit(0))
    quiet = {"distributed.worker.memory.terminate": False, "distributed.admin.system-monitor.interval": "10s"}
    with dask.config.set(quiet | dict(profile.dask)):
        interface = dask.config.get("jobqueue.slurm.interface", None)
        if note := address_note():
            warn(note)
        try:
            # here scheduler and workers stay until they end
            runner: Any = SLURMRunner(
                scheduler_file=str(address),
                scheduler_options={
                    "security": keys,
                    "protocol": "tls://",
                    "interface": interface,
                    "dashboard_address": "127.0.0.1:0",
                    "plugins": (EndWithDriver(),),
                },
                worker_options=_worker_options(os.environ) | {"security": keys, "interface": interface},
            )
            runner.scheduler_comm = rpc(runner.scheduler_address, connection_args=keys.get_connection_args("client"))
            with runner, Client(runner.scheduler_address, security=keys) as client:
                _wait_for_workers(client, count - 2, warn)
                yield client
        finally:
            if rank in (0, 1):  # whichever of them is killed
                shutil.rmtree(folder, ignore_errors=True)


def _place_in_step(environment: Mapping[str, str]) -> tuple[int, int]:
    try:
        rank, count = int(environment["SLURM_PROCID"]), int(environment["SLURM_NTASKS"])
    except KeyError as error:
        raise ClusterError(f"{error} is not set: srun has not started this", "see slurm/allocation.sbatch") from error
    if count < 3:
        raise ClusterError(f"{count} task(s) are too few: driver, scheduler, workers", "sbatch --ntasks=3 or more")
    return rank, count


def _folder_name(environment: Mapping[str, str]) -> str:
    """Return a name that no other start of these processes has: a job that is requeued keeps its number."""
    step = f"{environment['SLURM_JOB_ID']}.{environment.get('SLURM_STEP_ID', '0')}"
    return f".hstmosaic-{step}.{environment.get('SLURM_RESTART_COUNT', '0')}"


def _own(folder: Path) -> Path:
    """Return a path that stays that of this very folder, whatever others put in its place.

    Who can write to the output directory could have made it, or could make another: whose keys are in it commands the
    workers.
    """
    try:
        held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        found = os.fstat(held)
    except OSError as error:
        raise ClusterError(f"{folder}: {error.strerror}", _NOT_OURS) from error
    if found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise ClusterError(f"{folder} is not yours alone, so it is not used", _NOT_OURS)
    return Path(f"/proc/self/fd/{held}")


def _wait_for(path: Path, shown: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while not path.exists() or not (path.is_dir() or path.stat().st_size):
        if time.monotonic() > deadline:
            raise ClusterError(f"{shown} has not appeared", "is the output directory shared by all nodes?")
        time.sleep(0.2)


def _wait_for_workers(client: Client, wanted: int, warn: Callable[[str], None]) -> None:
    try:
        client.wait_for_workers(wanted, timeout=_START_SECONDS)
    except WorkerStartTimeoutError as error:
        if not error.available_workers:
            raise ClusterError(
                f"none of {wanted} worker(s) has come within {_START_SECONDS} s", "the job's log says why"
            ) from error
        words = f"{error.available_workers} of {wanted} worker(s) have come within {_START_SECONDS} s"
        warn(f"{words}; the run goes on with them, the job's log says what became of the others")


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
        With ``SLURM_MEM_PER_CPU`` or ``SLURM_MEM_PER_NODE``; where both are missing, the node sets the limit.
    """
    cores = int(environment.get("SLURM_CPUS_PER_TASK", "1"))
    if "SLURM_MEM_PER_CPU" in environment:
        return int(int(environment["SLURM_MEM_PER_CPU"]) * cores * MB_PER_MIB)
    counts = environment.get("SLURM_STEP_TASKS_PER_NODE", environment.get("SLURM_TASKS_PER_NODE", "1"))
    most = max(int(found) for found in re.findall(r"(\d+)(?:\(x\d+\))?", counts))
    if int(environment.get("SLURM_MEM_PER_NODE", "0")):
        return int(int(environment["SLURM_MEM_PER_NODE"]) * MB_PER_MIB / most)
    return usable_memory(environment=environment).mb // most
