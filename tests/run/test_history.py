"""What earlier runs measured improves the next estimates, and never makes memory dangerously low."""

import json
import logging
import multiprocessing
import stat
from dataclasses import asdict, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hstmosaic.plan.estimates import MODEL, Estimate, Learned
from hstmosaic.run import history as learning
from hstmosaic.run.history import (
    KEPT,
    MEMORY_BOUNDS,
    TIME_BOUNDS,
    VARIABLE,
    Record,
    add_records,
    learn,
    learned_for,
    learning_file,
    read_records,
)
from hstmosaic.store.events import EventLog
from hstmosaic.store.measured import Measured
from hstmosaic.store.worker_events import Ended

GROUP, HERE = "drizzle wfc3_ir", "local here"
RECORD = Record("run", HERE, GROUP, memory=0.9, time=2.0, pace=1.5)
ratios = st.floats(1e-3, 1e3)
records = st.builds(
    Record, st.sampled_from("ab"), st.sampled_from([HERE, "slurm"]), st.sampled_from([GROUP, "align"]),
    ratios, ratios, ratios, st.sampled_from([MODEL, MODEL + 1]),
)  # fmt: skip


def test_one_task_has_little_weight_and_many_nearly_all():
    few, many = (learn([RECORD] * n, HERE) for n in (1, 400))
    assert 1 < few.factors[GROUP].time < 1.25
    assert many.factors[GROUP].time == pytest.approx(2.0, rel=0.01)
    assert many.pace == pytest.approx(1.5, rel=0.01)
    assert (many.runs, many.tasks) == (1, 400)


def test_time_is_that_of_the_same_place_memory_that_of_any():
    elsewhere = [replace(RECORD, place="slurm", time=9.0, pace=9.0, memory=1.4)] * 50
    learned = learn([*elsewhere, RECORD], HERE)
    assert learned.factors[GROUP].time < 1.25
    assert learned.pace < 1.25
    assert learned.factors[GROUP].memory == pytest.approx(1.54)


def test_a_slow_task_among_many_changes_nothing():
    learned = learn([*[replace(RECORD, time=1.0)] * 20, replace(RECORD, time=50.0)], HERE)
    assert learned.factors[GROUP].time == 1.0


def test_one_task_that_took_more_memory_than_estimated_is_enough():
    assert learn([replace(RECORD, memory=1.5)], HERE).factors[GROUP].memory == pytest.approx(1.65)


@given(st.lists(records, max_size=30))
def test_factors_are_bounded_and_cover_most_tasks(some):
    learned = learn(some, HERE)
    assert TIME_BOUNDS[0] <= learned.pace <= TIME_BOUNDS[1]
    for group, factors in learned.factors.items():
        assert MEMORY_BOUNDS[0] <= factors.memory <= MEMORY_BOUNDS[1]
        assert TIME_BOUNDS[0] <= factors.time <= TIME_BOUNDS[1]
        members = [r.memory for r in some if r.group == group and r.model == MODEL]
        assert all(memory <= factors.memory for memory in members) or factors.memory == MEMORY_BOUNDS[1]


def test_measurements_of_another_model_teach_nothing():
    assert learn([replace(RECORD, model=MODEL + 1)], HERE) == Learned()


def test_the_file_is_bounded_and_forgets_the_oldest(tmp_path):
    path = tmp_path / "cache" / "measured.jsonl"
    add_records(path, [replace(RECORD, run="old")] * KEPT)
    add_records(path, [replace(RECORD, run="new")] * 3)
    found = [record.run for record in read_records(path)]
    assert len(found) == KEPT
    assert found[-4:] == ["old", "new", "new", "new"]
    assert path.stat().st_size < 2_000_000


@pytest.mark.parametrize(
    "line",
    [
        "",
        "{",
        "[]",
        '{"run": 1}',
        "\x00\xff",
        '{"run": "r", "place": "p", "group": "g", "memory": NaN}',
        "null",
        "[" * 100_000,
    ],
    ids=lambda line: line[:20],
)
def test_lines_that_cannot_be_understood_are_passed_over_with_a_note(tmp_path, caplog, line):
    path = tmp_path / "measured.jsonl"
    path.write_text(line + "\n" + json.dumps(asdict(RECORD)) + "\n" + json.dumps(asdict(RECORD))[:40])
    with caplog.at_level(logging.DEBUG, logger=learning.__name__):
        assert read_records(path) == [RECORD]
    assert "line 1" in caplog.text
    add_records(path, [RECORD])
    assert read_records(path) == [RECORD, RECORD]


def write_many(path, name):
    for _ in range(20):
        add_records(path, [replace(RECORD, run=name)])


def test_nothing_is_lost_where_several_runs_end_at_a_time(tmp_path):
    path = tmp_path / "measured.jsonl"
    fork = multiprocessing.get_context("spawn")
    writers = [fork.Process(target=write_many, args=(path, name)) for name in "abc"]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(120)
        assert writer.exitcode == 0
    found = [record.run for record in read_records(path)]
    assert sorted(found) == sorted("abc" * 20)


def test_a_cache_that_cannot_be_written_does_no_harm(tmp_path, caplog):
    (tmp_path / "file").touch()
    with caplog.at_level(logging.DEBUG, logger=learning.__name__):
        add_records(tmp_path / "file" / "measured.jsonl", [RECORD])
    assert "cannot be kept" in caplog.text


def test_where_measurements_are_kept(monkeypatch, tmp_path):
    monkeypatch.delenv(VARIABLE)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert learning_file() == tmp_path / "hstmosaic" / "measured.jsonl"
    monkeypatch.setenv(VARIABLE, str(tmp_path / "mine.jsonl"))
    assert learning_file() == tmp_path / "mine.jsonl"
    monkeypatch.setenv(VARIABLE, "off")
    assert learning_file() is None
    assert learned_for(HERE) == Learned()


def test_a_run_teaches_ratios_to_the_model(monkeypatch, tmp_path):
    monkeypatch.setenv(VARIABLE, str(tmp_path / "measured.jsonl"))
    estimates = {"drizzle-a": Estimate(1500, 30.0, 1, GROUP, memory_factor=1.5, time_factor=3.0)}
    events = EventLog()
    measured = Measured(wall_seconds=41.0, cpu_seconds=20.0, max_rss_mb=900.0, host="node", started=0.0)
    with learning.learning(estimates, HERE, events):
        events.emit(Ended("drizzle-a", ok=True, measured=measured), "")
        events.emit(Ended("drizzle-a", ok=False, measured=measured), "")
        events.emit(Ended("drizzle-a", ok=True, measured=None), "")
    (record,) = read_records(tmp_path / "measured.jsonl")
    assert (record.memory, record.time, record.pace) == (0.9, 2.0, 2.0)
    assert learned_for(HERE).tasks == 1
    assert learned_for(HERE, enabled=False) == Learned()


def test_what_is_learned_is_kept_where_only_the_user_writes(tmp_path):
    add_records(tmp_path / "cache" / "measured.jsonl", [RECORD])
    assert not (tmp_path / "cache" / "measured.jsonl").stat().st_mode & stat.S_IWOTH
    assert not [path for path in (tmp_path / "cache").iterdir() if path.suffix == ".part"]
