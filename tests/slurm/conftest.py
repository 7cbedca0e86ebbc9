"""A real Slurm for tests."""

import os
import shutil

import pytest

from helpers.mini_slurm import mini_slurm, wait_until

PROGRAMS = ("slurmctld", "slurmd", "munged", "sbatch")
SYSTEM_PATH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])


@pytest.fixture(scope="session")
def slurm_is_there():
    missing = [program for program in PROGRAMS if shutil.which(program, path=SYSTEM_PATH) is None]
    if missing:
        words = f"no Slurm here: {', '.join(missing)} not found (Debian: apt install slurm-wlm munge)"
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(words)


@pytest.fixture(scope="session")
def slurm(slurm_is_there):
    """Start a Slurm of two nodes of two cores; its clients are those that tests and hstmosaic call."""
    with mini_slurm() as cluster:
        yield cluster
        # no worker outlives its job by more than moments, not even where Slurm does not look after that
        wait_until(lambda: not cluster.workers(), shown=cluster.workers)


@pytest.fixture(autouse=True)
def no_job_left(request):
    """Hold every test to the promise that no job is left at the end."""
    cluster = request.getfixturevalue("slurm") if "slurm" in request.fixturenames else None
    yield
    if cluster is not None:
        # a job that has ended is listed until its node says so
        wait_until(lambda: "COMPLETING" not in cluster.jobs().values())
        left = cluster.jobs()
        cluster.clear()
        assert left == {}
