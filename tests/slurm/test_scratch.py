"""Tasks that work on a disk of their node: same bits, nothing left behind, and clear words when there is no room."""

import hashlib
import os
import subprocess

import pytest

from helpers.mini_slurm import ask, wait_until
from helpers.stubs import PATIENCE, PROFILE, bench, profile
from helpers.users import left_in, start
from hstmosaic.errors import ClusterError, ExitCode
from hstmosaic.run.driver import run_mosaic
from hstmosaic.run.options import RunOptions
from hstmosaic.run.slurm.polling import Timing

pytestmark = [pytest.mark.slurm, pytest.mark.upstream]


@pytest.fixture
def scratch(tmp_path):
    """A directory that stands for a disk of the nodes."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    return folder


@pytest.fixture
def small_disk(scratch):
    """A disk of 40 MB."""
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=40m", "none", scratch], check=False, capture_output=True)
    if made.returncode != 0:
        words = f"no file system can be mounted here: {made.stderr.decode().strip()}"
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(words)
    yield scratch
    subprocess.run(["umount", "--lazy", scratch], check=True)


def text_of_profile(scratch, more=""):
    own = f"max-jobs: 4, scratch: true{more}"
    return PROFILE.replace("cores: 2", f"cores: 2, local-directory: '{scratch}'").replace("max-jobs: 4", own)


def in_scratch(scratch, more=""):
    return profile(text_of_profile(scratch, more))


def products(folder):
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.glob("*_dr?.fits")}


@pytest.mark.slow
def test_products_are_the_same_and_nothing_is_left(slurm, simulated, scratch, tmp_path):
    field = simulated.demo(300).copy_to(tmp_path / "field").folder
    (field / "mini.yaml").write_text(text_of_profile(scratch))
    source = field / "list.txt"
    here = RunOptions(source=str(source), prefix="foo", skip_alignment=True, output=tmp_path / "here")
    assert run_mosaic(here, lambda event: None).exit_code is ExitCode.OK

    run = start(source, field / "mini.yaml", tmp_path / "there", "-s")
    wait_until(lambda: list(scratch.glob("dask-scratch-space/worker-*/drizzle-*/*.fits")))
    assert not list(run.run.glob("tasks/drizzle-*/**/*.out"))
    assert run.wait() == ExitCode.OK, run.words
    assert products(run.output) == products(here.output) != {}
    wait_until(lambda: not left_in(scratch))
    assert not list(run.run.glob("tasks/*/work*"))


def test_a_cancelled_job_leaves_nothing_in_scratch(slurm, scratch, tmp_path):
    with bench(tmp_path, in_scratch(scratch)) as on:
        answer = on.start("long", seconds=6.0, products=("long.fits", "long.txt"))
        on.started("long")
        (work,) = wait_until(lambda: list(scratch.glob("dask-scratch-space/worker-*/long")))
        (victim,) = slurm.running()
        ask("scancel", str(victim))
        result, _ = answer.result(PATIENCE)
        assert result.ok
        assert not work.exists()
        assert sorted(path.name for path in on.directory.task("long").work.iterdir()) == ["long.fits", "long.txt"]
        for name, checksum in result.files.items():
            assert hashlib.sha256((on.directory.task("long").work / name).read_bytes()).hexdigest() == checksum
    wait_until(lambda: not left_in(scratch))


@pytest.mark.parametrize("keep", [False, True], ids=["removed", "kept with --keep-work"])
def test_the_working_directory_of_a_failed_task(slurm, scratch, tmp_path, keep):
    with bench(tmp_path, in_scratch(scratch), keep_work=keep) as on:
        result, _ = on.start("broken", failure="no stars").result(PATIENCE)
        assert result.error == "no stars"
        # of a failed task trailers are kept, of which a stub has none
        work = on.directory.task("broken").work
        assert list(work.iterdir()) == []
        assert not work.with_name("work.part").exists()
    wait_until(lambda: not left_in(scratch))


def test_a_disk_that_is_full_is_named_with_its_node(slurm, small_disk, tmp_path):
    with bench(tmp_path, in_scratch(small_disk, ", attempts: 1")) as on:
        answer = on.start("unlucky", seconds=4.0, disk_mb=5, products=("some.fits",))
        on.started("unlucky")
        with pytest.raises(OSError, match="No space"), (small_disk / "filler").open("wb") as filler:
            while True:
                filler.write(bytes(1 << 20))
                filler.flush()
        result, measured = answer.result(PATIENCE)
        assert not result.ok
        assert f"scratch directory {small_disk}" in result.error
        assert f"of {measured.host} is full" in result.error
        assert "No space left" in result.error
        assert measured.host.startswith("node")

        result, _ = on.start("late", disk_mb=50).result(PATIENCE)
        assert "MB free, a task needs 50 MB" in result.error
        assert not on.directory.task("late").log.exists()


def test_a_missing_scratch_directory_is_named_with_its_node(slurm, tmp_path):
    with (
        bench(tmp_path, in_scratch("$NO_SUCH_VARIABLE/place"), timing=Timing(poll=0.5)) as on,
        pytest.raises(ClusterError, match=r"cannot write to the scratch directory ./place. on node[12]"),
    ):
        on.start("task").result(PATIENCE)


def test_scratch_is_requested(slurm, scratch, tmp_path):
    with bench(tmp_path, in_scratch(scratch, ', scratch-option: "--tmp={mb}M"')) as on:
        answers = [on.start(f"task-{i}", disk_mb=2000) for i in range(2)]
        assert all(answer.result(PATIENCE)[0].ok for answer in answers)
        (job,) = on.emitted("job")
        assert "MinTmpDiskNode=3815M" in ask("scontrol", "show", "job", job.data["job"])
        with pytest.raises(ClusterError, match="Requested node configuration is not available"):
            on.start("huge", disk_mb=50000).result(PATIENCE)


def test_remains_of_a_killed_worker_are_removed_by_the_next(slurm, scratch, tmp_path):
    with bench(tmp_path, in_scratch(scratch)) as on:
        answer = on.start("long", seconds=6.0)
        on.started("long")
        (work,) = wait_until(lambda: list(scratch.glob("dask-scratch-space/worker-*/long")))
        (victim,) = slurm.running()
        ask("scancel", "--signal=KILL", "--full", str(victim))
        assert answer.result(PATIENCE)[0].ok
        wait_until(lambda: not work.exists())
    wait_until(lambda: not left_in(scratch))
