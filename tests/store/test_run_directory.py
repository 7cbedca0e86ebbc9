"""The run directory: what counts as finished, who may work in it, whether there is room."""

import errno
import fcntl
import os
import stat
import subprocess
import sys

import pytest

from hstmosaic.errors import OutputError, RunBusyError
from hstmosaic.store.result_files import TaskResult, write_result
from hstmosaic.store.run_directory import TaskDirectory, run_directory, task_key, written_by_owner_alone
from hstmosaic.store.task_specs import ScreenSpec

SPEC = ScreenSpec(path="/data/icab01a0q_flc.fits")
INPUTS = {"/data/icab01a0q_flc.fits": (1000, 17)}
VERSIONS = {"drizzlepac": "3.11.0"}
KEY = task_key(SPEC, INPUTS, VERSIONS)


@pytest.mark.parametrize(
    ("spec", "inputs", "versions"),
    [
        (ScreenSpec(path="/data/icab01a0q_flc.fits", seed=1), INPUTS, VERSIONS),
        (SPEC, {"/data/icab01a0q_flc.fits": (1001, 17)}, VERSIONS),
        (SPEC, {"/data/icab01a0q_flc.fits": (1000, 18)}, VERSIONS),
        (SPEC, INPUTS, {"drizzlepac": "3.12.0"}),
    ],
    ids=["parameters", "size", "time of change", "versions"],
)
def test_a_result_belongs_to_inputs_parameters_and_versions(spec, inputs, versions):
    assert task_key(spec, inputs, versions) != KEY
    assert task_key(SPEC, dict(INPUTS), dict(VERSIONS)) == KEY


@pytest.mark.parametrize(
    ("written", "requested", "finished"),
    [
        (TaskResult(ok=True), KEY, True),
        (TaskResult(ok=True), "other", False),
        (TaskResult(ok=False, error="broken"), KEY, False),
        (None, KEY, False),
    ],
    ids=["done", "done for another key", "failed", "interrupted"],
)
def test_finished_tasks(tmp_path, written, requested, finished):
    task = TaskDirectory(tmp_path / "task")
    assert task.finished(KEY) is None
    task.prepare(SPEC, KEY)
    if written is not None:
        write_result(task.path, written)
    assert (task.finished(requested) is not None) == finished


def test_preparing_forgets_what_was_there(tmp_path):
    task = TaskDirectory(tmp_path / "task")
    task.prepare(SPEC, KEY)
    write_result(task.path, TaskResult(ok=True))
    task.work.mkdir()
    task.prepare(SPEC, KEY)
    assert task.finished(KEY) is None
    assert not task.work.exists()


def test_a_second_driver_is_refused_and_the_first_is_named(tmp_path):
    directory = run_directory(tmp_path, "foo")
    directory.create()
    holder = (
        "import sys; from pathlib import Path; from hstmosaic.store.run_directory import run_directory\n"
        "with run_directory(Path(sys.argv[1]), 'foo').locked(): print('locked', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", holder, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout.readline() == "locked\n"
        with pytest.raises(RunBusyError, match=f"process {other.pid}"), directory.locked():
            pass
        other.kill()
    with directory.locked():
        pass


def test_who_only_asks_how_a_run_is_doing_keeps_no_driver_out(tmp_path, monkeypatch):
    directory = run_directory(tmp_path, "foo")
    directory.create()
    (directory.path / "lock").touch()
    # that it asks is seen when the driver finds the lock taken
    with (directory.path / "lock").open() as asking:
        fcntl.flock(asking, fcntl.LOCK_SH)
        monkeypatch.setattr("time.sleep", lambda _: asking.close())
        with directory.locked():
            assert asking.closed


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.ENOLCK])
def test_a_file_system_without_locks_is_not_another_run(tmp_path, monkeypatch, number):
    """Such a file system cannot be had here, so the system's answer is faked."""

    def refuse(*_):
        raise OSError(number, os.strerror(number))

    directory = run_directory(tmp_path, "foo")
    directory.create()
    monkeypatch.setattr("fcntl.flock", refuse)
    with pytest.raises(OutputError, match=rf"cannot be locked \({os.strerror(number)}\)"), directory.locked():
        pass


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o755), (0o002, 0o755), (0o027, 0o750), (0o077, 0o700)])
def test_a_run_directory_is_readable_as_the_umask_allows(tmp_path, umask, mode):
    before = os.umask(umask)
    try:
        with written_by_owner_alone():
            directory = run_directory(tmp_path, "foo")
            directory.create()
            directory.plan_file.write_text("{}")
        assert os.umask(umask) == umask, "the umask of the process is restored"
    finally:
        os.umask(before)
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in (directory.path, directory.tasks)}
    assert set(modes.values()) == {mode}
    assert stat.S_IMODE(directory.plan_file.stat().st_mode) == mode & 0o666


@pytest.mark.parametrize(("found", "left"), [(0o777, 0o755), (0o770, 0o750), (0o700, 0o700)])
def test_an_existing_run_directory_loses_write_access_of_others_alone(tmp_path, found, left):
    directory = run_directory(tmp_path, "foo")
    directory.path.mkdir()
    directory.path.chmod(found)
    directory.create()
    assert stat.S_IMODE(directory.path.stat().st_mode) == left


def test_a_run_directory_of_another_user_is_an_error(tmp_path, monkeypatch):
    def chmod(*_, **__):  # a directory of another user cannot be made here
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr("pathlib.Path.chmod", chmod)
    with pytest.raises(OutputError, match="Operation not permitted"):
        run_directory(tmp_path, "foo").create()
