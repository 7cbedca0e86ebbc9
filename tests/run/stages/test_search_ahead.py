"""Searches for stars start before screening has ended."""

from concurrent.futures import Future

import pytest

from helpers.aligned_stage import align_all, run_of
from hstmosaic.errors import HstMosaicError
from hstmosaic.plan.alignment import fit_order
from hstmosaic.plan.build import make_plan
from hstmosaic.run.driver import run_mosaic
from hstmosaic.run.options import RunOptions
from hstmosaic.run.stages import order
from hstmosaic.run.stages.finding_sources import find_sources
from hstmosaic.store.result_files import TaskResult
from hstmosaic.store.run_directory import run_directory
from hstmosaic.store.task_names import sources_task
from hstmosaic.store.task_specs import SPEC_FILE


class FailingPool:
    """A pool that records its tasks; every search finds nothing."""

    def __init__(self):
        self.submitted = []

    def submit(self, folder, estimate, priority=0.0):
        self.submitted.append((folder.name, priority))
        answer = Future()
        answer.set_result((TaskResult(ok=False, error="no stars"), None))
        return answer


@pytest.fixture(scope="module")
def plan(simulated):
    return make_plan(str(simulated.three_cameras(200).list))


@pytest.fixture
def run(plan, tmp_path):
    directory = run_directory(tmp_path, "foo")
    directory.create()
    own = tmp_path / "stars.csv"
    own.write_text("ra,dec\n150.1,2.2\n")
    return run_of(plan, directory, FailingPool(), catalog=own)


def test_searches_wait_for_screening_only_and_are_done_once(plan, run):
    order = fit_order(plan.exposures)
    find_sources(run)
    submitted = run.scheduler.pool.submitted
    assert [name for name, _ in submitted] == [sources_task(exposure.name) for exposure in order]
    assert all(priority < 0 for _, priority in submitted), "screening comes first"
    align_all(run)
    assert len(submitted) == len(order)


def test_each_detector_has_its_own_parameters(plan, run):
    find_sources(run)
    for exposure in plan.exposures:
        spec = run.directory.task(sources_task(exposure.name)).path / SPEC_FILE
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
