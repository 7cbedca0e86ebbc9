"""The pool: placement of tasks, the retry policy, and what becomes of lost and failed tasks."""

import errno
import time

import pytest

from helpers.fake_workers import FakeClient, FakeWorkers
from hstmosaic.errors import ClusterError
from hstmosaic.plan.estimates import Estimate
from hstmosaic.run.node.losses import Cause, Loss, ZygoteEndedError
from hstmosaic.run.pool.placement import Need
from hstmosaic.run.pool.pool import Pool
from hstmosaic.run.pool.retry_policy import next_need
from hstmosaic.store.events import EventLog
from hstmosaic.store.measured import Measured
from hstmosaic.store.result_files import TaskResult, write_result
from hstmosaic.store.run_directory import run_directory
from hstmosaic.store.task_specs import StubSpec

MEASURED = Measured(1.0, 0.5, 300.0, "node1", 0.0)
GOOD = (TaskResult(ok=True), MEASURED)
NEED = Need(1000, 60.0)


@pytest.mark.parametrize(
    ("loss", "attempt", "need"),
    [
        (Loss(Cause.WORKER, ""), 1, Need(1000, 60.0)),
        (Loss(Cause.WORKER, ""), 3, None),
        (Loss(Cause.MEMORY, ""), 1, Need(2000, 60.0)),
        (Loss(Cause.MEMORY, ""), 3, None),
        (Loss(Cause.WALLTIME, "", 50.0), 1, Need(1000, 120.0)),
        (Loss(Cause.WALLTIME, "", 300.0), 2, Need(1000, 300.0)),
        (Loss(Cause.WALLTIME, "", 5000.0), 2, Need(1000, 1000.0)),
    ],
)
def test_retry_policy(loss, attempt, need):
    assert next_need(NEED, attempt, loss, FakeWorkers({}, attempts=3)) == need


def test_retry_policy_stops_at_the_most_memory():
    workers = FakeWorkers({}, attempts=9, most_mb=1500)
    second = next_need(NEED, 1, Loss(Cause.MEMORY, ""), workers)
    assert second == Need(1500, 60.0)
    assert next_need(second, 2, Loss(Cause.MEMORY, ""), workers) is None


class Bench:
    """A pool with workers and a client that a test controls."""

    def __init__(self, folder, workers):
        self.folder, self.workers, self.client = folder, workers, FakeClient()
        self.events, self.now = [], 0.0
        self.pool = Pool(self.client, workers, EventLog(self.events.append), clock=lambda: self.now)

    def start(self, name, memory_mb=1000, seconds=60.0, priority=0.0):
        task = run_directory(self.folder, "stub").task(name)
        task.prepare(StubSpec(seconds=seconds), "key")
        return self.pool.submit(task.path, Estimate(memory_mb, seconds, 1), priority)

    def running(self, number):
        """Wait for the submission of the task with a number, counted from 1, and return its future."""
        self.until(lambda: len(self.client.futures) >= number)
        return self.client.futures[number - 1]

    def until(self, true):
        deadline = time.monotonic() + 60
        while not true():
            assert time.monotonic() < deadline
            time.sleep(0.001)

    def steps(self, number=3):
        """Wait for that many steps of the pool."""
        after = len(self.workers.requests) + number
        self.until(lambda: len(self.workers.requests) >= after)

    def retries(self):
        return [(event.data["cause"], event.data["memory_mb"]) for event in self.events if event.kind == "retrying"]


@pytest.fixture
def bench(tmp_path):
    opened = []

    def open_bench(workers):
        opened.append(Bench(tmp_path, workers))
        return opened[-1]

    yield open_bench
    for each in opened:
        each.pool.close()


def test_a_task_runs_where_it_fits_and_returns_its_result(bench):
    on = bench(FakeWorkers({"small": (1, 500), "large": (1, 4000)}))
    answer = on.start("task")
    future = on.running(1)
    assert future.worker == "tcp://large"
    future.end(GOOD)
    assert answer.result(60) == GOOD


def test_tasks_wait_for_a_free_slot(bench):
    on = bench(FakeWorkers({"one": (1, 4000)}))
    first, second = on.start("first"), on.start("second")
    future = on.running(1)
    on.steps()
    assert len(on.client.futures) == 1
    assert len(on.workers.requests[-1]) == 1
    future.end(GOOD)
    on.running(2).end(GOOD)
    assert first.result(60) == second.result(60) == GOOD


