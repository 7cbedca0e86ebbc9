"""Files of an alignment in the run directory."""

import json

import pytest

from helpers.aligned_stage import align_all, run_of
from helpers.idle_pool import IdlePool
from hstmosaic.errors import AlignmentError
from hstmosaic.plan.build import make_plan
from hstmosaic.run.stages import alignment
from hstmosaic.store.alignment_results import AlignmentResult
from hstmosaic.store.run_directory import run_directory


@pytest.fixture
def run(simulated, tmp_path, monkeypatch):
    directory = run_directory(tmp_path, "foo")
    directory.create()
    own = tmp_path / "stars.csv"
    own.write_text("ra,dec\n150.1,2.2\n")
    plan = make_plan(str(simulated.three_cameras(200).list))

    async def no_sources(*_):
        return {}

    monkeypatch.setattr(alignment, "_await_sources", no_sources)
    return run_of(plan, directory, IdlePool(), catalog=own)


def fit_with(monkeypatch, outcome):
    async def fit(run, *_):
        if isinstance(outcome, Exception):
            raise outcome
        return outcome, run.directory.path

    monkeypatch.setattr(alignment, "fit", fit)


def test_an_error_leaves_no_outcome_of_an_earlier_alignment(run, monkeypatch):
    fit_with(monkeypatch, RuntimeError("an error in the code"))
    run.directory.alignment_file.write_text('{"aligned": true}')
    with pytest.raises(RuntimeError, match="an error in the code"):
        align_all(run)
    assert not run.directory.alignment_file.exists()


def test_a_failed_fit_leaves_its_cause(run, monkeypatch):
    fit_with(monkeypatch, AlignmentError("the fit failed: no stars"))
    found = align_all(run)
    assert found.plan == run.plan
    assert run.results.alignment == found.result
    raw = json.loads(run.directory.alignment_file.read_text())
    assert AlignmentResult.from_dict(raw) == found.result
    assert (found.result.aligned, found.result.cause) == (False, "the fit failed: no stars")
