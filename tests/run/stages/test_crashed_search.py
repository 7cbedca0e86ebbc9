"""A crash of the search for stars is reported as one, and is an error if strict."""

import pytest

from hstmosaic.errors import FallbackError
from hstmosaic.run.options import RunOptions
from hstmosaic.run.stages.finding_sources import report_fallbacks
from hstmosaic.run.stages.run_state import Run
from hstmosaic.store.events import EventLog
from hstmosaic.store.payload import EventKind
from hstmosaic.store.result_files import CRASHED, STATUS, TaskResult

CRASH = TaskResult(ok=False, data={CRASHED: True}, error="KeyError: 'x'")


@pytest.mark.parametrize(
    ("result", "crashed"),
    [
        (CRASH, True),
        (TaskResult(ok=False, data={STATUS: 3}, error="its process ended with exit code 3 and no result"), True),
        (TaskResult(ok=False, data={STATUS: -9}, error="its process was killed", retry=True), False),
        (TaskResult(ok=False, error="drizzlepac does not align it"), False),
        (TaskResult(ok=True), False),
    ],
)
def test_crashes_differ_from_verdicts(result, crashed):
    assert result.crashed is crashed


def run_with(events, **options):
    return Run(None, RunOptions("list.txt", **options), None, None, EventLog(events.append))


def test_a_crash_is_a_warning():
    events = []
    report_fallbacks(run_with(events), "icab01a0q_flc.fits", CRASH)
    (event,) = events
    assert (event.kind, event.level) == (EventKind.FALLBACK, "warning")
    assert event.message == "icab01a0q_flc.fits: finding stars crashed: KeyError: 'x'"


def test_a_crash_is_an_error_if_strict():
    with pytest.raises(FallbackError, match="finding stars crashed"):
        report_fallbacks(run_with([], strict=True), "icab01a0q_flc.fits", CRASH)
