"""Dask clusters that tasks run on."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import dask
from distributed import Client, LocalCluster

from hstmosaic.errors import ClusterError
from hstmosaic.run.dask_settings import dask_defaults, find_address
from hstmosaic.run.node.losses import Cause, Lost
from hstmosaic.run.node.task import Workplace
from hstmosaic.run.node.zygote import close_zygote
from hstmosaic.run.pool.dask_workers import workers_of
from hstmosaic.run.pool.machine_limits import Memory, cores, usable_memory
from hstmosaic.run.pool.placement import Need, Room
from hstmosaic.run.pool.pool import Pool
from hstmosaic.store.events import EventLog

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence


MEMORY = "MB"
"""Name of the Dask resource by which a worker says what memory its tasks may take, 10^6 bytes each."""
_GIVEN = "memory_mb"
_ATTEMPTS_FOR_MEMORY = 2
"""The second one has all the memory that a worker has, so it is alone there."""


class FixedStaff:
    """The workers that there are: none is hired.

    Parameters
    ----------
    client : distributed.Client
        Of the cluster.
    attempts : int
        How often a task is started at most.
    limit : str
        Name of what limits the memory of a worker.
    strict : bool
        Whether a task that is estimated to need more memory than a worker has is an error; else it may try it alone.
    """

    period = 0.5

    def __init__(self, client: Client, attempts: int = 1, *, limit: str = _GIVEN, strict: bool = False) -> None:
        self.client, self.attempts, self.memory_limit, self._strict = client, attempts, limit, strict
        self._discarded: set[str] = set()
        self.largest_mb: int = max(room.memory_mb for _, room in self.rooms().values())

    def rooms(self) -> dict[str, tuple[str, Room]]:
        """Return address and capacity of the workers, by name."""
        return {
            str(worker["name"]): (address, Room(str(worker["name"]), worker["nthreads"], worker["resources"][MEMORY]))
            for address, worker in workers_of(self.client).items()
            if str(worker["name"]) not in self._discarded
        }

    def discard(self, name: str) -> bool:
        """Count on a worker no more, and tell whether others are there."""
        self._discarded.add(name)
        return bool(self.rooms())

    def adjust(self, need: Need) -> Need:
        """Return the need within what there is."""
        if self._strict and need.memory_mb > self.largest_mb:
            raise ClusterError(
                f"a task needs {need.memory_mb} MB, but a worker of this allocation has {self.largest_mb} MB",
                "ask for more memory, or for fewer tasks in a node",
            )
        return replace(need, memory_mb=min(need.memory_mb, self.largest_mb))

    def attempts_for(self, cause: Cause) -> int:
        """Return how often a task is started at most; one that was short of memory has one more attempt, alone."""
        return max(self.attempts, _ATTEMPTS_FOR_MEMORY) if cause is Cause.MEMORY else self.attempts

    def more_memory(self, memory_mb: int) -> int | None:
        """Return all the memory of the largest worker, None if the task had that."""
        return self.largest_mb if memory_mb < self.largest_mb else None

    def more_time(self, seconds: float) -> float:
        """Return what is asked for."""
        return seconds

    def ending(self, name: str, since: float) -> Lost | None:
        """Say that a worker was lost."""
        return Lost(Cause.WORKER, f"worker {name} was lost")

    def tend(self, waiting: Sequence[Need], busy: Collection[str]) -> None:
        """Hire nobody, but give up where nobody is left."""
        if waiting and not self.rooms():
            raise ClusterError("all workers are lost", "the same command goes on where this run stopped")


@contextmanager
def local_cluster(
    workers: int | None = None,
    memory_mb: int | None = None,
    events: EventLog | None = None,
    place: Workplace | None = None,
) -> Iterator[Pool]:
    """Start an embedded Dask cluster in this process.

    Parameters
    ----------
    workers : int, optional
        Number of tasks at a time; the number of usable cores when None.
    memory_mb : int, optional
        Memory that tasks may claim together, 10^6 bytes; what the machine leaves when None.
    events : EventLog, optional
        Receives the events.
    place : Workplace, optional
        Where tasks work.

    Yields
    ------
    Pool
        Of its one worker. On leaving, tasks that still run are killed.
    """
    memory = usable_memory() if memory_mb is None else Memory(_GIVEN, memory_mb)
    quiet = {"distributed.worker.memory.terminate": False, "distributed.admin.system-monitor.interval": "10s"}
    find_address()  # nothing leaves this process, so that it does not matter which one it is
    with (
        dask.config.set(dask_defaults() | quiet),
        LocalCluster(
            n_workers=1,
            threads_per_worker=workers or cores(),
            processes=False,
            memory_limit=0,
            dashboard_address="127.0.0.1:0",
            resources={MEMORY: memory.mb},
            protocol="inproc://",
            silence_logs=50,
        ) as cluster,
        Client(cluster) as client,
    ):
        pool = Pool(client, FixedStaff(client, limit=memory.limit), events or EventLog(), place)
        try:
            yield pool
        finally:
            pool.close()
            close_zygote()
