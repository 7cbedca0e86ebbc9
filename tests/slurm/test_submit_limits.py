"""Limits on submitted jobs, as a real Slurm enforces them: with its words, and without the run's ending badly."""

import pytest

from helpers.mini_slurm import ask, mini_slurm, wait_until
from helpers.stubs import PATIENCE, bench, profile
from hstmosaic.errors import ClusterError

pytestmark = [pytest.mark.slurm, pytest.mark.upstream]

# What a QOS with MaxSubmitJobs says, without the data base that a QOS needs: the plugin answers with the same error.
TWO_JOBS = "JobSubmitPlugins=throttle\nSchedulerParameters=jobs_per_user_per_hour=2,bf_interval=1,sched_interval=1"
POLICY = "Job violates accounting/QOS policy (job submit limit, user's size and/or time limits)"
FULL = "MaxJobCount=3\nMinJobAge=2"
"""Slurm counts jobs that have ended for as long as it remembers them."""


@pytest.fixture
def slurm(slurm_is_there, request):
    """A Slurm of its own for each test, since limits count what was before."""
    with mini_slurm(more=request.param) as cluster:
        yield cluster


@pytest.mark.parametrize("slurm", [TWO_JOBS], indirect=True, ids=["two jobs"])
def test_a_run_does_with_the_jobs_that_it_may_have(slurm, tmp_path):
    with bench(tmp_path) as on:
        # of such a size that each would have a job of its own
        answers = [on.start(f"task-{i}", estimate_mb=2600) for i in range(4)]
        assert all(answer.result(PATIENCE)[0].ok for answer in answers)
        assert len(on.emitted("job")) == 2
        assert "sbatch: error: Reached jobs per hour limit" in on.emitted("refused")[0].message
        assert POLICY in on.emitted("refused")[0].message
        assert not on.emitted("retrying")


@pytest.mark.parametrize("slurm", [TWO_JOBS], indirect=True, ids=["two jobs"])
def test_a_limit_that_others_have_used_up_ends_the_run_with_its_words(slurm, tmp_path):
    for _ in range(2):
        ask("sbatch", "-o", "/dev/null", "--wrap", "true")
    with bench(tmp_path, profile(**{"max-jobs: 4": "max-jobs: 4, patience: '0:07'"})) as on:
        with pytest.raises(ClusterError) as raised:
            on.start("task").result(PATIENCE)
        assert POLICY in raised.value.message
        assert len(on.emitted("refused")) >= 2
        assert [event.level for event in on.emitted("refused")].count("warning") == 1


@pytest.mark.parametrize("slurm", [FULL], indirect=True, ids=["queue full"])
def test_a_full_queue_is_waited_for(slurm, tmp_path, monkeypatch):
    # sbatch itself tries again for two minutes, which is more than one wants to wait for here
    monkeypatch.setattr("hstmosaic.run.slurm.cluster.SizedJob.submit_command", "timeout 2 sbatch")
    with bench(tmp_path) as on:
        with slurm.occupied((), ()):
            answer = on.start("task")
            (event,) = wait_until(lambda: on.emitted("refused"))
            assert "Slurm temporarily unable to accept job, sleeping and retrying" in event.message
            assert not answer.done()
        assert answer.result(PATIENCE)[0].ok
        assert len(on.emitted("job")) == 1
