"""The process that forks tasks: failures stay in the task, nothing outlives the worker."""

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path

import pytest

from hstmosaic.errors import HstMosaicError
from hstmosaic.run.node.task import run_task
from hstmosaic.run.node.zygote import Zygote, close_zygote
from hstmosaic.store.result_files import ANSWER_FILE, TaskResult, read_result, write_result
from hstmosaic.store.spec_files import spec_to_json
from hstmosaic.store.task_specs import LOG_FILE, SPEC_FILE, ScreenSpec, StubSpec

pytestmark = pytest.mark.upstream


@pytest.fixture(scope="module")
def zygote():
    running = Zygote()
    yield running
    running.close()


@pytest.fixture(scope="module")
def exposure(simulated):
    return simulated.demo(300).paths[0]


def task(folder, path):
    folder.mkdir()
    (folder / SPEC_FILE).write_text(spec_to_json(ScreenSpec(path=str(path))))
    return folder


def wait_for_pid(zygote, folder):
    deadline = time.monotonic() + 60
    while str(folder) not in zygote.pids:
        assert time.monotonic() < deadline
        time.sleep(0.005)
    return zygote.pids[str(folder)]


def test_a_task_is_measured(zygote, exposure, tmp_path):
    folder = task(tmp_path / "screen", exposure)
    ended = zygote.run(folder, folder / "work")
    assert ended.status == 0
    assert 0 < ended.cpu_seconds < 60
    assert 50 < ended.max_rss_mb < 2000
    assert read_result(folder, ANSWER_FILE).data["usable"] is True


def test_an_error_stays_in_its_task(zygote, exposure, tmp_path):
    broken = task(tmp_path / "broken", tmp_path / "absent_flc.fits")
    assert zygote.run(broken, broken / "work").status == 1
    result = read_result(broken, ANSWER_FILE)
    assert not result.ok
    assert "absent_flc.fits" in result.error
    assert "Traceback" in (broken / "log.txt").read_text()
    sound = task(tmp_path / "sound", exposure)
    assert zygote.run(sound, sound / "work").status == 0


def test_a_folder_without_a_spec_is_an_error_of_that_task(zygote, tmp_path):
    (tmp_path / "empty").mkdir()
    assert zygote.run(tmp_path / "empty", tmp_path / "empty" / "work").status == 1


def test_a_killed_task_has_a_result_with_its_signal(exposure, tmp_path, monkeypatch):
    running = Zygote()
    monkeypatch.setattr("hstmosaic.run.node.task.shared_zygote", lambda: running)
    folder = task(tmp_path / "killed", exposure)
    # an earlier attempt had answered when its worker was lost
    write_result(folder, TaskResult(ok=True), ANSWER_FILE)
    threading.Thread(target=lambda: os.kill(wait_for_pid(running, folder), 9)).start()
    result, measured = run_task(str(folder))
    running.close()
    assert not result.ok
    assert result.retry
    assert "SIGKILL" in result.error
    assert measured.wall_seconds > 0


def test_tasks_end_with_the_zygote(exposure, tmp_path):
    running = Zygote()
    folder = task(tmp_path / "orphan", exposure)
    raised = []

    def run():
        try:
            running.run(folder, folder / "work")
        except HstMosaicError as error:
            raised.append(error)

    waiting = threading.Thread(target=run)
    waiting.start()
    pid = wait_for_pid(running, folder)
    running.close()
    waiting.join(timeout=60)
    assert len(raised) == 1
    deadline = time.monotonic() + 60
    while (stat := Path(f"/proc/{pid}/stat")).exists() and stat.read_text().split()[2] != "Z":
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_environment_switches_of_drizzlepac_do_not_reach_tasks(monkeypatch):
    monkeypatch.setenv("MVM_ONLY_CTE", "true")
    running = Zygote()
    deadline = time.monotonic() + 30
    while not (environment := Path(f"/proc/{running._process.pid}/environ").read_bytes()):
        assert time.monotonic() < deadline
    running.close()
    assert b"MVM_ONLY_CTE" not in environment
    assert b"PYTHONHASHSEED=0" in environment


def test_closing_twice_is_not_an_error():
    close_zygote()
    close_zygote()


def files_of(pid):
    files = set()
    for file in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # just closed
            files.add(str(file.readlink()))
    return files


def test_a_task_does_not_hold_the_zygotes_answers_open(tmp_path):
    running = Zygote()
    answers = str(Path(f"/proc/self/fd/{running._answers.fileno()}").readlink())
    folder = tmp_path / "stub"
    folder.mkdir()
    (folder / SPEC_FILE).write_text(spec_to_json(StubSpec(seconds=1000)))
    with ThreadPoolExecutor() as pool, closing(running):
        pool.submit(running.run, folder, folder / "work")
        pid = wait_for_pid(running, folder)
        deadline = time.monotonic() + 60
        while str(folder / LOG_FILE) not in files_of(pid):
            assert time.monotonic() < deadline
        assert answers in files_of(running._process.pid)
        assert answers not in files_of(pid)
