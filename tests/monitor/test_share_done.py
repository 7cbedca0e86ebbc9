"""The share of a run that is done moves all the time, never back, and is 1 only at the end."""

from dataclasses import replace
from pathlib import Path

import pytest

from helpers.events import event_of, reported_again, shares_shown
from hstmosaic.monitor.reducer import add_up, advance
from hstmosaic.monitor.share import drawing_share, layer_shares, share_done
from hstmosaic.monitor.view import view
from hstmosaic.store.events import event_from_line


def recorded(name):
    """Return the events of a recorded run."""
    return [event_from_line(line) for line in Path(__file__).with_name(name).read_text().splitlines()]


RECORDED = recorded("recorded_run.jsonl")
PICTURES = 1.2
"""Seconds that drawing takes after the recorded run, which drew nothing."""


@pytest.fixture(scope="module")
def events():
    planned, *others, finished = RECORDED
    planned = replace(planned, payload=replace(planned.payload, pictures_s=PICTURES / 1.5))
    drawing = event_of("drawing", "drawing pictures", "debug", {}, finished.time)
    drawn = replace(finished, time=finished.time + PICTURES)
    return list(reported_again([planned, *others, drawing, drawn]))


def test_it_never_stands_still_for_more_than_a_twentieth_of_the_run(events):
    moved, most = 0.0, 0.0
    for time, share in shares_shown(events, 400):
        if share > most + 0.001:
            moved, most = time, share
        assert time - moved < 0.05, f"{share:.3f} since {moved:.3f}"


def test_the_percentage_moves_while_the_first_tasks_are_late():
    """Screening took six times its estimate, of six full frames on two cores."""
    moved, shown = 0.0, 0
    for time, share in shares_shown(list(reported_again(recorded("slow_start.jsonl"))), 1000):
        if int(100 * share) > shown:
            moved, shown = time, int(100 * share)
        assert time - moved < 0.05, f"{shown} % since {moved:.3f}"


def test_a_driver_that_reports_no_more_moves_nothing_for_long(events):
    killed = add_up(events[: next(i for i, event in enumerate(events) if event.kind == "progress") + 1])
    soon, later, much_later = (share_done(killed, events[0].time + seconds) for seconds in (10, 30, 3000))
    assert soon < later == much_later


def test_a_stalled_run_stands_still(events):
    unknown = event_of("progress", "", "debug", {"share": 0.3, "seconds_left": None}, events[0].time)
    assert share_done(add_up([events[0], unknown]), events[0].time + 15) == 0.3


def test_it_is_whole_only_when_everything_is_done(events):
    *before, (_, last) = shares_shown(events, 400)
    assert max(share for _, share in before) < 1.0
    assert last == 1.0


def test_a_run_with_a_failed_layer_never_reaches_the_end():
    failed = event_of("failed", "", "error", {"layer": "wfc3_ir_f160w"})
    ended = event_of("finished", "", data={"exit_code": 7})
    start = next(i for i, event in enumerate(RECORDED) if event.kind == "aligned")
    assert share_done(add_up([*RECORDED[:start], failed, ended]), RECORDED[-1].time) < 1.0


def test_running_tasks_count_by_their_cpu_time(events):
    running = next(i for i, event in enumerate(events) if event.kind == "drizzling") + 5
    state, now = add_up(events[:running]), events[running - 1].time
    seen = []
    for cpu in (0.0, 1.1, 1.3, 1.5):
        looked = event_of("progress", "", "debug", {"cpu": {"drizzle-wfc3_ir_f160w": cpu}}, now + 2)
        seen.append(layer_shares(advance(state, looked), now + 2)["wfc3_ir_f160w"])
    assert seen[1:] == sorted(set(seen[1:]))


def test_it_does_not_shrink_below_what_was_reported(events):
    reported = event_of("progress", "", "debug", {"share": 0.4}, events[3].time)
    assert share_done(add_up([*events[:3], reported]), events[3].time) == 0.4


def test_drawing_is_a_stage_and_running_layers_have_bars(events):
    middle = next(i for i, event in enumerate(events) if event.kind == "gathered") + 1
    rows = list(view(add_up(events[:middle]), events[middle].time).renderables[0].columns[0].cells)
    assert [str(row).strip() for row in rows][-4:] == ["drizzling", "wfc3_ir_f160w", "acs_wfc_f814w", "drawing"]
    drawing = add_up(events[:-1])
    assert drawing.drawing == "running"
    assert 0 < drawing_share(drawing, events[-2].time + 0.5) < drawing_share(drawing, events[-2].time + 1.0) < 1


def test_the_last_stage_begins_with_the_end_of_the_last_task(events):
    """Registration is measured between the last task and the pictures."""
    tasks, last = add_up(events[:-2]), max(event.time for event in events if event.kind == "ended")
    assert tasks.drawing == "running"
    assert tasks.drawing_since == add_up(events[:-1]).drawing_since <= events[-2].time
    assert share_done(tasks, last + 0.2) < share_done(tasks, last + 0.6)
