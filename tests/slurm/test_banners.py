"""Runs at a site whose Slurm commands print banners around their answers, one of which names a job of others."""

from dataclasses import replace

import pytest

from helpers.banners import wrapped_commands
from helpers.mini_slurm import ask, wait_until
from helpers.stubs import PATIENCE, PROFILE, bench, profile
from helpers.users import start
from hstmosaic.errors import ClusterError, ExitCode
from hstmosaic.run.doctor import examine

pytestmark = [pytest.mark.slurm, pytest.mark.upstream]


@pytest.fixture
def other(slurm):
    """Number of a job that is not of the run."""
    number = ask("sbatch", "--parsable", "-J", "other", "-o", "/dev/null", "--hold", "--wrap", "true")
    yield number
    wait_until(lambda: "COMPLETING" not in slurm.jobs().values())
    assert slurm.jobs() == {int(number): "PENDING"}
    ask("scancel", number)


@pytest.fixture
def site(other, tmp_path):
    """The variable PATH of the site."""
    return wrapped_commands(tmp_path / "site", other)


def test_a_run_has_its_own_jobs_and_leaves_none(slurm, simulated, other, site, tmp_path, monkeypatch):
    field = simulated.demo(300).copy_to(tmp_path / "field").folder
    (field / "mini.yaml").write_text(PROFILE)
    with monkeypatch.context() as patch:
        patch.setenv("PATH", site)
        run = start(field / "list.txt", field / "mini.yaml", tmp_path / "out", "-s", "--stub", prefix="foo")
    assert run.wait() == ExitCode.OK, run.words
    calls = (tmp_path / "site" / "calls").read_text().splitlines()
    assert {line.split()[0] for line in calls} == {"sbatch", "squeue", "scontrol", "scancel"}
    events = replace(run, prefix="stub-foo").events()
    numbers = {str(event["job"]) for event in events if event["kind"] == "job"}
    assert numbers
    assert other not in numbers
    for number in numbers:
        assert "JobName=hstmosaic-" in ask("scontrol", "show", "job", "-o", number)
    assert {"retrying", "job lost", "stray", "refused", "silent"}.isdisjoint(event["kind"] for event in events)
    assert len(list((tmp_path / "out").glob("*_dr?.fits"))) == 4
    assert "Traceback" not in run.words


def test_a_job_that_is_lost_at_such_a_site_is_replaced(slurm, other, site, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setenv("PATH", site)
        with bench(tmp_path, profile(**{"cores: 2": "cores: 1"})) as on:
            long = on.start("long", seconds=6.0)
            on.started("long")
            (job,) = on.emitted("job")
            patch.undo()
            ask("scancel", job.data["job"])
            patch.setenv("PATH", site)
            assert long.result(PATIENCE)[0].ok
            (retry,) = on.emitted("retrying")
            assert f"job {job.data['job']} ended (CANCELLED" in retry.message


def test_errors_of_sbatch_are_quoted_without_banners(slurm, other, site, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", site)
    with bench(tmp_path, profile(**{"queue: batch": "queue: nowhere"})) as on:
        with pytest.raises(ClusterError, match="invalid partition specified: nowhere") as raised:
            on.start("task").result(PATIENCE)
        assert "slow" not in raised.value.message
    monkeypatch.undo()


def test_the_doctor_at_such_a_site(slurm, other, site, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setenv("PATH", site)
        findings = examine(profile(), tmp_path / "out")
        unknown = examine(profile(**{"queue: batch": "queue: nowhere"}), tmp_path / "out")
    assert [finding for finding in findings if not finding.good] == [], "\n".join(map(str, findings))
    assert [finding.message for finding in findings if finding.what == "sbatch"] == [ask("sbatch", "--version")]
    assert "one of batch, short" in next(finding.next_step for finding in unknown if not finding.good)


def test_a_job_is_cancelled_by_number_and_name_together(slurm, other, tmp_path):
    with bench(tmp_path, profile(**{"cores: 2": "cores: 2, job-extra-directives: [--hold]"})) as on:
        on.start("task")
        (job,) = wait_until(lambda: on.emitted("job"))
        (name,) = on.pool.workers.jobs
        submitted = on.pool.workers.cluster.job(name)
        number, submitted.job_id = job.data["job"], other
        on.pool.workers.cluster.sync(submitted.close)
        assert slurm.jobs() == {int(other): "PENDING", int(number): "PENDING"}
        on.pool.workers.cluster.remove_job(name, number)
        wait_until(lambda: int(number) not in slurm.jobs())


UNCLEAR = "#!/bin/sh\n{path} \"$@\" > /dev/null && echo 'Your job is on its way'\n"


def test_a_job_without_a_number_ends_the_run_and_is_cancelled(slurm, tmp_path, monkeypatch):
    script = tmp_path / "sbatch.sh"
    script.write_text(UNCLEAR.format(path="sbatch"))
    script.chmod(0o755)
    monkeypatch.setattr("hstmosaic.run.slurm.cluster.SizedJob.submit_command", str(script))
    with bench(tmp_path, profile(**{"cores: 2": "cores: 2, job-extra-directives: [--hold]"})) as on:
        with pytest.raises(ClusterError, match=r"unexpected output of sbatch: 'Your job is on its way'"):
            on.start("task").result(PATIENCE)
        wait_until(slurm.jobs)
    assert slurm.jobs() == {}


def test_a_squeue_that_answers_otherwise_ends_the_run_at_its_start(slurm, tmp_path, monkeypatch):
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "squeue").write_text("#!/bin/sh\necho '8|RUNNING|None|4:57'\n")
    (folder / "squeue").chmod(0o755)
    with monkeypatch.context() as patch:
        patch.setenv("PATH", f"{folder}:/usr/bin:/bin")
        with pytest.raises(ClusterError, match="unexpected output of squeue") as raised, bench(tmp_path / "out"):
            pass
    assert "8|RUNNING" in raised.value.message
    assert "PATH" in raised.value.next_step
    assert slurm.jobs() == {}
