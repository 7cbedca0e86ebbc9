"""Dask cluster inside the driver, and workers that are there from the start."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import dask
import distributed
from distributed import Client, LocalCluster

from hstmosaic.errors import ClusterError
from hstmosaic.run.dask_settings import QUIET, dask_defaults, find_address
from hstmosaic.run.node.losses import Cause, Loss
from hstmosaic.run.node.zygote import close_zygote
from hstmosaic.run.pool.dask_workers import RESUME_STEP, workers_of
from hstmosaic.run.pool.machine_limits import Memory, cores, usable_memory
from hstmosaic.run.pool.placement import Capacity, Need
from hstmosaic.run.pool.pool import Pool
from hstmosaic.run.pool.worker_source import Worker
from hstmosaic.store.events import EventLog

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from hstmosaic.run.node.task import TaskOptions

MEMORY = "MB"
"""Name of the Dask resource that holds the memory of a worker for tasks, 10^6 bytes."""
_GIVEN = "memory_mb"
_LOOPBACK = "127.0.0.1:0"
_ATTEMPTS_FOR_MEMORY = 2
"""The second attempt has all the memory of a worker, so no other task runs there."""


class LoopbackWorker(distributed.Worker):
    """A worker of this process; Dask would serve its web pages to other hosts."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options | {"dashboard_address": _LOOPBACK})


class FixedWorkers:
    """The workers of a cluster that cannot grow.

    Parameters
    ----------
    client : distributed.Client
        Of the cluster.
    attempts : int
        Attempts of a task at most.
    limit : str
        Name of what limits the memory of a worker.
    strict : bool
        Whether a task that is estimated to need more memory than a worker has is an error; else it runs alone.
    """

    period = 0.5

    def __init__(self, client: Client, attempts: int = 1, *, limit: str = _GIVEN, strict: bool = False) -> None:
        self.client, self.attempts, self.memory_limit, self._strict = client, attempts, limit, strict
        self._discarded: set[str] = set()
        self._connected: dict[str, Worker] = {}
        self.refresh()
        self.largest_mb: int = max(worker.capacity.memory_mb for worker in self._connected.values())

    def workers(self) -> Mapping[str, Worker]:
        """Return the connected workers by name, without discarded ones."""
        return {name: worker for name, worker in self._connected.items() if name not in self._discarded}

    def refresh(self) -> None:
        """Ask the scheduler which workers are connected."""
        self._connected = {}
        for address, record in workers_of(self.client).items():
            name = str(record["name"])
            self._connected[name] = Worker(address, Capacity(name, record["nthreads"], record["resources"][MEMORY]))

    def discard(self, name: str) -> bool:
        """Give a worker no more tasks, and return whether others are connected."""
        self._discarded.add(name)
        return bool(self.workers())

    def adjust(self, need: Need) -> Need:
        """Return the need, limited to the memory of the largest worker."""
        if self._strict and need.memory_mb > self.largest_mb:
            raise ClusterError(
                f"a task needs {need.memory_mb} MB, but a worker of this allocation has {self.largest_mb} MB",
                "request more memory, or fewer tasks per node",
            )
        return replace(need, memory_mb=min(need.memory_mb, self.largest_mb))

    def attempts_for(self, cause: Cause) -> int:
        """Return the largest number of attempts; a task that had too little memory has one more, alone."""
        return max(self.attempts, _ATTEMPTS_FOR_MEMORY) if cause is Cause.MEMORY else self.attempts

    def more_memory(self, memory_mb: int) -> int | None:
        """Return all memory of the largest worker, None if the task had that."""
        return self.largest_mb if memory_mb < self.largest_mb else None

    def more_time(self, seconds: float) -> float:
        """Return the time unchanged: workers have no walltime here."""
        return seconds

    def find_loss(self, name: str, since: float) -> Loss | None:
        """Return that the worker was lost."""
        return Loss(Cause.WORKER, f"worker {name} was lost")

    def scale(self, waiting: Sequence[Need], busy: Collection[str]) -> None:
        """Raise `ClusterError` if tasks wait and no worker is left."""
        if waiting and not self.workers():
            raise ClusterError("all workers were lost", RESUME_STEP)


@contextmanager
def local_cluster(
    workers: int | None = None,
    memory_mb: int | None = None,
    events: EventLog | None = None,
    options: TaskOptions | None = None,
) -> Iterator[Pool]:
    """Start a Dask cluster inside this process.

    Parameters
    ----------
    workers : int, optional
        Number of tasks at a time; the number of usable cores when None.
    memory_mb : int, optional
        Memory of all tasks together, 10^6 bytes; what the machine leaves when None.
    events : EventLog, optional
        Receives the events.
    options : TaskOptions, optional
        How workers run tasks.

    Yields
    ------
    Pool
        Of its one worker. On leaving, running tasks are killed.
    """
    memory = usable_memory() if memory_mb is None else Memory(_GIVEN, memory_mb)
    find_address()  # nothing leaves this process, so that it does not matter which one it is
    with (
        dask.config.set({**dask_defaults(), **QUIET}),
        LocalCluster(
            n_workers=1,
            threads_per_worker=workers or cores(),
            processes=False,
            memory_limit=0,
            scheduler_kwargs={"dashboard": False},  # importing what draws its diagrams takes a second
            dashboard_address=_LOOPBACK,
            worker_class=LoopbackWorker,
            resources={MEMORY: memory.mb},
            protocol="inproc://",
            silence_logs=50,
        ) as cluster,
        Client(cluster) as client,
    ):
        pool = Pool(client, FixedWorkers(client, limit=memory.limit), events or EventLog(), options)
        try:
            yield pool
        finally:
            pool.close()
            close_zygote()
