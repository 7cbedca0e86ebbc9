"""What is done with a task whose worker could not bring its result: again, again with more memory, or not at all."""

import errno
import os
import pickle
import signal
import time

import pytest

from hstmosaic.plan.estimates import Estimate
from hstmosaic.run.node import task as work
from hstmosaic.run.node import zygote
from hstmosaic.run.node.losses import Cause, ZygoteEndedError, ZygoteKilledError, lost_by
from hstmosaic.run.pool.local import local_cluster
from hstmosaic.store.events import EventLog
from hstmosaic.store.run_directory import run_directory
from hstmosaic.store.task_specs import StubSpec


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (None, Cause.WORKER),
        (ZygoteKilledError("it has ended"), Cause.MEMORY),
        (ZygoteEndedError("it has ended"), Cause.WORKER),
        (MemoryError(), Cause.MEMORY),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), Cause.MEMORY),
        (OSError(errno.ESTALE, "Stale file handle"), Cause.WORKER),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), None),
        (PermissionError(errno.EACCES, "Permission denied"), None),
        (TypeError("a mistake"), None),
    ],
)
def test_errors_of_workers(error, cause):
    # as Dask brings them
    lost = lost_by(pickle.loads(pickle.dumps(error)))
    assert (lost and lost.cause) == cause


@pytest.fixture(scope="module")
def events():
    return []


@pytest.fixture(scope="module")
def pool(events):
    with local_cluster(workers=1, memory_mb=4000, events=EventLog(events.append)) as opened:
        opened.staff.attempts = 2
        yield opened


@pytest.fixture
def start(pool, events, tmp_path):
    events.clear()

    def start(seconds):
        task = run_directory(tmp_path, "stub").task("task")
        task.prepare(StubSpec(seconds=seconds), "key")
        return task, pool.submit(task.path, Estimate(300, seconds, 1))

    return start


def retries(events):
    return [(event.data["cause"], event.data["memory_mb"]) for event in events if event.kind == "retrying"]


@pytest.mark.upstream
def test_a_result_for_which_there_is_no_quota_is_not_tried_again(start, events, monkeypatch):
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
def test_who_waits_for_a_task_hears_of_an_error_in_the_driver(tmp_path, monkeypatch):
    def read_result(_):  # what a file server that has been restarted may say
        raise OSError(errno.ESTALE, "Stale file handle")

    monkeypatch.setattr("hstmosaic.run.pool.pool.read_result", read_result)
    task = run_directory(tmp_path, "stub").task("task")
    task.prepare(StubSpec(seconds=2.0), "key")
    with local_cluster(workers=1, memory_mb=4000) as pool:
        pool.staff.attempts = 2
        answer = pool.submit(task.path, Estimate(300, 2.0, 1))
        deadline = time.monotonic() + 120
        while not task.log.exists():
            assert time.monotonic() < deadline
            time.sleep(0.02)
        os.kill(zygote.shared_zygote()._process.pid, signal.SIGTERM)
        with pytest.raises(OSError, match="Stale file handle"):
            answer.result(30)
