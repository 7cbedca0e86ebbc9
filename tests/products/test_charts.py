"""Charts: bars that do not overlap, offsets where they belong."""

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hstmosaic.products.charts import SIDE, TaskBar, duration, memory_bars, nice_step, plane, time_ticks, timeline


def bar(name, started, seconds, worker="a", memory=100.0, requested=None):
    return TaskBar(name, name.split("-")[0], started, seconds, worker, memory, requested)


@given(
    st.lists(
        st.tuples(st.floats(0, 1000), st.floats(0.2, 300), st.sampled_from(["a", "b", "c"])), min_size=1, max_size=40
    )
)
def test_bars_of_a_lane_do_not_overlap_and_no_lane_is_wasted(given_tasks):
    tasks = [bar(f"screen-{k}", *task) for k, task in enumerate(given_tasks)]
    end = max(task.started + task.seconds for task in tasks)
    made = timeline(tasks, 0, end)
    assert sorted(task.name for task, *_ in made.bars) == sorted(task.name for task in tasks)
    for lane in range(len(made.lanes)):
        bars = sorted((left, left + width, task.worker) for task, row, left, width in made.bars if row == lane)
        assert len({worker for *_, worker in bars}) == 1
        assert all(after[0] >= before[1] - 6 / end for before, after in pairwise(bars))
    for worker in {task.worker for task in tasks}:
        mine = [task for task in tasks if task.worker == worker]
        at_a_time = max(sum(t.started <= s.started < t.started + t.seconds for t in mine) for s in mine)
        lanes = {row for task, row, *_ in made.bars if task.worker == worker}
        assert len(lanes) <= at_a_time
    for task, _, left, width in made.bars:
        assert left == pytest.approx(100 * task.started / end)
        assert left + width <= 100 + 1e-9


@given(st.floats(0.5, 30 * 86400))
def test_ticks_are_few_and_within(span):
    ticks = time_ticks(span)
    assert ticks[0] == 0
    assert ticks[-1] <= span
    assert len(ticks) <= 8


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.25, "0.25 s"), (59, "59 s"), (60, "1 min"), (61, "1 min 01 s"), (3600, "1 h"), (7265, "2 h 01 min")],
)
def test_times_are_written_for_people(seconds, words):
    assert duration(seconds) == words


@given(st.floats(1e-3, 1e6))
def test_steps_are_round_and_two_to_four_reach_far(far):
    step = nice_step(far)
    assert step / 10 ** math.floor(math.log10(step)) == pytest.approx(
        min((1, 2.5, 5), key=lambda round_: abs(step / 10 ** math.floor(math.log10(step)) - round_))
    )
    assert 1 <= far / step <= 3 + 1e-9


def test_east_is_left_and_north_is_up():
    made = plane([(10.0, 0.0, "l", "east"), (0.0, 10.0, "l", "north"), (0.0, 0.0, "l", "middle")], rms=5.0)
    places = {words: (x, y) for x, y, _, words in made.points}
    assert places["middle"] == (SIDE / 2, SIDE / 2)
    assert places["east"][0] < SIDE / 2
    assert places["north"][1] < SIDE / 2
    assert made.radius == pytest.approx((SIDE / 2 - places["east"][0]) / 2)


def test_there_are_never_too_many_points():
    assert len(plane([(float(k), 0.0, "l", "") for k in range(100_000)]).points) <= 3000


def test_memory_is_shown_by_layer_and_by_the_largest_of_other_tasks():
    tasks = [
        bar("screen-a", 0, 1, memory=100.0, requested=300),
        bar("screen-b", 0, 1, memory=200.0, requested=400),
        bar("drizzle-x", 0, 1, memory=900.0, requested=1000),
    ]
    made = [(b.label, b.asked_mb, b.used_mb) for b in memory_bars(tasks, {"drizzle-x": "WFC3/IR X"})]
    assert made == [("screening, largest of 2", 400, 200.0), ("WFC3/IR X", 1000, 900.0)]
