"""Preload of Dask workers in jobs: starts the process that forks tasks, and ends tasks with the worker."""

from __future__ import annotations

import asyncio
import os
import threading
from typing import TYPE_CHECKING, Any

from hstmosaic.errors import ClusterError
from hstmosaic.run.node.zygote import close_zygote, shared_zygote
from hstmosaic.run.probe import differences, versions
from hstmosaic.store.run_directory import write_for_owner_alone

if TYPE_CHECKING:
    from collections.abc import Mapping

VERSIONS = "hstmosaic"
JOB = "hstmosaic-job"
"""Key of the number of a worker's Slurm job in its record at the scheduler."""
_EXIT_SECONDS = 5.0


def dask_setup(worker: Any) -> None:
    """Start the process that forks tasks, and send versions to the scheduler; Dask calls this when a worker starts."""
    write_for_owner_alone()
    # a signal ends the event loop of a worker that waits for its scheduler, without a call of the teardown
    worker.end_with_loop = asyncio.get_running_loop().create_task(_end_with_loop())
    here = versions()
    worker.startup_information[VERSIONS] = lambda _: here
    worker.startup_information[JOB] = lambda _: os.environ.get("SLURM_JOB_ID", "")
    shared_zygote()


def dask_teardown(worker: Any) -> None:
    """End the process that forks tasks; Dask calls this when a worker ends."""
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
    """End the process after a while; it may wait for ever for a coroutine that ignores its cancellation."""
    end = threading.Timer(_EXIT_SECONDS, os._exit, [0])
    end.daemon = True
    end.start()


def check_versions(found: Mapping[str, str]) -> None:
    """Reject a worker whose versions differ from those of the driver.

    Parameters
    ----------
    found : mapping of str to str
        Its `VERSIONS` at the scheduler.

    Raises
    ------
    ClusterError
        With both versions of everything that differs.
    """
    other = differences(versions(), found, ("in the driver", "in the worker"))
    if other:
        raise ClusterError(
            f"driver and workers differ: {'; '.join(other)}",
            "let both come from the same environment or image (profile: jobqueue.slurm.python, hstmosaic.image)",
        )
