"""Pool of the cluster that a profile names."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from hstmosaic.run.node.task import TaskOptions
from hstmosaic.run.pool.local import FixedWorkers, local_cluster
from hstmosaic.run.pool.machine_limits import SLURM_JOB
from hstmosaic.run.pool.pool import Pool

if TYPE_CHECKING:
    from collections.abc import Iterator

    from distributed import Client

    from hstmosaic.run.profiles.profile import Profile
    from hstmosaic.store.events import EventLog
    from hstmosaic.store.run_directory import RunDirectory


@contextmanager
def open_pool(
    profile: Profile,
    directory: RunDirectory,
    events: EventLog,
    workers: int | None = None,
    client: Client | None = None,
    *,
    keep_work: bool = False,
) -> Iterator[Pool]:
    """Open the pool of the cluster that a profile names.

    Parameters
    ----------
    profile : Profile
        Of the run.
    directory : RunDirectory
        Of the run.
    events : EventLog
        Receives the events.
    workers : int, optional
        Tasks at a time.
    client : distributed.Client, optional
        Of the allocation, where the run is in one.
    keep_work : bool
        Keep all files of tasks.
    """
    options = TaskOptions(profile.scratch, keep_work)
    if profile.cluster == "slurm":
        from hstmosaic.run.slurm.pool import slurm_pool

        with slurm_pool(profile, directory, events, options, workers) as pool:
            yield pool
    elif client is not None:
        pool = Pool(client, FixedWorkers(client, profile.attempts, limit=SLURM_JOB, strict=True), events, options)
        try:
            yield pool
        finally:
            pool.close()
    else:
        with local_cluster(workers, events=events, options=options) as pool:
            yield pool
