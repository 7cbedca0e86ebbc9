"""The Slurm that the other tests stand on does what a Slurm does."""

import pytest

from helpers.mini_slurm import ask, wait_until

pytestmark = pytest.mark.slurm


def test_jobs_run_on_every_node(slurm):
    assert sorted(ask("srun", "-N2", "bash", "-c", "echo $SLURMD_NODENAME").split()) == ["node1", "node2"]


def test_a_crashed_node_takes_its_job_down(slurm):
    job = int(ask("sbatch", "--parsable", "-w", "node2", "--no-requeue", "-o", "/dev/null", "--wrap", "sleep 100"))
    wait_until(lambda: slurm.jobs().get(job) == "RUNNING")
    slurm.do("crash-node", 2)
    wait_until(lambda: job not in slurm.jobs())
    assert "JobState=NODE_FAIL" in ask("scontrol", "show", "job", str(job))
    slurm.do("start-node", 2)


def test_a_job_that_takes_too_much_memory_is_killed(slurm):
    greedy = "python3 -c 'import time; hoard = bytes(1) * 500_000_000; time.sleep(60)'"
    job = int(ask("sbatch", "--parsable", "--mem=100M", "--no-requeue", "-o", "/dev/null", "--wrap", greedy))
    wait_until(lambda: job not in slurm.jobs(), seconds=30)
    assert "JobState=COMPLETED" not in ask("scontrol", "show", "job", str(job))
