"""Warnings about exposures that an alignment moves far, or places inaccurately."""

from dataclasses import replace

import pytest

from hstmosaic.run.stages.alignment_messages import emit_fit
from hstmosaic.store.alignment_results import CARRIED, AlignmentResult, ExposureFit
from hstmosaic.store.events import EventLog

BEFORE = {"gaia": "IDC_x-FIT_SVM_GAIAeDR3", "guide stars": "IDC_x-GSC240"}


def warnings_of(**moves):
    """Return the warnings about exposures that moved by so many mas to the east, by their WCS before."""
    exposures = {
        f"{number}.fits": ExposureFit(
            (east, 0.0), 0.0, 1.0, 50, 40, (1.0, 1.0), wcsname_before=BEFORE[before.replace("_", " ")]
        )
        for number, (before, east) in enumerate(moves.items())
    }
    events = []
    emit_fit(AlignmentResult(aligned=True, catalog="GAIAeDR3", exposures=exposures), EventLog(events.append))
    return [event for event in events if event.level == "warning"]


@pytest.mark.parametrize(("move", "count"), [(990.0, 0), (1010.0, 1), (-1010.0, 1)])
def test_a_move_above_an_arcsec_is_a_warning(move, count):
    found = warnings_of(guide_stars=move)
    assert [event.kind for event in found] == ["large move"] * count
    assert all(f"{move:+.0f} mas east" in event.message for event in found)


@pytest.mark.parametrize(("move", "count"), [(49.0, 0), (51.0, 1)])
def test_a_move_above_50_mas_from_gaia_is_a_warning(move, count):
    found = warnings_of(gaia=move, guide_stars=move)
    assert [event.kind for event in found] == ["large move"] * count
    assert all("0.fits moved by 51 mas" in event.message for event in found)


def inaccurate(infrared=(), **changes):
    """Return the warnings about one exposure with a formal error of (3, 2) mas from 5 stars."""
    fit = ExposureFit((9.0, 0.0), 0.0, 1.0, 50, 5, (1.0, 1.0), fit_matches=5, error_mas=(3.0, 2.0))
    result = AlignmentResult(aligned=True, catalog="GAIAeDR3", exposures={"a.fits": replace(fit, **changes)})
    events = []
    emit_fit(result, EventLog(events.append), infrared)
    return [event for event in events if event.level == "warning"]


def test_a_large_formal_error_is_a_warning_with_its_cause():
    (found,) = inaccurate()
    assert (found.kind, found.data["exposures"]) == ("imprecise", ("a.fits",))
    assert "a.fits to 3.6 mas (5 stars)" in found.message
    assert not inaccurate(error_mas=(1.4, 1.4))
    assert not inaccurate(infrared={"a.fits"})
    assert len(inaccurate(infrared={"a.fits"}, error_mas=(3.0, 3.0))) == 1


def test_an_error_without_a_catalogue_is_no_warning():
    assert not inaccurate(absolute=False, error_mas=(577.0, 577.0))


def test_the_error_of_an_exposure_that_follows_its_visit_is_in_its_own_warning():
    (found,) = inaccurate(status=CARRIED, reason="it has no sources", error_mas=(10.0, 10.0))
    assert found.message == (
        "a.fits is moved as the other exposures of its visit, accurate to 14 mas: it has no sources"
    )
