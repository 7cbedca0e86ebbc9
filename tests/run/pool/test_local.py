"""The cluster inside the driver: quotas, killed processes and errors in the driver, with real worker processes."""

import errno
import os
import signal
import time
from types import SimpleNamespace

import pytest

from hstmosaic.errors import ClusterError
from hstmosaic.plan.estimates import Estimate
from hstmosaic.run.node import task as work
from hstmosaic.run.node import zygote
from hstmosaic.run.node.losses import Cause
from hstmosaic.run.pool.local import FixedWorkers, local_cluster
from hstmosaic.run.pool.placement import Need
from hstmosaic.store.events import EventLog
from hstmosaic.store.run_directory import run_directory
from hstmosaic.store.task_specs import StubSpec


class TwoWorkers:
    """Client of a scheduler with workers of 1000 and of 4000 MB."""

    scheduler = SimpleNamespace(identity=None)

    def __init__(self):
        self.workers = {
            f"tcp://{name}": {"name": name, "nthreads": 2, "resources": {"MB": memory_mb}}
            for name, memory_mb in (("small", 1000), ("large", 4000))
        }

    def sync(self, *_, **__):
        return {"workers": self.workers}


def test_needs_are_limited_to_the_largest_worker():
    workers = FixedWorkers(TwoWorkers())
    assert workers.adjust(Need(9000, 60.0)) == Need(4000, 60.0)
    assert (workers.more_memory(1000), workers.more_memory(4000)) == (4000, None)
    assert [workers.attempts_for(cause) for cause in (Cause.MEMORY, Cause.WORKER)] == [2, 1]


def test_a_need_above_all_workers_of_an_allocation_is_an_error():
    with pytest.raises(ClusterError, match="needs 9000 MB, but a worker of this allocation has 4000 MB"):
        FixedWorkers(TwoWorkers(), strict=True).adjust(Need(9000, 60.0))


def test_discarded_and_lost_workers_are_not_listed():
    client = TwoWorkers()
    workers = FixedWorkers(client)
    assert workers.discard("small")
    workers.refresh()
    assert list(workers.workers()) == ["large"]
    client.workers = {}
    workers.refresh()
    workers.scale([], [])
    with pytest.raises(ClusterError, match="all workers were lost"):
        workers.scale([Need(1, 1.0)], [])


@pytest.fixture(scope="module")
def events():
    return []


@pytest.fixture(scope="module")
def pool(events):
    with local_cluster(workers=1, memory_mb=4000, events=EventLog(events.append)) as opened:
        opened.workers.attempts = 2
        yield opened


@pytest.fixture
def start(pool, events, tmp_path):
    events.clear()

    def start(seconds):
        task = run_directory(tmp_path, "stub").task("task")
        task.prepare(StubSpec(seconds=seconds), "key")
        return task, pool.submit(task.path, Estimate(300, seconds, 1))

    return start


def test_an_idle_pool_wakes_up_rarely(pool):
    cluster = pool.client.cluster
    servers = [cluster.scheduler, *cluster.workers.values()]
    intervals_ms = [callback.callback_time for server in servers for callback in server.periodic_callbacks.values()]
    assert len(intervals_ms) > 5
    assert sum(1000 / interval for interval in intervals_ms) < 30


def test_web_pages_of_the_pool_are_for_this_host_alone(pool):
    cluster = pool.client.cluster
    for server in [cluster.scheduler, *cluster.workers.values()]:
        addresses = [each.getsockname()[0] for each in server.http_server._sockets.values()]
        assert addresses == ["127.0.0.1"]


def retries(events):
    return [(event.data["cause"], event.data["memory_mb"]) for event in events if event.kind == "retrying"]


@pytest.mark.upstream
def test_a_result_beyond_the_quota_is_not_retried(start, events, monkeypatch):
    def write_result(*_):  # what a file system with quotas says, of which there is none here
        raise OSError(errno.EDQUOT, "Disk quota exceeded", "result.json.part")

    monkeypatch.setattr(work, "write_result", write_result)
    result, _ = start(0.1)[1].result(120)
    assert not result.ok
    assert "Disk quota exceeded: 'result.json.part'" in result.error
    assert "attempt" not in result.error
    assert result.retry  # no exposure is left out for that
    assert retries(events) == []


@pytest.mark.upstream
@pytest.mark.parametrize(
    ("number", "retry"), [(signal.SIGKILL, ("memory", 4000)), (signal.SIGTERM, ("worker", 300))], ids=["KILL", "TERM"]
)
def test_only_who_kills_for_memory_gets_more_of_it(start, events, number, retry):
    task, answer = start(2.0)
    deadline = time.monotonic() + 120
    while not task.log.exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    forking = zygote.shared_zygote()
    os.kill(forking._process.pid, number)
    assert answer.result(120)[0].ok
    forking.close()
    assert retries(events) == [retry]


@pytest.mark.upstream
def test_an_error_in_the_driver_reaches_those_who_wait(tmp_path, monkeypatch):
    def read_result(_):  # what a file server that has been restarted may say
        raise OSError(errno.ESTALE, "Stale file handle")

    monkeypatch.setattr("hstmosaic.run.pool.pool.read_result", read_result)
    task = run_directory(tmp_path, "stub").task("task")
    task.prepare(StubSpec(seconds=2.0), "key")
    with local_cluster(workers=1, memory_mb=4000) as pool:
        pool.workers.attempts = 2
        answer = pool.submit(task.path, Estimate(300, 2.0, 1))
        deadline = time.monotonic() + 120
        while not task.log.exists():
            assert time.monotonic() < deadline
            time.sleep(0.02)
        os.kill(zygote.shared_zygote()._process.pid, signal.SIGTERM)
        with pytest.raises(OSError, match="Stale file handle"):
            answer.result(30)