def test_a_task_of_a_lost_worker_runs_again_elsewhere(bench):
    on = bench(FakeWorkers({"one": (1, 4000)}))
    answer = on.start("task")
    lost = on.running(1)
    on.workers.sizes = {"two": (1, 4000)}
    again = on.running(2)
    assert lost.cancelled
    assert again.worker == "tcp://two"
    again.end(GOOD)
    assert answer.result(60)[0].ok
    assert on.retries() == [("worker", 1000)]


def test_a_result_on_disk_counts_though_its_worker_was_lost(bench):
    on = bench(FakeWorkers({"one": (1, 4000)}))
    answer = on.start("task")
    write_result((on.folder / "stub_run" / "tasks" / "task"), TaskResult(ok=True, data={"stub": 1}))
    on.running(1)
    on.workers.sizes = {}
    result, measured = answer.result(60)
    assert (result.data, measured) == ({"stub": 1}, None)
    assert on.retries() == []


def test_a_task_that_lost_all_its_workers_fails_with_the_attempt(bench):
    on = bench(FakeWorkers({"w1": (1, 4000)}, attempts=2))
    answer = on.start("task")
    for number in (1, 2):
        on.running(number)
        on.workers.sizes = {f"w{number + 1}": (1, 4000)}
    result, _ = answer.result(60)
    assert result.error == "worker w2 was lost (attempt 2)"
    assert result.retry


def test_a_killed_task_runs_again_with_more_memory(bench):
    on = bench(FakeWorkers({"one": (2, 8000)}, attempts=9, most_mb=4000))
    answer = on.start("task")
    killed = TaskResult(ok=False, error="its process was killed", retry=True, data={"status": -9})
    for number in (1, 2, 3):
        on.running(number).end((killed, MEASURED))
    result, _ = answer.result(60)
    assert on.retries() == [("memory", 2000), ("memory", 4000)]
    assert result.error == "its process was killed with 4000 MB, the most that can be had"


def test_an_error_in_the_data_is_not_tried_again(bench):
    on = bench(FakeWorkers({"one": (1, 4000)}))
    answer = on.start("task")
    on.running(1).end((TaskResult(ok=False, error="no stars"), MEASURED))
    assert answer.result(60)[0].error == "no stars"
    assert on.retries() == []


def test_a_full_quota_is_not_tried_again(bench):
    on = bench(FakeWorkers({"one": (1, 4000)}))
    answer = on.start("task")
    on.running(1).end(error=OSError(errno.EDQUOT, "Disk quota exceeded"))
    result, measured = answer.result(60)
    assert "Disk quota exceeded" in result.error
    assert result.retry, "no exposure is left out"
    assert measured is None


def test_an_error_of_a_connected_worker_is_settled_after_a_while(bench):
    on = bench(FakeWorkers({"one": (1, 4000)}))
    answer = on.start("task")
    on.running(1).end(error=OSError(errno.ESTALE, "Stale file handle"))
    on.steps()
    assert on.retries() == []
    on.now = 10.0
    on.running(2).end(GOOD)
    assert answer.result(60)[0].ok
    assert on.retries() == [("worker", 1000)]


def test_a_worker_that_cannot_start_tasks_is_discarded(bench):
    on = bench(FakeWorkers({"bad": (1, 2000), "good": (1, 4000)}))
    answer = on.start("task")
    unable = on.running(1)
    assert unable.worker == "tcp://bad"
    unable.end(error=ZygoteEndedError("the process that runs tasks cannot start: ImportError", ready=False))
    again = on.running(2)
    assert again.worker == "tcp://good"
    again.end(GOOD)
    assert answer.result(60)[0].ok


def test_workers_that_all_cannot_start_tasks_end_the_run(bench):
    on = bench(FakeWorkers({"only": (1, 2000)}))
    answer = on.start("task")
    on.running(1).end(error=ZygoteEndedError("cannot start: ImportError", ready=False))
    with pytest.raises(ClusterError, match="no worker can run tasks: cannot start: ImportError"):
        answer.result(60)
    with pytest.raises(ClusterError):
        on.start("later").result(60)


def test_closing_cancels_tasks_without_a_result(bench):
    on = bench(FakeWorkers({}))
    answer = on.start("task")
    on.pool.close()
    assert answer.cancelled()
