"""The list of workers."""

import dask
from distributed import Client, LocalCluster

from hstmosaic.run.pool.dask_workers import workers_of


def test_the_clients_own_clock_hides_no_worker():
    # its default of 2 s hits the moment between the question and the answer once in thousands of times
    often = {"distributed.client.scheduler-info-interval": "1ms"}
    with (
        dask.config.set(often),
        LocalCluster(n_workers=1, processes=False, dashboard_address="127.0.0.1:0", protocol="inproc://") as cluster,
        Client(cluster) as client,
    ):
        counts = {len(workers_of(client)) for _ in range(2000)}
        naive = {len(client.scheduler_info()["workers"]) for _ in range(2000)}
    assert counts == {1}
    assert naive == {0, 1}, "distributed has mended its cache: workers_of is not needed any more"
