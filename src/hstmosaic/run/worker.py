"""Preload of Dask workers in jobs: drizzlepac's import begins with the worker, and tasks end with it."""

from __future__ import annotations

import asyncio
import os
import threading
from typing import TYPE_CHECKING, Any

from hstmosaic.errors import ClusterError
from hstmosaic.run.node.zygote import close_zygote, shared_zygote
from hstmosaic.run.probe import differences, versions

if TYPE_CHECKING:
    from collections.abc import Mapping

_INTRODUCTION = "hstmosaic"
JOB = "hstmosaic-job"
"""Under this name the scheduler knows the number of a worker's Slurm job."""
_LAST_SECONDS = 5.0


def dask_setup(worker: Any) -> None:
    """Start the process that forks tasks, and tell the scheduler what is here; Dask calls this when a worker starts."""
    # a signal ends the loop of a worker that has no scheduler yet without a teardown
    worker.end_with_loop = asyncio.get_running_loop().create_task(_end_with_loop())
    here = versions()
    worker.startup_information[_INTRODUCTION] = lambda _: here
    worker.startup_information[JOB] = lambda _: os.environ.get("SLURM_JOB_ID", "")
    shared_zygote()


def dask_teardown(worker: Any) -> None:
    """End it and its tasks; Dask calls this when a worker ends."""
    _end_soon()
    worker.end_with_loop.cancel()
    close_zygote()


async def _end_with_loop() -> None:
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        _end_soon()
        raise


def _end_soon() -> None:
    """See to it that the process ends: it may wait for ever for a coroutine that will not be cancelled."""
    end = threading.Timer(_LAST_SECONDS, os._exit, [0])
    end.daemon = True
    end.start()


def check_versions(worker: Mapping[str, Any]) -> None:
    """Refuse a worker that has not the driver's versions.

    Parameters
    ----------
    worker : mapping
        What the scheduler knows of it.

    Raises
    ------
    ClusterError
        With both versions of everything that differs.
    """
    other = differences(versions(), worker.get(_INTRODUCTION, {}), ("in the driver", "in the worker"))
    if other:
        raise ClusterError(
            f"driver and workers differ: {'; '.join(other)}",
            "let both come from the same environment or image (profile: jobqueue.slurm.python, hstmosaic.image)",
        )
