"""The list of workers, while the client's clock replaces its cache."""

import pytest
from distributed import Client, LocalCluster

from hstmosaic.errors import ClusterError
from hstmosaic.run.pool.dask_workers import workers_of


@pytest.fixture
def client():
    """A client whose clock ticks right after every answer of the scheduler, the worst moment."""
    with (
        LocalCluster(n_workers=1, processes=False, dashboard_address="127.0.0.1:0", protocol="inproc://") as cluster,
        Client(cluster) as connected,
    ):
        sync, tick = connected.sync, connected._periodic_callbacks["scheduler-info"].callback

        def sync_then_tick(*arguments, **options):
            answer = sync(*arguments, **options)
            sync(tick)
            return answer

        connected.sync = sync_then_tick
        yield connected
        connected.sync = sync


def test_a_tick_of_the_clients_clock_hides_no_worker(client):
    assert len(workers_of(client)) == 1
    assert client.scheduler_info()["workers"] == {}, "distributed fixed its cache: workers_of is not needed any more"


def test_a_scheduler_that_is_gone_is_an_error(client, monkeypatch):
    def lost(*_, **__):
        raise OSError("Stream is closed")

    monkeypatch.setattr(client, "sync", lost)
    with pytest.raises(ClusterError, match=r"lost the connection to the scheduler .*Stream is closed") as raised:
        workers_of(client)
    assert "rerun the same command" in raised.value.next_step
