"""The time left: never negative, nothing at the end, and what a schedule over the workers gives."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hstmosaic.monitor.eta import in_words, stalled, time_left
from hstmosaic.monitor.share import progress_words
from hstmosaic.monitor.state import DONE, RUNNING, WAITING, ProgressState, Task

NOW = 1000.0


def run_of(*tasks, slots=2, memory_mb=10_000, **more):
    return ProgressState(
        tasks={f"drizzle-{i}": task for i, task in enumerate(tasks)}, slots=slots, memory_mb=memory_mb, **more
    )


def waiting(seconds, memory_mb=100, after=()):
    return Task(seconds, memory_mb, "drizzle x", after)


def done(estimated, took, cpu=None, group="drizzle x"):
    cpu = took if cpu is None else cpu
    return Task(estimated, 100, group, state=DONE, started=NOW - took, took=took, cpu=cpu)


@pytest.mark.parametrize(
    ("tasks", "slots", "left"),
    [
        ([waiting(10), waiting(10), waiting(10)], 1, 30),
        ([waiting(10), waiting(10), waiting(10)], 2, 20),
        ([waiting(5), waiting(5), waiting(10)], 2, 10),  # longest first
        ([waiting(10), waiting(10)], 8, 10),
    ],
)
def test_the_longest_start_first_on_as_many_places_as_there_are(tasks, slots, left):
    assert time_left(run_of(*tasks, slots=slots), NOW) == pytest.approx(left)


def test_memory_keeps_tasks_from_running_side_by_side():
    assert time_left(run_of(waiting(10, 6000), waiting(10, 6000), slots=4), NOW) == pytest.approx(20)
    assert time_left(run_of(waiting(10, 60_000), slots=4), NOW) == pytest.approx(10)


def test_what_must_come_first_comes_first():
    state = run_of(
        waiting(10), waiting(10, after=("drizzle-0",)), waiting(1, after=("drizzle-0", "drizzle-1")), slots=4
    )
    assert time_left(state, NOW) == pytest.approx(21)


def test_a_running_task_has_done_a_part_already():
    running = replace(waiting(10), state=RUNNING, started=NOW - 4)
    assert time_left(run_of(running), NOW) == pytest.approx(6)
    assert time_left(run_of(running), NOW + 100) == pytest.approx(10.4)


def test_a_slow_task_raises_the_estimates_of_others():
    late = replace(waiting(10), state=RUNNING, started=NOW - 100)
    assert time_left(run_of(done(1, 1), late, waiting(10), slots=1), NOW) == pytest.approx(10 + 100, rel=0.05)


def test_cpu_time_shows_progress_of_a_task_and_load():
    half = replace(waiting(100), state=RUNNING, started=NOW - 200, cpu=50.0, looked_at=NOW, advanced=NOW)
    recent = {"slots": 1, "recent": (200.0, 50.0)}
    assert time_left(run_of(half, **recent), NOW) == pytest.approx(200, rel=0.03)
    assert time_left(run_of(half, **recent), NOW + 20) == pytest.approx(180, rel=0.03)
    assert time_left(run_of(half, waiting(100), **recent), NOW) == pytest.approx(600, rel=0.03)


def test_the_pictures_come_last():
    assert time_left(run_of(waiting(10), pictures_seconds=4.0), NOW) == pytest.approx(14)
    assert time_left(run_of(done(10, 10), pictures_seconds=4.0), NOW) == 4.0
    assert time_left(run_of(done(10, 10), pictures_seconds=4.0, drawing_since=NOW - 3), NOW) == 1.0
    assert time_left(run_of(done(10, 10), pictures_seconds=4.0, drawing_since=NOW - 3, ended=NOW), NOW) == 0.0


def test_the_import_of_drizzlepac_is_not_taken_for_a_slow_machine():
    first = replace(waiting(1), state=RUNNING, started=NOW - 20)
    assert time_left(run_of(first, waiting(100), slots=1), NOW) == pytest.approx(102)


def test_what_was_measured_long_ago_counts_less():
    ago = [replace(task, started=NOW - 1000) for task in [done(10, 30, cpu=10)] * 5]
    state = run_of(*ago, *[done(10, 10)] * 5, waiting(100), slots=1, begun=NOW - 1000)
    assert time_left(state, NOW) < 140


def test_finished_tasks_predict_the_speed_of_others():
    """Twice the CPU time of the model, as the machine is slow; half of it again in wall time, as it is busy."""
    slow = run_of(*[done(100, 200)] * 5, waiting(100), slots=1)
    assert time_left(slow, NOW) == pytest.approx(200, rel=0.02)
    busy = run_of(*[done(100, 150, cpu=100)] * 5, waiting(100), slots=1)
    assert time_left(busy, NOW) == pytest.approx(150, rel=0.02)
    both = run_of(*[done(100, 300, cpu=200)] * 5, waiting(100), slots=1)
    assert time_left(both, NOW) == pytest.approx(300, rel=0.02)


def test_load_affects_all_kinds():
    others = [done(1, 2, cpu=1, group="screen x")] * 20
    assert time_left(run_of(*others, waiting(100), slots=1), NOW) == pytest.approx(200, rel=0.05)


@pytest.mark.parametrize("factor", [1 / 3, 3])
def test_the_speed_of_the_machine_affects_all_kinds_and_the_pictures(factor):
    others = [done(10, 10 * factor, group="screen x")] * 4
    state = run_of(*others, waiting(100), slots=1, pictures_seconds=10.0)
    assert time_left(state, NOW) == pytest.approx(110 * factor, rel=0.07)
    drawing = run_of(*others, slots=1, pictures_seconds=10.0, drawing_since=NOW - factor)
    assert time_left(drawing, NOW) == pytest.approx(9 * factor, rel=0.07)


def test_a_wrong_estimate_of_one_kind_changes_others_little_once_they_are_known():
    wrong = [done(10, 30, group="screen x")] * 20
    right = [done(100, 100)] * 3
    assert time_left(run_of(*wrong, *right, waiting(100), slots=1), NOW) == pytest.approx(100, rel=0.15)


def test_a_few_small_tasks_show_little():
    small = [done(0.1, 0.4, group="screen x")] * 2
    assert time_left(run_of(*small, waiting(100), slots=1), NOW) < 300


def test_running_tasks_that_exceed_their_estimates_show_a_slow_machine():
    """While nothing has ended yet, by the CPU time that they have used."""
    late = replace(waiting(10), state=RUNNING, started=NOW - 25, cpu=25.0, looked_at=NOW, advanced=NOW)
    assert time_left(run_of(late, late, waiting(10)), NOW) > 20


def test_what_estimates_reckon_with_is_not_counted_twice():
    """Estimates that earlier runs have taught that the machine is busy are right, if it is as busy as then."""
    state = run_of(*[done(150, 150, cpu=100)] * 5, waiting(150), slots=1, pace=1.5)
    assert time_left(state, NOW) == pytest.approx(150, rel=0.02)


def test_tasks_that_only_pretend_are_no_sign_of_a_busy_machine():
    state = run_of(*[done(1, 1, cpu=0.01)] * 20, *[waiting(1)] * 4, slots=2)
    assert time_left(state, NOW) == pytest.approx(2, rel=0.05)


def test_time_is_unknown_before_the_plan_and_workers():
    assert time_left(ProgressState(), NOW) is None
    assert time_left(run_of(waiting(10), slots=0), NOW) is None


def test_nothing_is_left_at_the_end():
    assert time_left(run_of(done(10, 10)), NOW) == 0.0
    assert time_left(run_of(waiting(10), ended=NOW), NOW) == 0.0


tasks = st.builds(
    Task,
    seconds=st.floats(0, 1e5),
    memory_mb=st.integers(1, 50_000),
    group=st.sampled_from(["screen a", "drizzle b"]),
    state=st.sampled_from([WAITING, RUNNING, DONE]),
    started=st.floats(NOW - 60, 2 * NOW),  # none is stalled
    advanced=st.just(NOW),
    took=st.none() | st.floats(0, 1e5),
    cpu=st.none() | st.floats(0, 1e5),
)


@given(st.lists(tasks, max_size=12), st.integers(1, 5), st.integers(0, 50_000))
def test_time_left_is_positive_and_shrinks_with_slots(some, slots, memory_mb):
    some = [replace(task, after=tuple(f"drizzle-{j}" for j in range(i) if (i + j) % 3)) for i, task in enumerate(some)]
    left = time_left(run_of(*some, slots=slots, memory_mb=memory_mb), NOW)
    if not some:
        assert left is None
        return
    assert left >= 0
    assert left <= time_left(run_of(*some, slots=1, memory_mb=memory_mb), NOW) * (1 + 1e-9)
    assert left == 0 or any(not task.over for task in some)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (None, "time left unknown"),
        (0.0, "about 0 s left"),
        (0.2, "about 1 s left"),
        (61.0, "about 61 s left"),
        (600.0, "about 10 min left"),
        (7300.0, "about 2 h 2 min left"),
    ],
)
def test_in_words(seconds, words):
    assert in_words(seconds) == words


def test_a_stopped_task_promises_no_time():
    """Its CPU time, as of a process that got SIGSTOP, does not grow; or nobody can see it, as on another node."""
    stopped = replace(waiting(10), state=RUNNING, started=NOW - 300, cpu=9.0, looked_at=NOW, advanced=NOW - 280)
    assert stalled(run_of(stopped), NOW) == ["drizzle-0"]
    assert time_left(run_of(stopped), NOW) is None
    slow = replace(stopped, advanced=NOW - 10)
    assert stalled(run_of(slow), NOW) == []
    assert time_left(run_of(slow), NOW) is not None
    unseen = replace(waiting(2), state=RUNNING, started=NOW - 100)
    assert time_left(run_of(unseen), NOW) is None
    assert time_left(run_of(done(1, 1), pictures_seconds=2.0, drawing_since=NOW - 100), NOW) is None
    assert stalled(run_of(stopped, ended=NOW), NOW) == []


def test_words_promise_no_end_while_a_task_is_stalled():
    stopped = replace(waiting(0.1), state=RUNNING, started=NOW - 300)
    nearly = run_of(*[done(100, 100)] * 10, stopped)
    assert progress_words(nearly, NOW) == "99 % done, time left unknown: drizzle-10 does not advance"
    two = run_of(*[done(100, 100)] * 10, stopped, stopped)
    assert progress_words(two, NOW).endswith("drizzle-10 and 1 more do not advance")
    assert progress_words(nearly, NOW - 299) == "99 % done, about 1 s left"
