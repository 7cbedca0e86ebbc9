"""Dask clusters that tasks run on."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

import dask
from distributed import Client, LocalCluster

from hstmosaic.run.zygote import close_zygote

if TYPE_CHECKING:
    from collections.abc import Iterator

MEMORY = "MB"
"""Name of the Dask resource that tasks claim, 10^6 bytes each."""
_USABLE_MEMORY = 0.9


def usable_cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0))


def usable_memory_mb() -> int:
    """Return the memory that tasks of this machine may claim together, 10^6 bytes."""
    pages = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return round(_USABLE_MEMORY * pages / 1e6)


@contextmanager
def local_cluster(workers: int | None = None, memory_mb: int | None = None) -> Iterator[Client]:
    """Start an embedded Dask cluster in this process.

    Parameters
    ----------
    workers : int, optional
        Number of tasks at a time; the number of usable cores when None.
    memory_mb : int, optional
        Memory that tasks may claim together, 10^6 bytes; what is free when None.

    Yields
    ------
    distributed.Client
        Connected to it. On leaving, tasks that still run are killed.
    """
    quiet = {"distributed.worker.memory.terminate": False, "distributed.admin.system-monitor.interval": "10s"}
    with (
        dask.config.set(quiet),
        LocalCluster(
            n_workers=1,
            threads_per_worker=workers or usable_cores(),
            processes=False,
            memory_limit=0,
            dashboard_address="127.0.0.1:0",
            resources={MEMORY: memory_mb or usable_memory_mb()},
            protocol="inproc://",
            silence_logs=50,
        ) as cluster,
        Client(cluster) as client,
    ):
        try:
            yield client
        finally:
            close_zygote()
