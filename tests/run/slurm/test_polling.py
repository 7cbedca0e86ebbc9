"""What is asked of a Slurm that does not answer, and what the user hears of it."""

from hstmosaic.run.slurm import polling as slurm_questions
from hstmosaic.run.slurm.answers import SlurmSilentError
from hstmosaic.run.slurm.polling import Questions
from hstmosaic.store.events import EventLog


def silent(name, *, seconds):
    raise SlurmSilentError(f"{name} has not answered within {seconds:g} s")


def answered(name, *, seconds):
    return "here it is"


def test_who_does_not_answer_is_let_alone_for_a_while():
    asked = []

    def question(name, *, seconds):
        asked.append(seconds)
        return silent(name, seconds=seconds)

    questions = Questions(EventLog())
    assert [questions.ask(question, "squeue") for _ in range(5)] == [None] * 5
    # the pool's only thread stands still meanwhile
    assert asked == [10.0]


def test_the_first_silence_and_its_end_are_told(monkeypatch):
    monkeypatch.setattr(slurm_questions, "_LONGEST_PAUSE", 0.0)
    monkeypatch.setattr(slurm_questions, "_FIRST_PAUSE", -1.0)
    events = []
    questions = Questions(EventLog(events.append))
    for question in (answered, silent, silent, answered, answered, silent):
        assert questions.ask(question, "squeue") == (None if question is silent else "here it is")
    levels = ["warning", "debug", "info", "warning"]
    assert [(event.kind, event.level) for event in events] == list(
        zip(["silent", "silent", "answers", "silent"], levels, strict=True)
    )
    assert "squeue has not answered within 10 s" in events[0].message
