"""The sbatch scripts that users submit."""

import json
import os
import sys
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from helpers.mini_slurm import ask, wait_until
from helpers.stubs import PROFILE
from helpers.users import finished_tasks

pytestmark = [pytest.mark.slurm, pytest.mark.upstream, pytest.mark.slow]

SCRIPTS = Path(__file__).parents[2] / "slurm"
BATCH = Path(__file__).parents[2] / "batch"


@pytest.fixture
def here(simulated, tmp_path, monkeypatch):
    """Work in a folder with a list and a profile, with hstmosaic on the PATH."""
    simulated.demo(300).copy_to(tmp_path)
    (tmp_path / "mini.yaml").write_text(PROFILE)
    example = (BATCH / "example-no-submit.yaml").read_text()
    assert "interface: hsn0" in example
    (tmp_path / "inside.yaml").write_text(example.replace("interface: hsn0", "interface: lo"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
    return tmp_path


def submit(slurm, *arguments):
    """Submit a script and wait for its end; its exit code and what it printed."""
    job = ask("sbatch", "--parsable", *map(str, arguments))
    wait_until(lambda: int(job) not in slurm.jobs(), seconds=120)
    shown = ask("scontrol", "show", "job", job)
    (log,) = Path().glob(f"*-{job}.log")
    return shown, log.read_text()


def test_the_driver_as_a_job(slurm, here, monkeypatch):
    monkeypatch.setenv("SBATCH_ACCOUNT", "ast1234")
    options = ["-s", "--stub", "--profile", "mini.yaml"]
    shown, log = submit(slurm, "--time=5", SCRIPTS / "mosaic.sbatch", "list.txt", *options)
    assert "JobState=COMPLETED" in shown, log
    assert "finished" in log
    assert len(list(here.glob("stub_*_dr?.fits"))) == 4
    events = map(json.loads, (here / "stub_run" / "logs" / "run.jsonl").read_text().splitlines())
    jobs = [event["job"] for event in events if event["kind"] == "job"]
    assert jobs
    for job in jobs:
        assert "Account=ast1234 " in ask("scontrol", "show", "job", "-o", job)


def test_everything_in_one_allocation(slurm, here):
    # as the example says it, with as many tasks as there is room for; this Slurm does not look at accounts
    options = ["--account=ast1234", "--ntasks=4", "--mem-per-cpu=2500", "--time=5"]
    shown, log = submit(slurm, *options, SCRIPTS / "allocation.sbatch", "list.txt", "-s", "--profile", "inside.yaml")
    assert "JobState=COMPLETED" in shown, log
    assert "finished" in log
    assert "distributed" not in log
    assert len(list(here.glob("hst-*_dr?.fits"))) == 4
    assert not list(here.glob(".hstmosaic-*"))


def test_what_goes_wrong_in_an_allocation_is_its_exit_code(slurm, here):
    (here / "empty.txt").write_text("\n")
    options = ["--ntasks=4", "--mem-per-cpu=2500", "--time=5"]
    shown, log = submit(slurm, *options, SCRIPTS / "allocation.sbatch", "empty.txt", "-s", "--profile", "inside.yaml")
    assert "JobState=FAILED" in shown, log
    assert "ExitCode=3:0" in shown
    assert "empty.txt" in log


def test_a_killed_worker_does_not_fail_the_run(slurm, here):
    options = ["--ntasks=4", "--mem-per-cpu=2500", "--time=5"]
    command = [SCRIPTS / "allocation.sbatch", "list.txt", "--stub", "--profile", "inside.yaml"]
    job = ask("sbatch", "--parsable", *map(str, [*options, *command]))
    # a task runs, so all workers are there
    log = here / "stub_run" / "logs" / "run.jsonl"
    wait_until(lambda: log.exists() and '"running"' in log.read_text(), seconds=120)
    process_of(job, rank=2).kill()
    wait_until(lambda: int(job) not in slurm.jobs(), seconds=120)
    shown, (printed,) = ask("scontrol", "show", "job", job), here.glob(f"*-{job}.log")
    assert "JobState=COMPLETED" in shown, printed.read_text()
    assert "ExitCode=0:0" in shown
    assert "Killed" in printed.read_text()
    assert len(list(here.glob("stub_*_dr?.fits"))) == 4
    assert not list(here.glob(".hstmosaic-*"))


def test_an_allocation_ends_with_its_driver_and_resumes(slurm, here):
    options = ["--ntasks=4", "--mem-per-cpu=1200", "--time=5"]
    command = [*options, SCRIPTS / "allocation.sbatch", "list.txt", "--stub", "--profile", "inside.yaml"]
    job = ask("sbatch", "--parsable", *map(str, command))
    wait_until(lambda: finished_tasks(here / "stub_run"), seconds=120)
    process_of(job, rank=1).kill()
    # scheduler and workers do not stay for as long as the allocation would last
    wait_until(lambda: int(job) not in slurm.jobs(), seconds=120)
    assert "ExitCode=137:0" in ask("scontrol", "show", "job", job)
    assert not list(here.glob(".hstmosaic-*"))
    before = finished_tasks(here / "stub_run")
    shown, log = submit(slurm, *command)
    assert "JobState=COMPLETED" in shown, log
    assert before.items() <= finished_tasks(here / "stub_run").items()


def process_of(job, rank):
    """Return the process of hstmosaic in a task of a job."""
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            environment = process.environ()
            wanted = (environment.get("SLURM_JOB_ID"), environment.get("SLURM_PROCID")) == (job, str(rank))
            if wanted and process.parent().name() == "bash" and process.name() != "bash":
                return process
    raise AssertionError(f"no process {rank} of job {job}")


def test_a_script_without_a_list_prints_its_usage(slurm, here):
    shown, log = submit(slurm, "--time=5", SCRIPTS / "mosaic.sbatch")
    assert "ExitCode=2:0" in shown
    assert "usage: sbatch" in log
