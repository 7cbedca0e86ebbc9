"""drizzlepac's guiding check is a second opinion, except with ``--screening drizzlepac``."""

import pytest
from astropy.io import fits
from drizzlepac.haputils import analyze

from hstmosaic.store.task_results import ScreenResult
from hstmosaic.store.task_specs import Screening, ScreenSpec
from hstmosaic.tasks import screen as screening

pytestmark = pytest.mark.upstream


@pytest.fixture
def judge(simulated, tmp_path, monkeypatch):
    """Return a function that screens a good exposure, which drizzlepac's check rejects if so wanted."""
    exposure = simulated.demo(300).paths[0]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(screening, "apply_repairs", lambda _: None)
    monkeypatch.setattr(screening.screening, "seed_guiding_check", lambda _: None)

    def call(way, *, rejected, quality=None):
        path = tmp_path / "inputs" / exposure.name
        path.parent.mkdir()
        with fits.open(exposure) as hdus:
            if quality:
                hdus[0].header["QUALITY"] = quality
            hdus.writeto(path)
        monkeypatch.setattr(analyze, "verify_guiding", lambda _: rejected)
        return ScreenResult.from_dict(screening.screen(ScreenSpec(str(path), way)).data)

    return call


def test_drizzlepacs_verdict_alone_drops_nothing(judge):
    found = judge(Screening.SHAPES, rejected=True)
    assert found.usable
    assert found.reason.startswith("drizzlepac's guiding check finds trails (")


def test_drizzlepacs_verdict_counts_on_request(judge):
    assert not judge(Screening.DRIZZLEPAC, rejected=True).usable


@pytest.mark.parametrize("way", Screening)
def test_lost_guide_stars_are_named_and_not_trails(judge, way):
    found = judge(way, rejected=True, quality="GSFAIL")
    assert (found.usable, found.shapes) == (False, None)
    assert found.reason == "QUALITY=GSFAIL: the guide stars were not acquired or were lost"
