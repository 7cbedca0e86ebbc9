"""Queries of a Slurm that fails to answer, and the events about it."""

from hstmosaic.run.slurm.answers import SlurmCommandError
from hstmosaic.run.slurm.polling import SlurmQueries, Timing
from hstmosaic.store.events import EventLog


class Slurm:
    """Answers queries or fails, by a clock that a test sets."""

    def __init__(self):
        self.now, self.up, self.timeouts = 100.0, True, []

    def query(self, name, *, seconds):
        self.timeouts.append(seconds)
        if not self.up:
            raise SlurmCommandError(f"{name} did not answer within {seconds:g} s")
        return "answer"


def test_a_failed_query_is_followed_by_a_pause():
    slurm = Slurm()
    slurm.up = False
    queries = SlurmQueries(EventLog(), Timing(query=7.0), lambda: slurm.now)
    assert [queries.call(slurm.query, "squeue") for _ in range(5)] == [None] * 5
    assert slurm.timeouts == [7.0]


def test_pauses_double_up_to_the_longest():
    slurm = Slurm()
    slurm.up = False
    queries = SlurmQueries(EventLog(), Timing(first_pause=10, longest_pause=30), lambda: slurm.now)
    polls = []
    for second in range(100):
        slurm.now, before = float(second), len(slurm.timeouts)
        queries.call(slurm.query, "squeue")
        if len(slurm.timeouts) > before:
            polls.append(second)
    assert polls == [0, 10, 30, 60, 90]


def test_begin_and_end_of_failures_are_reported_once():
    slurm, events = Slurm(), []
    queries = SlurmQueries(EventLog(events.append), Timing(), lambda: slurm.now)
    for up in (True, False, False, True, True, False):
        slurm.up = up
        slurm.now += 100
        assert queries.call(slurm.query, "squeue") == ("answer" if up else None)
    assert [(event.kind, event.level) for event in events] == [
        ("silent", "warning"),
        ("silent", "debug"),
        ("answers", "info"),
        ("silent", "warning"),
    ]
    assert "squeue did not answer within 10 s" in events[0].message
