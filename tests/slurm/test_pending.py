"""Jobs that wait in the queue of a real Slurm, and the events about them."""

import pytest

from helpers.mini_slurm import ask, wait_until
from helpers.stubs import PATIENCE, profile
from helpers.stubs import bench as patient_bench
from hstmosaic.errors import ClusterError
from hstmosaic.run.slurm.polling import Timing

pytestmark = [pytest.mark.slurm, pytest.mark.upstream]


def bench(folder, given=None):
    """Open a pool that looks at the queue often and reports reasons soon."""
    return patient_bench(folder, given, timing=Timing(poll=0.3, pending=1.0))


def reasons(on):
    return [(event.data["reason"].split(",")[0], event.level) for event in on.emitted("pending")]


def test_nodes_that_are_busy(slurm, tmp_path):
    with bench(tmp_path) as on:
        with slurm.occupied(("-w", "node1", "-c2"), ("-w", "node2", "-c2")):
            answer = on.start("task")
            wait_until(lambda: on.emitted("pending"))
            assert not answer.done()
        assert answer.result(PATIENCE)[0].ok
        (pending,) = on.emitted("pending")
        assert pending.message == "1 job waits in the queue (Resources): all suitable nodes are busy"
        assert pending.data["jobs"] == [event.data["job"] for event in on.emitted("job")]


def test_a_job_that_is_larger_than_what_is_left(slurm, tmp_path):
    with bench(tmp_path) as on:
        # both nodes have a core and some memory left, but neither has enough of it
        with slurm.occupied(("-w", "node1", "--mem=4000"), ("-w", "node2", "--mem=4000")):
            big, small = on.start("big", estimate_mb=3000), on.start("small")
            assert small.result(PATIENCE)[0].ok
            wait_until(lambda: on.emitted("pending"))
            assert not big.done()
        assert big.result(PATIENCE)[0].ok
        assert reasons(on) == [("Resources", "info")]


def test_a_node_that_is_drained(slurm, tmp_path):
    only = "cores: 2, job-extra-directives: ['--nodelist=node2']"
    with bench(tmp_path, profile(**{"cores: 2": only})) as on:
        ask("scontrol", "update", "nodename=node2", "state=drain", "reason=maintenance")
        try:
            answer = on.start("task")
            (pending,) = wait_until(lambda: on.emitted("pending"))
        finally:
            ask("scontrol", "update", "nodename=node2", "state=resume")
        assert pending.data["reason"].startswith("ReqNodeNotAvail")
        assert "down, drained or reserved" in pending.message
        assert answer.result(PATIENCE)[0].ok


def test_a_wait_without_end_is_a_warning_and_then_the_end(slurm, tmp_path):
    with bench(tmp_path, profile(**{"max-jobs: 4": "max-jobs: 4, patience: '0:04'"})) as on:
        # the limits are lowered while the run goes on, else it would have asked for less
        ask("scontrol", "update", "partitionname=batch", "maxtime=2")
        try:
            with pytest.raises(ClusterError, match=r"never start \(PartitionTimeLimit: .*more time.*\)") as raised:
                on.start("task").result(PATIENCE)
        finally:
            ask("scontrol", "update", "partitionname=batch", "maxtime=60")
        assert "max-walltime" in raised.value.next_step
        assert reasons(on) == [("PartitionTimeLimit", "warning")]


def test_held_jobs_start_when_they_are_released(slurm, tmp_path):
    with bench(tmp_path, profile(**{"cores: 2": "cores: 2, job-extra-directives: [--hold]"})) as on:
        answer = on.start("task")
        (pending,) = wait_until(lambda: on.emitted("pending"))
        assert (pending.level, pending.data["reason"]) == ("warning", "JobHeldUser")
        assert "scontrol release" in pending.message
        ask("scontrol", "release", *pending.data["jobs"])
        assert answer.result(PATIENCE)[0].ok


def test_a_closed_partition(slurm, tmp_path):
    with bench(tmp_path) as on:
        ask("scontrol", "update", "partitionname=batch", "state=down")
        try:
            answer = on.start("task")
            wait_until(lambda: on.emitted("pending"))
        finally:
            ask("scontrol", "update", "partitionname=batch", "state=up")
        assert answer.result(PATIENCE)[0].ok
        assert reasons(on) == [("PartitionDown", "warning")]
