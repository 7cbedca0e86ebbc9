"""What --show-jobs shows is what a run with the same options submits."""

import pytest

from hstmosaic.run.job_preview import shown_jobs
from hstmosaic.run.options import RunOptions
from hstmosaic.run.profiles.profile import profile_from_yaml
from hstmosaic.run.slurm.jobs import job_name
from hstmosaic.store.run_directory import run_directory

PROFILE = profile_from_yaml("{jobqueue: {slurm: {cores: 2, memory: 16GB}}, hstmosaic: {cluster: slurm}}", "test")


@pytest.fixture(scope="module")
def shown(simulated):
    source = str(simulated.demo(256).list)

    def show(**options):
        return shown_jobs(RunOptions(source, profile=PROFILE, skip_alignment=True, **options))

    return show


def test_no_more_simultaneous_tasks_than_requested_workers(shown, tmp_path):
    assert "# screening: 3 jobs for 6 tasks" in shown(output=tmp_path)
    alone = shown(output=tmp_path, workers=1)
    assert "# screening: 1 job for 6 tasks" in alone
    assert "--cpus-per-task=2" not in alone


def test_jobs_of_a_run_that_only_pretends_have_its_name(shown, tmp_path):
    text = shown(output=tmp_path, prefix="foo", stub=True)
    assert f"#SBATCH -J {job_name(run_directory(tmp_path, 'stub-foo'))}\n" in text
    assert f"#SBATCH -J {job_name(run_directory(tmp_path, 'foo'))}\n" in shown(output=tmp_path, prefix="foo")
