"""Which catalogues are requested: the first that can serve, the others where the fit with it fails."""

import numpy as np
import pytest

from helpers.aligned_stage import align_all, run_of
from helpers.catalog_service import Stars, catalog_service
from helpers.idle_pool import IdlePool
from hstmosaic.plan.build import make_plan
from hstmosaic.plan.catalog_replies import CATALOGS, FEWEST
from hstmosaic.run.stages import alignment
from hstmosaic.run.stages.catalog import Service
from hstmosaic.store.alignment_results import RELATIVE, AlignmentResult
from hstmosaic.store.run_directory import run_directory

GOOD = AlignmentResult(
    aligned=True, method=RELATIVE, fitgeom="rscale", matches=20, rms_mas=(1.0, 1.0), reference_catalog="reference.ecsv"
)
FAILED = AlignmentResult(aligned=False, cause="no match")


@pytest.fixture(scope="module")
def plan(simulated):
    return make_plan(str(simulated.three_cameras(200).list))


def stars(count):
    places = np.linspace(-0.001, 0.001, count)
    zero = np.zeros(count)
    return Stars(150.1 + places, 2.2 + places, zero + 20, zero, zero, zero)


class Fits:
    """Fits instead of drizzlepac's, which are good with some catalogues."""

    def __init__(self, plan, folder, monkeypatch, good):
        self.plan, self.good, self.tried = plan, good, []
        self.directory = run_directory(folder, "foo")
        self.directory.create()
        monkeypatch.setattr(alignment, "_await_sources", self.sources)
        monkeypatch.setattr(alignment, "fit", self.fit)
        monkeypatch.setattr(alignment, "replan", lambda plan, _: plan)

    async def sources(self, *_):
        return {}

    async def fit(self, run, plan, order, found, replies):
        self.tried.append([name for name, _ in replies])
        return (GOOD if self.good & set(self.tried[-1]) else FAILED), self.directory.path

    def run(self, service):
        events = []
        how = Service(url=service.url, cache=None, attempts=1, timeout=60.0)
        run = run_of(self.plan, self.directory, IdlePool(), service=how, listener=events.append)
        return align_all(run), [event.kind for event in events if event.level == "warning"]


def test_unneeded_catalogues_are_not_requested(plan, tmp_path, monkeypatch):
    fits = Fits(plan, tmp_path, monkeypatch, {"GAIAeDR3"})
    with catalog_service(stars(FEWEST), "good", "500") as service:
        run, warnings = fits.run(service)
        assert len(service.requests) == 1
    assert run.result.aligned
    assert not warnings
    assert fits.tried == [["GAIAeDR3"]]


def test_other_catalogues_are_tried_after_a_failed_fit(plan, tmp_path, monkeypatch):
    fits = Fits(plan, tmp_path, monkeypatch, {"GSC242"})
    with catalog_service(stars(FEWEST)) as service:
        run, _ = fits.run(service)
        assert [path.partition("CAT=")[2].partition("&")[0] for path in service.requests] == list(CATALOGS)
    assert run.result.aligned
    assert fits.tried == [["GAIAeDR3"], list(CATALOGS)]
    fits.tried.clear()
    run, warnings = fits.run(service)  # which is down by now
    assert run.result.aligned
    assert not warnings
    assert fits.tried == [list(CATALOGS)]


def test_one_that_has_too_few_stars_is_not_the_only_one(plan, tmp_path, monkeypatch):
    fits = Fits(plan, tmp_path, monkeypatch, {"2MASS"})
    with catalog_service(stars(FEWEST - 1)) as service:
        run, _ = fits.run(service)
    assert run.result.aligned
    assert fits.tried == [list(CATALOGS)]


def test_without_another_one_a_fit_is_not_done_twice(plan, tmp_path, monkeypatch):
    fits = Fits(plan, tmp_path, monkeypatch, {"GSC242"})
    with catalog_service(stars(FEWEST), "good", "500") as service:
        run, warnings = fits.run(service)
        assert len(service.requests) == 2
    assert run.result.cause == "no match"
    assert warnings == ["not aligned"]
    assert fits.tried == [["GAIAeDR3"]]
