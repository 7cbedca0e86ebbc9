"""Pictures that are drawn while a run goes on: what goes wrong with them harms nothing, and is reported."""

import os
import subprocess
import tempfile

import psutil
import pytest

from helpers.pretended_runs import copy_as_made
from hstmosaic.child import child_environment, module_command
from hstmosaic.plan.build import make_plan
from hstmosaic.products.picture_program import FOLLOW, PROGRAM
from hstmosaic.run.driver import run_mosaic
from hstmosaic.run.options import RunOptions
from hstmosaic.run.painter import Painter
from hstmosaic.run.pictures import estimate_drawing, fits_beside_tasks, seconds_left_to_draw
from hstmosaic.store.events import Event, EventLog
from hstmosaic.store.stage_events import Gathered

LAYER = "wfc3_uvis_f606w"


@pytest.fixture(scope="module")
def exposures(simulated):
    return simulated.demo(200).list


@pytest.fixture(scope="module")
def pretended(exposures, tmp_path_factory):
    output = tmp_path_factory.mktemp("out")
    return run_mosaic(RunOptions(str(exposures), "foo", stub=True, output=output), lambda event: None)


@pytest.fixture
def directory(pretended, tmp_path):
    return copy_as_made(pretended, tmp_path)


@pytest.fixture
def words():
    with tempfile.TemporaryFile("w+") as file:
        yield file


def test_a_process_that_fails_is_a_warning(directory, words):
    events = []
    painter = Painter(directory, words)
    # a stub's product is no FITS file
    painter(Event(Gathered(LAYER), ""))
    try:
        assert painter.finish(EventLog(events.append)) == []
    finally:
        painter.close()
    event = events[-1]
    assert (event.kind, event.level) == ("pictures", "warning")
    assert f"hstmosaic report {directory.path}" in event.message
    assert "Traceback" in event.data["details"]


def test_a_process_that_is_gone_harms_no_later_layer(directory, words):
    painter = Painter(directory, words)
    painter(Event(Gathered(LAYER), ""))
    (process,) = (child for child in psutil.Process().children() if PROGRAM in child.cmdline())
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # without reaping it
    painter(Event(Gathered("wfc3_uvis_f814w"), ""))
    events = []
    try:
        assert painter.finish(EventLog(events.append)) == []
    finally:
        painter.close()
    assert "exit code -9" in events[-1].message


def test_a_process_that_cannot_start_leaves_all_pictures_to_the_end(directory, words, monkeypatch):
    def refuse(*arguments, **options):
        raise BlockingIOError("no process left")

    monkeypatch.setattr(subprocess, "Popen", refuse)
    painter = Painter(directory, words)
    painter(Event(Gathered(LAYER), ""))
    painter(Event(Gathered("wfc3_uvis_f814w"), ""))
    assert painter.finish(EventLog()) is None
    painter.close()


def test_without_layers_no_process_starts(directory, words):
    painter = Painter(directory, words)
    assert painter.finish(EventLog()) is None
    painter.close()


def test_the_program_ends_with_the_driver(directory):
    before = sorted(path.name for path in directory.output.iterdir())
    ended = subprocess.run(
        module_command(PROGRAM, str(directory.path), FOLLOW),
        env=child_environment(),
        input="",
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 1
    assert ended.stderr == "the driver is gone\n"
    assert sorted(path.name for path in directory.output.iterdir()) == before
    assert not directory.pictures_file.exists()


def test_the_memory_that_tasks_leave_free_holds_the_pictures(exposures):
    plan = make_plan(str(exposures))
    needed = estimate_drawing(plan).memory_mb
    assert fits_beside_tasks(plan, 9 * needed + 1)
    assert not fits_beside_tasks(plan, 9 * needed - 10)


def test_one_layer_is_left_where_the_others_are_drawn_before(exposures):
    plan = make_plan(str(exposures))
    whole = seconds_left_to_draw(plan, beside_tasks=False)
    assert whole / len(plan.layers) <= seconds_left_to_draw(plan, beside_tasks=True) < whole
