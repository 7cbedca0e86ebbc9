"""Tasks that the system kills for lack of memory: once more alone, then failed; and what is reported of it."""

import json
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from hstmosaic.plan.estimates import Estimate
from hstmosaic.run.node import zygote
from hstmosaic.run.pool.local import local_cluster
from hstmosaic.store.events import EventLog
from hstmosaic.store.run_directory import run_directory
from hstmosaic.store.task_specs import StubSpec

USABLE_MB = 4000


def run_stubs(folder, specs, estimate_mb, memory_mb=USABLE_MB, workers=2):
    """Run stub tasks side by side; return their results and the events."""
    events = []
    with local_cluster(workers=workers, memory_mb=memory_mb, events=EventLog(events.append)) as pool:
        answers = []
        for number, spec in enumerate(specs):
            task = run_directory(folder, "stub").task(f"task{number}")
            task.prepare(spec, "key")
            answers.append(pool.submit(task.path, Estimate(estimate_mb, spec.seconds, 1)))
        results = [answer.result(180)[0] for answer in answers]
    return results, events


def of_kind(events, kind):
    return [event for event in events if event.kind == kind]


def side_by_side(events):
    """Return the largest number of tasks that ran at a time."""
    running, most = set(), 0
    for event in events:
        if event.kind == "running":
            running.add(event.data["task"])
        elif event.kind in ("ended", "retrying"):
            running.discard(event.data["task"])
        most = max(most, len(running))
    return most


@pytest.fixture
def kernel_with(monkeypatch):
    """Start a thread that does what the kernel does in a cgroup: above a limit it kills the largest task."""
    ended = threading.Event()
    killed = []

    def watch(limit_mb):
        while not ended.wait(0.02):
            sizes = {}
            for pid in list(zygote.shared_zygote().pids.values()):
                try:
                    sizes[pid] = psutil.Process(pid).memory_info().rss / 1e6
                except psutil.Error:
                    continue
            if sum(sizes.values()) > limit_mb:
                largest = max(sizes, key=sizes.get)
                os.kill(largest, signal.SIGKILL)
                killed.append(largest)
                time.sleep(0.1)

    threads = []

    def start(limit_mb):
        threads.append(threading.Thread(target=watch, args=(limit_mb,)))
        threads[0].start()
        return killed

    yield start
    ended.set()
    threads[0].join()


@pytest.mark.upstream
def test_a_killed_task_runs_once_more_alone(tmp_path, kernel_with):
    # each takes about 275 MB of the process that forks them and 600 of its own
    killed = kernel_with(1400)
    results, events = run_stubs(tmp_path, [StubSpec(seconds=3.0, memory_mb=600)] * 2, estimate_mb=300)
    assert killed
    assert [result.ok for result in results] == [True, True]
    retries = of_kind(events, "retrying")
    assert len(retries) == len(killed)
    assert retries[0].data["cause"] == "memory"
    assert f"alone, with all {USABLE_MB} MB" in retries[0].message
    after = events[events.index(retries[-1]) :]
    assert side_by_side(events) == 2
    again = next(k for k, event in enumerate(after) if event.kind == "running")
    if len(killed) == 1:
        assert "ended" in [event.kind for event in after[:again]], "the other one had not ended"


@pytest.mark.upstream
def test_a_task_that_is_killed_alone_has_failed(tmp_path, kernel_with):
    killed = kernel_with(800)
    (result,), events = run_stubs(tmp_path, [StubSpec(seconds=3.0, memory_mb=900)], estimate_mb=300)
    assert len(killed) == 2
    assert not result.ok
    assert result.retry, "no exposure is left out for that"
    assert "SIGKILL" in result.error
    assert f"with {USABLE_MB} MB, the most that can be had" in result.error
    assert len(of_kind(events, "retrying")) == 1


@pytest.mark.upstream
def test_a_task_above_the_limit_is_tried_alone(tmp_path):
    results, events = run_stubs(tmp_path, [StubSpec(seconds=0.5)] * 2, estimate_mb=9000, memory_mb=1000)
    assert [result.ok for result in results] == [True, True]
    assert side_by_side(events) == 1
    assert [event.message for event in of_kind(events, "memory limit")] == [
        f"task{number} is estimated to need 9000 MB; it runs alone, with all 1000 MB (memory_mb)" for number in range(2)
    ]


@pytest.mark.upstream
def test_memory_that_limits_the_tasks_at_a_time_is_reported_once(tmp_path):
    specs = [StubSpec(seconds=2.0)] * 5
    results, events = run_stubs(tmp_path, specs, estimate_mb=700, memory_mb=1500, workers=4)
    assert all(result.ok for result in results)
    assert side_by_side(events) == 2
    (event,) = of_kind(events, "memory limit")
    assert event.data == {"limit": "memory_mb", "memory_mb": 1500, "cores": 4, "running": 2}
    assert "2 of 4 run" in event.message
    assert "1500 MB (memory_mb)" in event.message


@pytest.mark.upstream
def test_nothing_is_reported_where_cores_limit(tmp_path):
    _, events = run_stubs(tmp_path, [StubSpec(seconds=2.0)] * 4, estimate_mb=700)
    assert side_by_side(events) == 2
    assert of_kind(events, "memory limit") == []


UNDER_A_LIMIT = """
import json, sys
from pathlib import Path
from test_memory_shortage import of_kind, run_stubs
from hstmosaic.store.task_specs import StubSpec

(result,), events = run_stubs(Path(sys.argv[1]), [StubSpec(seconds=0.1, memory_mb=3000)], estimate_mb=300, workers=1)
print(json.dumps({"error": result.error, "retry": result.retry, "retries": len(of_kind(events, "retrying"))}))
"""


@pytest.mark.upstream
def test_a_real_ulimit_is_a_lack_of_memory(tmp_path):
    def restrict():
        resource.setrlimit(resource.RLIMIT_AS, (2_500_000_000, 2_500_000_000))

    ended = subprocess.run(
        [sys.executable, "-c", UNDER_A_LIMIT, str(tmp_path)],
        preexec_fn=restrict, capture_output=True, text=True, check=False, timeout=180,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parent)},
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    answer = json.loads(ended.stdout)
    assert answer["retries"] == 1
    assert answer["retry"]
    assert "Unable to allocate" in answer["error"]
