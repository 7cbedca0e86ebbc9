"""The doctor, on a real Slurm."""

import os
import socket
import sys

import pytest

from helpers.mini_slurm import ask
from helpers.stubs import profile
from hstmosaic.run import doctor
from hstmosaic.run.doctor import examine
from hstmosaic.run.profiles.profile import load_profile
from hstmosaic.run.slurm.answers import SlurmCommandError

pytestmark = pytest.mark.slurm
NO_SERVICE = "http://127.0.0.1:1"


def test_a_healthy_site(slurm, tmp_path):
    findings = examine(profile(), tmp_path)
    assert [finding.what for finding in findings if not finding.passed] == [], "\n".join(map(str, findings))
    assert [finding.what for finding in findings] == [
        "this installation",
        "drizzle kernel",
        "output directory",
        "sbatch",
        "partition",
        "shared file system",
        "scratch",
        "versions",
        "network",
    ]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("change", "what", "words"),
    [
        ({"queue: batch": "queue: nowhere"}, "partition", "one of batch, short"),
        ({"max-jobs: 4": "max-memory: 100GB"}, "max-memory", "more than"),
        ({"max-jobs: 4": "max-walltime: 2-00"}, "max-walltime", "longer than"),
        ({"cores: 2": "job-script-prologue: [no-such-command || exit 3]"}, "job", "FAILED, exit code 3:0"),
        ({"cores: 2": "python: /no/such/python"}, "job", "/no/such/python"),
    ],
)
def test_failed_checks_have_a_remedy(slurm, tmp_path, change, what, words):
    (finding,) = [finding for finding in examine(profile(**change), tmp_path) if not finding.passed]
    assert finding.what == what
    assert words in str(finding)
    assert finding.next_step


def test_the_directory_that_workers_keep_their_files_in_is_looked_at(slurm, tmp_path, monkeypatch):
    monkeypatch.setattr(doctor, "_SCRATCH_MB", 10**12)
    disk = "${NO_SUCH_DISK:-" + str(tmp_path) + "}/disk"
    (finding,) = [
        finding
        for finding in examine(profile(**{"cores: 2": f'cores: 2, local-directory: "{disk}"'}), tmp_path)
        if not finding.good
    ]
    assert finding.what == "scratch"
    assert finding.message.startswith(f"{tmp_path}/disk on ")
    assert "name another directory" in finding.next_step


def test_a_controller_that_goes_away_takes_no_finding_with_it(slurm, tmp_path, monkeypatch):
    def cancel(name):
        slurm_cancel(name)
        raise SlurmCommandError("scancel did not answer")

    slurm_cancel = doctor.cancel
    monkeypatch.setattr(doctor, "cancel", cancel)
    *found, last = examine(profile(), tmp_path)
    assert [finding.what for finding in found][-1] == "network"
    assert all(finding.good for finding in found)
    assert not last.good
    assert "scancel did not answer" in last.message


@pytest.mark.parametrize("name", ["my mosaics", "x&y"])
def test_a_path_that_no_run_can_have_fails(slurm, tmp_path, name):
    (finding,) = [finding for finding in examine(profile(), tmp_path / name) if not finding.passed]
    assert finding.what == "output directory"
    assert name in finding.message


def test_a_directory_that_nodes_do_not_see_fails(slurm, tmp_path):
    # as where the folder of the doctor is not on the node: no log of the job comes here
    gone = f"cores: 2, job-script-prologue: ['rm -r {tmp_path}/.hstmosaic-doctor-*; exit 1']"
    (finding,) = [finding for finding in examine(profile(**{"cores: 2": gone}), tmp_path) if not finding.passed]
    assert "is the output directory shared with the nodes?" in finding.next_step


def test_another_directory_under_the_same_path_fails(slurm, tmp_path):
    other = f"cores: 2, job-script-prologue: ['echo other > {tmp_path}/.hstmosaic-doctor-*/token.txt']"
    (finding,) = [finding for finding in examine(profile(**{"cores: 2": other}), tmp_path) if not finding.passed]
    assert finding.what == "shared file system"
    assert finding.message.endswith("has another directory under the path of the output directory")


def test_a_host_that_nodes_do_not_reach_fails(slurm, tmp_path, monkeypatch):
    def probe_script(folder, host, port, given):
        with socket.create_server((host, 0)) as closed:  # nobody listens there any more when the job has started
            return doctor_script(folder, host, closed.getsockname()[1], given)

    doctor_script = doctor.probe_script
    monkeypatch.setattr(doctor, "probe_script", probe_script)
    (finding,) = [finding for finding in examine(profile(), tmp_path) if not finding.passed]
    assert finding.what == "network"
    assert "set jobqueue.slurm.interface" in finding.next_step


def test_other_versions_on_the_nodes(slurm, tmp_path, monkeypatch):
    here = doctor.versions() | {"dask": "2020.1.0"}
    monkeypatch.setattr(doctor, "versions", lambda: here)
    (finding,) = [finding for finding in examine(profile(), tmp_path) if not finding.passed]
    assert finding.message.startswith("dask 2020.1.0 here, ")


def test_a_controller_that_is_away(slurm, tmp_path, monkeypatch):
    monkeypatch.setattr("hstmosaic.run.slurm.commands.CALL_SECONDS", 1)
    slurm.do("stop-controller")
    try:
        findings = examine(profile(), tmp_path)
    finally:
        slurm.do("start-controller")
    (finding,) = [finding for finding in findings if not finding.passed]
    assert finding.what == "Slurm"
    assert "scontrol" in finding.message


def test_this_machine_needs_no_slurm(tmp_path, monkeypatch):
    monkeypatch.setitem(os.environ, "PATH", "")
    monkeypatch.setenv("ASTROMETRIC_CATALOG_URL", NO_SERVICE)
    findings = examine(load_profile("local"), tmp_path)
    assert [finding.what for finding in findings] == [
        "this installation", "drizzle kernel", "output directory", "memory", "cores", "catalogue service",
    ]  # fmt: skip


def test_the_local_profile_in_a_job_stays_within_its_memory(slurm, tmp_path, monkeypatch):
    log = tmp_path / "log.txt"
    monkeypatch.setenv("ASTROMETRIC_CATALOG_URL", NO_SERVICE)
    doctor_in_job = f"{sys.executable} -m hstmosaic.cli doctor --output-dir {tmp_path}"
    ask("sbatch", "--wait", "--mem=1500", "-c", "1", "-o", str(log), "--wrap", doctor_in_job)
    # 0.9 of (1500 MiB less 500 MB for the driver)
    assert "tasks may use 965 MB (Slurm job)" in log.read_text()
    assert "tasks may use 1 core\n" in log.read_text()
