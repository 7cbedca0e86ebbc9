"""A real Slurm for tests."""

import os
import shutil
import tempfile
from pathlib import Path

import pytest
from mini_slurm import MiniSlurm, wait_until

PROGRAMS = ("slurmctld", "slurmd", "munged", "sbatch")
SYSTEM_PATH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])


@pytest.fixture(scope="session")
def slurm(worker_id):
    """Start a Slurm of two nodes of two cores; its clients are those that tests and hstmosaic call."""
    missing = [program for program in PROGRAMS if shutil.which(program, path=SYSTEM_PATH) is None]
    if missing:
        words = f"no Slurm here: {', '.join(missing)} not found (Debian: apt install slurm-wlm munge)"
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(words)
    # the path of munge's socket has to stay below 108 characters, pytest's own folders may not
    folder = Path(tempfile.mkdtemp(prefix="slurm-"))
    number = int(worker_id.removeprefix("gw")) if worker_id != "master" else 0
    cluster = MiniSlurm(folder, base_port=20000 + 10 * (os.getpid() % 500) + 5000 * (number % 4))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SLURM_CONF", str(folder / "slurm.conf"))
        cluster.do("start")
        yield cluster
        cluster.do("stop")
    shutil.rmtree(folder)


@pytest.fixture(autouse=True)
def no_job_left(request):
    """Hold every test to the promise that no job is left at the end."""
    yield
    if "slurm" in request.fixturenames:
        cluster = request.getfixturevalue("slurm")
        # a job that has ended is listed until its node says so
        wait_until(lambda: "COMPLETING" not in cluster.jobs().values())
        left = cluster.jobs()
        cluster.clear()
        assert left == {}
