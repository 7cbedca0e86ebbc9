"""Searches for stars start before screening has ended."""

from concurrent.futures import Future

import pytest

from hstmosaic.errors import HstMosaicError
from hstmosaic.plan.alignment import fit_order
from hstmosaic.plan.build import make_plan
from hstmosaic.run.driver import run_mosaic
from hstmosaic.run.options import RunOptions
from hstmosaic.run.stages import order
from hstmosaic.run.stages.aligner import Aligner
from hstmosaic.run.stages.alignment import AlignOptions
from hstmosaic.store.events import EventLog
from hstmosaic.store.run_directory import run_directory
from hstmosaic.store.task_specs import TaskResult


class Queue:
    """A pool that only takes down what it is asked for; every search finds nothing."""

    def __init__(self):
        self.asked = []
        self.events = EventLog()

    def submit(self, folder, estimate, priority=0.0):
        self.asked.append((folder.name, priority))
        answer = Future()
        answer.set_result((TaskResult(ok=False, error="no stars"), None))
        return answer


@pytest.fixture(scope="module")
def plan(simulated):
    return make_plan(str(simulated.three_cameras(200).list))


@pytest.fixture
def aligner(tmp_path):
    directory = run_directory(tmp_path, "foo")
    directory.create()
    own = tmp_path / "stars.csv"
    own.write_text("ra,dec\n150.1,2.2\n")
    return Aligner(directory, Queue(), AlignOptions(catalog=own), EventLog())


def name_of(exposure):
    return f"sources-{exposure.name.removesuffix('.fits')}"


def test_searches_wait_for_screening_only_and_are_done_once(plan, aligner):
    order = fit_order(plan.exposures)
    aligner.start_ahead(plan)
    assert [name for name, _ in aligner.pool.asked] == [name_of(exposure) for exposure in order]
    assert all(priority < 0 for _, priority in aligner.pool.asked), "screening comes first"
    aligner(plan, [exposure.name for exposure in plan.exposures])
    assert len(aligner.pool.asked) == len(order)


def test_each_detector_has_its_own_parameters(plan, aligner):
    aligner.start_ahead(plan)
    for exposure in plan.exposures:
        spec = aligner.directory.task(name_of(exposure)).path / "spec.json"
        assert f'"{exposure.detector}"' in spec.read_text()


@pytest.mark.upstream
@pytest.mark.parametrize(("options", "count"), [({}, 1), ({"skip_alignment": True}, 0), ({"stub": True}, 0)])
def test_a_run_without_alignment_does_not_search(plan, tmp_path, monkeypatch, options, count):
    def stop(run):
        raise HstMosaicError("enough")

    monkeypatch.setattr(order, "screen", stop)
    with pytest.raises(HstMosaicError, match="enough"):
        run_mosaic(RunOptions(str(plan.exposures[0].path), "foo", output=tmp_path, **options), lambda event: None)
    assert len(list(tmp_path.glob("*_run/tasks/sources-*"))) == count
