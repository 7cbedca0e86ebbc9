"""Warnings about exposures that an alignment moves far."""

import pytest

from hstmosaic.run.stages.alignment_messages import emit_fit
from hstmosaic.store.alignment_results import AlignmentResult, ExposureFit
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
