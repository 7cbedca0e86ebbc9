"""Workers of a Dask cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hstmosaic.errors import ClusterError

if TYPE_CHECKING:
    from distributed import Client

RESUME_STEP = "rerun the same command to resume; finished work is kept"


def workers_of(client: Client) -> dict[str, dict[str, Any]]:
    """Ask the scheduler which workers it has.

    `distributed.Client.scheduler_info` reads a cache that the client's periodic callback replaces with an answer
    without workers. A call at that moment would take every worker for lost.

    Parameters
    ----------
    client : distributed.Client
        Of the cluster, synchronous.

    Returns
    -------
    dict
        The scheduler's record of each worker, by address.

    Raises
    ------
    ClusterError
        If the scheduler is gone.
    """
    scheduler: Any = client.scheduler
    try:
        identity = client.sync(scheduler.identity, n_workers=-1)
    except OSError as error:
        raise ClusterError(f"lost the connection to the scheduler of this run ({error})", RESUME_STEP) from error
    workers: dict[str, dict[str, Any]] = identity["workers"]
    return workers
