"""The order of a run: which tasks start when."""

import json
from concurrent.futures import Future

import pytest

from hstmosaic.errors import BadInputError
from hstmosaic.plan.build import make_plan
from hstmosaic.run.options import RunOptions
from hstmosaic.run.stages.order import make_mosaics
from hstmosaic.run.stages.run_state import Run
from hstmosaic.run.stages.scheduler import Scheduler
from hstmosaic.store.events import EventLog
from hstmosaic.store.files import sha256
from hstmosaic.store.result_files import TaskResult, write_result
from hstmosaic.store.run_directory import run_directory
from hstmosaic.store.task_names import drizzle_task, screen_task
from hstmosaic.store.task_specs import SPEC_FILE, WORK_FOLDER

MADE = b"made"


class PretendingPool:
    """A pool whose tasks make tiny files at once; some end only when another one is submitted."""

    def __init__(self, *, until=None, results=None):
        self.until, self.results = until or {}, results or {}
        self.submitted, self.held = [], {}

    def submit(self, folder, estimate, priority=0.0):
        self.submitted.append(folder.name)
        answer = Future()
        self.held[folder] = answer
        for waiting in [*self.held]:
            if self.until.get(waiting.name, folder.name) in self.submitted:
                self.end(waiting, self.held.pop(waiting))
        return answer

    def end(self, folder, answer):
        work = folder / WORK_FOLDER
        work.mkdir()
        files = []
        for name in json.loads((folder / SPEC_FILE).read_text())["products"]:
            (work / name).write_bytes(MADE)
            files.append({"name": name, "size": len(MADE), "sha256": sha256(work / name)})
        result = self.results.get(folder.name, TaskResult(ok=True, data={"usable": True, "files": files}))
        write_result(folder, result)
        answer.set_result((result, None))


@pytest.fixture(scope="module")
def plan(simulated):
    """Layers of one exposure each."""
    return make_plan(str(simulated.three_cameras(200).list))


@pytest.fixture
def directory(tmp_path):
    found = run_directory(tmp_path, "foo")
    found.create()
    return found


def start(plan, directory, pool, **options):
    scheduler = Scheduler(directory, pool, plan.versions, EventLog())
    run = Run(plan, RunOptions(plan.source, stub=True, **options), directory, scheduler, EventLog())
    scheduler.run(make_mosaics(run))
    return run.results


def screens(layer):
    return [screen_task(name) for name in layer.exposures]


def test_longest_layers_are_screened_first(plan, directory):
    pool = PretendingPool()
    start(plan, directory, pool)
    longest_first = sorted(plan.layers, key=lambda layer: -layer.estimate.seconds)
    wanted = [name for layer in longest_first for name in screens(layer)]
    assert [name for name in pool.submitted if name in wanted] == wanted


def test_a_layer_drizzles_while_others_are_screened(plan, directory):
    first, *_, last = plan.layers
    pool = PretendingPool(until=dict.fromkeys(screens(last), drizzle_task(first.name)))
    results = start(plan, directory, pool)
    assert {file.layer for file in results.gathered} == {layer.name for layer in plan.layers}


def test_strict_drizzles_nothing_if_an_exposure_is_left_out(plan, directory):
    name = plan.layers[0].exposures[0]
    blank = TaskResult(ok=True, data={"usable": False, "reason": "blank"})
    pool = PretendingPool(results={screen_task(name): blank})
    with pytest.raises(BadInputError, match=name):
        start(plan, directory, pool, strict=True)
    assert not [task for task in pool.submitted if task.startswith("drizzle")]


@pytest.mark.parametrize("keep", [(), ("kept",)])
def test_a_layer_without_exposures_fails_alone(plan, directory, keep):
    layer = plan.layers[0]
    blank = TaskResult(ok=True, data={"usable": False, "reason": "blank"})
    pool = PretendingPool(results=dict.fromkeys(screens(layer), blank))
    results = start(plan, directory, pool, keep=layer.exposures if keep else ())
    assert [failure.layer for failure in results.failures] == ([] if keep else [layer.name])
    assert {item.name for item in results.left_out} == (set() if keep else set(layer.exposures))
    assert (layer.name in {file.layer for file in results.gathered}) is bool(keep)


def test_a_failed_task_fails_its_layer_alone(plan, directory):
    layer = plan.layers[0]
    pool = PretendingPool(results={drizzle_task(layer.name): TaskResult(ok=False, error="no sky")})
    results = start(plan, directory, pool)
    assert [(failure.layer, failure.cause) for failure in results.failures] == [(layer.name, "no sky")]
    assert {file.layer for file in results.gathered} == {other.name for other in plan.layers[1:]}


def test_gathered_layers_are_not_drizzled_again(plan, directory):
    start(plan, directory, PretendingPool())
    again = PretendingPool()
    results = start(plan, directory, again)
    assert again.submitted == []
    assert len(results.gathered) == sum(2 * len(layer.products) for layer in plan.layers)
    damaged = directory.output / plan.layers[0].products[0].name
    damaged.write_bytes(b"other")
    start(plan, directory, again)
    assert again.submitted == [drizzle_task(plan.layers[0].name)]
