"""A layer that is divided into boxes: the same files, a lost task costs one box, and finished boxes are kept."""

import os
import shutil
import signal
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from hstmosaic.run.driver import run_mosaic
from hstmosaic.run.options import RunOptions
from hstmosaic.run.profiles.profile import Profile
from hstmosaic.store.run_directory import RunDirectory
from hstmosaic.store.task_names import box_task, drizzle_task, layer_tasks, prepare_task
from hstmosaic.store.worker_events import Ended, Retrying, Running, Skipped

pytestmark = pytest.mark.upstream

LAYER = "wfc3_ir_f160w"
SMALL_TASKS = Profile("local", task_memory_mb=473)
"""Profile with which the mosaics of three small exposures are divided in two."""


class Killer:
    """A listener that lets the first attempt of a box wait for a file, and kills it."""

    def __init__(self, run):
        self.run, self.events, self.killed = run, [], 0

    def __call__(self, event):
        self.events.append(event)
        match event.payload:
            case Ended(task=task) if task == prepare_task(LAYER):
                self.nodes = next(self.run.task(task).work.rglob("*_nodes.npy"))
                self.kept = self.nodes.rename(self.nodes.with_suffix(".kept"))
                os.mkfifo(self.nodes)
            case Running(task=task, attempt=1) if task == box_task(LAYER, 0):
                threading.Thread(target=self.kill, args=(self.run.task(task).work,)).start()

    def kill(self, work):
        deadline = time.monotonic() + 60
        while not (found := process_in(work)) and time.monotonic() < deadline:
            time.sleep(0.01)
        self.kept.replace(self.nodes)
        os.kill(found, signal.SIGKILL)
        self.killed += 1


def process_in(folder):
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "cwd").readlink() == folder:
                return int(process.name)
        except OSError:
            continue
    return 0


@pytest.fixture(scope="module")
def runs(simulated, tmp_path_factory):
    """A run with whole layers, one whose first box was killed, and one that resumed it after it had lost a box."""
    root = tmp_path_factory.mktemp("boxes")
    options = RunOptions(str(simulated.infrared(3).list), prefix="x", skip_alignment=True, output=root / "whole")
    run_mosaic(replace(options, whole_layers=True, learning=False), lambda event: None)
    divided = replace(options, output=root / "boxes", profile=SMALL_TASKS, workers=1, keep_work=True, learning=False)
    directory = RunDirectory(root / "boxes" / "x_run")
    killer = Killer(directory)
    first = run_mosaic(divided, killer)
    files = {path.name: path.read_bytes() for path in divided.output.glob("*_drz.fits")}
    lost = [directory.task(name).path for name in (drizzle_task(LAYER), box_task(LAYER, 1))]
    for path in [*divided.output.glob("*_drz.fits"), *lost]:
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    resumed = []
    run_mosaic(replace(divided, workers=2), resumed.append)
    return root, first, files, killer, resumed


def of_kind(events, kind):
    return [event.payload for event in events if isinstance(event.payload, kind)]


def drizzled(events, kind):
    return {payload.task for payload in of_kind(events, kind) if payload.task.startswith(drizzle_task(LAYER))}


def test_files_equal_those_of_whole_layers(runs):
    root, _, files, _, _ = runs
    assert len(files) == 2
    for name, content in files.items():
        assert (root / "whole" / name).read_bytes() == content
        assert (root / "boxes" / name).read_bytes() == content


def test_a_killed_box_is_drizzled_again_alone(runs):
    _, first, _, killer, _ = runs
    (layer,) = first.plan.layers
    assert layer.boxes > 1
    assert killer.killed == 1
    assert [retrying.task for retrying in of_kind(killer.events, Retrying)] == [box_task(LAYER, 0)]
    tasks = [running.task for running in of_kind(killer.events, Running)]
    assert {task: tasks.count(task) for task in layer_tasks(LAYER, layer.boxes)} == {
        task: 2 if task == box_task(LAYER, 0) else 1 for task in layer_tasks(LAYER, layer.boxes)
    }


def test_finished_boxes_are_kept(runs):
    *_, resumed = runs
    assert drizzled(resumed, Running) == {box_task(LAYER, 1), drizzle_task(LAYER)}
    assert {prepare_task(LAYER), box_task(LAYER, 0)} <= drizzled(resumed, Skipped)
