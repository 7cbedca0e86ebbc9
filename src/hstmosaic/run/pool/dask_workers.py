"""Which workers a Dask cluster has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hstmosaic.errors import ClusterError

if TYPE_CHECKING:
    from distributed import Client


def workers_of(client: Client) -> dict[str, dict[str, Any]]:
    """Ask a scheduler which workers it has.

    `distributed.Client.scheduler_info` reads its answer from a cache that the client's own clock overwrites with one
    that has no workers; whoever asks at that moment would take every worker for lost.

    Parameters
    ----------
    client : distributed.Client
        Of the cluster, synchronous.

    Returns
    -------
    dict
        What the scheduler knows of each worker, by address.

    Raises
    ------
    ClusterError
        If the scheduler is gone.
    """
    scheduler: Any = client.scheduler
    try:
        identity = client.sync(scheduler.identity, n_workers=-1)
    except OSError as error:
        raise ClusterError(
            f"the scheduler of this run is gone ({error})", "the same command goes on where this run stopped"
        ) from error
    workers: dict[str, dict[str, Any]] = identity["workers"]
    return workers
