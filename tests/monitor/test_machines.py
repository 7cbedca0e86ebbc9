"""Progress of runs on machines of other speeds than estimated, with nothing learned."""

import pytest

from helpers.events import reported_again, shares_shown
from helpers.machines import Layer, Machine, run_on, work_of
from hstmosaic.monitor.reducer import add_up
from hstmosaic.monitor.share import share_done

STEPS = 400
WORK = {
    "three filters": work_of(
        Layer("wfc3_uvis", 8), Layer("wfc3_uvis", 6), Layer("wfc3_ir", 12, megapixels=20.0), align=False
    ),
    "aligned": work_of(Layer("wfc3_uvis", 4), Layer("acs_wfc", 4), Layer("wfc3_ir", 4, megapixels=5.0), align=True),
    "boxes": work_of(Layer("wfc3_uvis", 12, megapixels=40.0, boxes=4), align=False),
    "many layers": work_of(
        Layer("wfc3_uvis", 20, megapixels=40.0, boxes=6),
        Layer("wfc3_uvis", 10),
        Layer("acs_wfc", 16, boxes=4),
        Layer("wfc3_ir", 12, megapixels=8.0),
        align=True,
    ),
}
ERRORS = {
    "screen": 1.05,
    "sources": 0.95,
    "align": 1.1,
    "drizzle": 0.95,
    "prepare": 1.07,
    "box": 0.93,
    "assemble": 1.1,
    "pictures": 1.1,
}
"""What estimates of kinds are wrong by, besides the speed of the machine."""
MACHINES = {
    f"{words}, {slots}": Machine(factor, slots, ERRORS)
    for words, factor in (("3x faster", 1 / 3), ("as estimated", 1.0), ("3x slower", 3.0))
    for slots in (1, 2, 8)
} | {
    "busy, 2": Machine(1 / 3, 2, ERRORS, busy=1.6),
    "other node, 2": Machine(3.0, 2, ERRORS, busy=1.3, sees_cpu=False),
}


WITHIN, WITHIN_UNSEEN = 0.9, 0.8
"""Fraction of the predictions that must be right; fewer where the driver does not see what running tasks take."""


@pytest.fixture(scope="module", params=[(machine, work) for work in WORK for machine in MACHINES], ids=": ".join)
def events(request):
    machine, work = request.param
    return run_on(MACHINES[machine], WORK[work])


@pytest.fixture
def within(request):
    machine, _ = request.node.callspec.params["events"]
    return WITHIN if MACHINES[machine].sees_cpu else WITHIN_UNSEEN


def span(events):
    return events[0].time, events[-1].time


def test_the_time_left_is_right_from_half_of_the_run_on(events, within):
    """Within 30 %, until a tenth is left, as tests/bench_eta.py measures real runs."""
    begun, ended = span(events)
    looks = [
        (event.payload.seconds_left, ended - event.time)
        for event in events
        if event.kind == "progress" and 0.1 <= (ended - event.time) / (ended - begun) <= 0.5
    ]
    errors = [left / really - 1 for left, really in looks]
    assert len(errors) > 4
    assert sum(abs(error) <= 0.3 for error in errors) >= within * len(errors), errors
    assert max(errors, key=abs) == pytest.approx(0.0, abs=0.5)


def test_the_percentage_moves_on_and_never_back(events):
    shown = shares_shown(events, STEPS)
    moved, before = 0.0, 0.0
    for time, share in shown:
        assert share >= before
        if int(100 * share) > int(100 * before):
            moved = time
        assert time - moved <= 0.05, f"{share:.3f} since {moved:.3f}"
        before = share


def test_it_is_near_the_end_there_and_whole_only_then(events):
    *before, (_, last) = shares_shown(events, STEPS)
    assert 0.85 <= before[-1][1] < 1.0
    assert last == 1.0


def test_reports_of_other_times_change_no_fact(events):
    """A viewer that looks once sees what one sees that has looked all the time."""
    half = len(events) // 2
    now = events[half].time
    assert share_done(add_up(events[:half]), now) == share_done(add_up(reported_again(events[:half])), now)
