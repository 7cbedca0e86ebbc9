"""What the events of a run add up to; the recorded run aligned six exposures of three cameras and drizzled them."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.events import event_of, reported_again
from hstmosaic.monitor.eta import in_words, time_left
from hstmosaic.monitor.reducer import add_up, advance, with_cpu
from hstmosaic.monitor.share import share_done
from hstmosaic.monitor.state import DONE, DROPPED, FAILED, RUNNING, WAITING, ProgressState
from hstmosaic.monitor.view import notes, stage_words, view
from hstmosaic.store.events import event_from_line, event_line

RECORDED = [event_from_line(line) for line in Path(__file__).with_name("recorded_run.jsonl").read_text().splitlines()]
REPORTED = list(reported_again(RECORDED))
BEGUN, ENDED = RECORDED[0].time, RECORDED[-1].time
DRIZZLES = ("drizzle-wfc3_uvis_f606w", "drizzle-wfc3_ir_f160w", "drizzle-acs_wfc_f814w")


def until(kind, **data):
    """Events of the recorded run until the first of a kind with such data, that one included."""
    for number, event in enumerate(RECORDED):
        if event.kind == kind and data.items() <= event.data.items():
            return RECORDED[: number + 1]
    raise AssertionError(f"no {kind} was recorded")


def counts(state):
    return {
        stage: (sum(task.over for task in tasks), sum(task.state == RUNNING for task in tasks), len(tasks))
        for stage, tasks in state.stages().items()
    }


def test_every_stage_is_known_from_the_plan_on():
    state = add_up(until("planned"))
    assert counts(state) == {
        "screening": (0, 0, 6), "finding stars": (0, 0, 6), "aligning": (0, 0, 1), "drizzling": (0, 0, 3)
    }  # fmt: skip
    assert set(state.layers.values()) == {WAITING}


def test_what_runs_and_what_it_claims():
    state = add_up(until("running", task="align"))
    assert counts(state) == {
        "screening": (6, 0, 6), "finding stars": (6, 0, 6), "aligning": (0, 1, 1), "drizzling": (0, 0, 3)
    }  # fmt: skip
    assert state.claimed_mb == state.tasks["align"].memory_mb
    assert (state.workers, state.slots) == (1, 2)


def test_layers_run_and_are_made():
    state = add_up(until("gathered"))
    assert state.layers == {"wfc3_uvis_f606w": DONE, "wfc3_ir_f160w": RUNNING, "acs_wfc_f814w": RUNNING}


def test_at_the_end_everything_is_done():
    state = add_up(RECORDED)
    assert all(task.state == DONE for task in state.tasks.values())
    assert set(state.layers.values()) == {DONE}
    assert (state.exit_code, state.ended, share_done(state, ENDED)) == (0, ENDED, 1.0)
    assert time_left(state, ENDED) == 0.0
    assert len(state.warnings) == sum(event.level == "warning" for event in RECORDED)


def test_an_event_is_the_same_after_it_was_written_and_read():
    for event in RECORDED:
        assert event_from_line(event_line(event)) == event
        assert "\n" not in event_line(event)


def test_a_second_driver_begins_anew():
    state = add_up([*until("gathered"), *until("planned")])
    assert counts(state)["screening"] == (0, 0, 6)
    assert state.retries == 0


def test_what_was_finished_before_is_done():
    skipped = event_of("skipped", "", "debug", {"task": "screen-itri01a0q_flc"})
    reused = event_of("reused", "", "info", {"task": "drizzle-acs_wfc_f814w", "layer": "acs_wfc_f814w"})
    state = add_up([*until("planned"), skipped, reused])
    assert counts(state)["screening"] == (1, 0, 6)
    assert state.layers["acs_wfc_f814w"] == DONE
    assert state.tasks["drizzle-acs_wfc_f814w"].state == DONE


def test_without_an_alignment_its_tasks_are_dropped_and_drizzling_is_not():
    emitted = event_of("not aligned", "NOT aligned: no network", "warning", {"cause": "no network"})
    state = add_up([*until("aligning"), emitted])
    assert counts(state)["finding stars"] == (6, 0, 6)
    assert all(task.state == DROPPED for task in state.stages()["aligning"])
    assert all(state.tasks[name].state == WAITING for name in DRIZZLES)
    assert stage_words(state.stages()["aligning"]) == "0 of 0 finished, 0 running, 0 failed"
    assert "NOT aligned: no network" in state.warnings
    single = event_of("not aligned", "", "warning", {"exposure": "x_flc.fits"})
    assert add_up([*until("aligning"), single]).tasks == add_up(until("aligning")).tasks


def test_stars_of_an_exposure_that_is_left_out_are_not_waited_for():
    emitted = event_of("left out", "", "warning", {"exposure": "itri01a0q_flc.fits"})
    state = add_up([*until("screened"), emitted])
    assert state.tasks["sources-itri01a0q_flc"].state == DROPPED
    assert advance(state, event_of("left out", "x by its header", "warning")).tasks == state.tasks


def test_a_layer_that_fails_is_over():
    state = add_up([*until("aligned"), event_of("failed", "", "error", {"layer": "wfc3_ir_f160w"})])
    assert state.layers["wfc3_ir_f160w"] == FAILED
    assert state.tasks["drizzle-wfc3_ir_f160w"].over
    assert advance(state, event_of("failed", "at the end", "error")).layers == state.layers


def test_the_cpu_time_of_running_tasks_is_known_from_the_heartbeat():
    emitted = event_of(
        "progress", "", "debug", {"cpu": {"align": 0.7, "drizzle-acs_wfc_f814w": 3.0, "gone": 1.0}}, BEGUN
    )
    state = add_up([*until("running", task="align"), emitted])
    assert (state.tasks["align"].cpu, state.tasks["align"].looked_at) == (0.7, BEGUN)
    assert state.tasks["drizzle-acs_wfc_f814w"].cpu is None


def test_what_running_tasks_compute_of_late_is_what_counts():
    """A core of its own for two minutes, then a quarter of one for two."""
    cpu = [*(10.0 * k for k in range(13)), *(120 + 2.5 * k for k in range(1, 13))]
    looks = [(BEGUN + 10 * (k + 1), {"cpu": {"align": seconds}}) for k, seconds in enumerate(cpu)]
    emitted = [event_of("progress", "", "debug", data, when) for when, data in looks]
    started = until("running", task="align")
    state = add_up([*started[:-1], replace(started[-1], time=BEGUN), *emitted])
    wall, work = state.recent
    assert work / wall == pytest.approx(0.25, abs=0.06)


def test_a_lost_task_waits_again_with_more_memory():
    lost = event_of("retrying", "", "warning", {"task": "align", "memory_mb": 9000, "attempt": 2, "cause": "memory"})
    state = add_up([*until("running", task="align"), lost])
    assert (state.tasks["align"].state, state.tasks["align"].memory_mb, state.retries) == (WAITING, 9000, 1)


def test_waiting_jobs_show_their_reason_until_a_task_runs():
    events = [
        *until("planned"),
        event_of("job", "job 12 submitted", "debug", {"job": "12", "memory_mb": 900}),
        event_of("pending", "job 12 waits: Resources", "info"),
    ]
    state = add_up(events)
    assert ("waiting", "job 12 waits: Resources") in list(notes(state, BEGUN))
    assert ("jobs", "1 submitted, 0 tasks started again") in list(notes(state, BEGUN))
    assert add_up([*events, *until("running")[1:]]).pending == ""


@given(st.lists(st.sampled_from(RECORDED), max_size=40), st.floats(0, 1e4))
def test_any_order_of_events_has_a_view(events, later):
    state = add_up([*until("planned"), *events])
    left = time_left(state, BEGUN + later)
    assert left is None or left >= 0
    assert 0 <= share_done(state, BEGUN + later) <= 1
    assert in_words(left)
    assert view(state, BEGUN + later).renderables


@given(st.integers(0, len(RECORDED)))
def test_the_share_that_is_done_never_shrinks(number):
    earlier, later = REPORTED[:number], REPORTED[: number + 1]
    shares = [share_done(add_up(heard), heard[-1].time if heard else BEGUN) for heard in (earlier, later)]
    assert shares[0] <= shares[1]


@pytest.mark.parametrize("share", [0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85])
def test_time_left_of_the_recorded_run_is_near_the_truth(share):
    now = BEGUN + share * (ENDED - BEGUN)
    heard = [event for event in RECORDED if event.time <= now]
    assert time_left(add_up(heard), now) == pytest.approx(ENDED - now, rel=0.3)


def test_events_of_unknown_kinds_change_nothing_but_the_last_words():
    state = advance(ProgressState(), event_of("novel", "something new"))
    assert replace(state, last="") == ProgressState()
    assert state.last == "something new"


def test_the_plan_of_a_run_is_small_in_its_log():
    assert len(json.dumps(RECORDED[0].data)) < 200 * len(RECORDED[0].data["tasks"])


def test_growth_of_cpu_time_is_remembered():
    state = add_up(until("running"))
    (name,) = (name for name, task in state.tasks.items() if task.state == RUNNING)
    for now, cpu, advanced in ((10.0, 1.0, 10.0), (20.0, 2.0, 20.0), (30.0, 2.0, 20.0)):
        state = with_cpu(state, {name: cpu}, now)
        assert (state.tasks[name].advanced, state.tasks[name].looked_at) == (advanced, now)
