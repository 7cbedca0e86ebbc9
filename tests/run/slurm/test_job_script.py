"""Text of job scripts, and names of jobs."""

import re
from pathlib import Path

import dask
import pytest

from hstmosaic.errors import ProfileError
from hstmosaic.run.pool.placement import JobSize
from hstmosaic.run.profiles.profile import Profile, profile_from_yaml
from hstmosaic.run.slurm.jobs import check_path, job_name, job_script
from hstmosaic.store.run_directory import run_directory

GOLDEN = Path(__file__).with_name("job_script.sh")
SITE = """
jobqueue:
  slurm:
    queue: standard
    account: ast1234
    cores: 16
    memory: 60GB
    walltime: "04:00:00"
    interface: ib0
    python: /opt/hstmosaic/bin/python
    job-extra-directives: ["--qos=normal", "--constraint=scratch"]
    job-script-prologue: ["module load python/3.11"]
    local-directory: "${SCRATCH:-/tmp}"
    death-timeout: 300
hstmosaic: {cluster: slurm, scratch: true, scratch-option: "--gres=lscratch:{gb}"}
"""


LOGS = Path("/runs/foo_run/logs/jobs")


def script_of(text, disk_mb=0.0):
    profile = profile_from_yaml(text, "mine")
    with dask.config.set(dict(profile.dask)):
        return job_script(JobSize(2, 3000, 5400, disk_mb), "hstmosaic-1a2b3c4d", LOGS, profile, "tls://10.0.0.1:8786")


def test_golden_job_script():
    assert script_of(SITE, disk_mb=2500) == GOLDEN.read_text("utf-8")


def test_a_job_without_scratch_requests_none():
    assert "gres" not in script_of(SITE)


def test_scratch_needs_a_directory(tmp_path):
    with pytest.raises(ProfileError, match="scratch without a directory"):
        job_script(JobSize(1, 1000, 60), "name", tmp_path, Profile("mine", "slurm", scratch=True))


def test_a_python_whose_path_has_blanks_is_quoted(tmp_path, monkeypatch):
    monkeypatch.setattr("sys.executable", "/opt/my tools/bin/python")
    script = job_script(JobSize(1, 1000, 300.0), "mine", tmp_path, Profile("test"))
    assert "'/opt/my tools/bin/python' -P -m distributed.cli.dask_worker" in script


def test_jobs_of_a_run_have_one_name_on_every_host(tmp_path, monkeypatch):
    (tmp_path / "data").mkdir()
    (tmp_path / "link").symlink_to("data")
    name = job_name(run_directory(tmp_path / "data", "foo"))
    monkeypatch.setattr("platform.node", lambda: "another")
    assert job_name(run_directory(tmp_path / "link", "foo")) == name
    assert job_name(run_directory(tmp_path / "data", "bar")) != name


@pytest.mark.parametrize(
    ("given", "begins"),
    [("dask-worker", "hstmosaic-"), ("hstmosaic", "hstmosaic-"), ("mine", "hstmosaic-mine-")],
)
def test_names_of_jobs_begin_with_hstmosaic(tmp_path, given, begins):
    with dask.config.set({"jobqueue.slurm.name": given}):
        assert re.fullmatch(begins + "[0-9a-f]{8}", job_name(run_directory(tmp_path, "foo")))


@pytest.mark.parametrize("name", ["my mosaics", "x&y", "it's", "50%", "$HOME", "a;b", "(1)"])
def test_a_path_that_a_script_would_misread_is_rejected(tmp_path, name):
    check_path(tmp_path)
    with pytest.raises(ProfileError, match="blanks"):
        check_path(tmp_path / name)
