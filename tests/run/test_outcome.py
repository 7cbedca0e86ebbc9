"""The end of a run and its products."""

from dataclasses import replace

import pytest

from hstmosaic.plan.build import make_plan
from hstmosaic.plan.checks import Exclusion
from hstmosaic.run.outcome import Outcome
from hstmosaic.run.stages.alignment_messages import emit_fit
from hstmosaic.store.alignment_results import AlignmentResult, ExposureFit
from hstmosaic.store.events import EventLog


@pytest.fixture(scope="module")
def outcome(simulated):
    plan = make_plan(str(simulated.infrared(3).list))
    return Outcome(plan, (), (), (), simulated.infrared(3).folder, 0.0, 1.0, {})


def test_a_run_without_warnings_has_none(outcome):
    assert outcome.warnings == ()
    assert replace(outcome, alignment=AlignmentResult(aligned=True)).warnings == ()


def test_everything_that_concerns_products_is_named(outcome):
    left_out = (Exclusion("a_flt.fits", "guiding failed", "inspect it"),)
    alignment = AlignmentResult(aligned=False, cause="the catalogue service does not answer", no_catalog=True)
    fallbacks = {"skies were not matched": ["wfc3_ir_f160w"]}
    assert replace(outcome, left_out=left_out, alignment=alignment, fallbacks=fallbacks).warnings == (
        "1 of 3 exposures left out",
        "not aligned: no catalogue",
        "skies were not matched (wfc3_ir_f160w)",
    )


def test_large_formal_errors_are_named(outcome):
    infrared = outcome.plan.exposures[0].name
    fit = ExposureFit((9.0, 0.0), 0.0, 1.0, 50, 5, (1.0, 1.0), error_mas=(3.0, 2.0))
    errors = {infrared: (3.0, 2.0), "uvis": (3.0, 2.0), "with visit": (10.0, 10.0), "good": (0.2, 0.2)}
    fits = {name: replace(fit, error_mas=error) for name, error in errors.items()}
    found = replace(outcome, alignment=AlignmentResult(aligned=True, exposures=fits))
    assert found.warnings == ("2 exposures placed with formal errors of up to 14.1 mas",)


def test_a_missing_catalogue_has_three_next_steps():
    events = []
    emit_fit(AlignmentResult(aligned=False, cause="no network", no_catalog=True), EventLog(events.append))
    (event,) = events
    assert event.message.startswith("not aligned: no catalogue (no network)")
    assert event.message.count("\n  -> ") == 3
    assert "hstmosaic catalog LIST" in event.message
