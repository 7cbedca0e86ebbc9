"""Pictures and report at the end of a run: what goes wrong with them harms nothing else, and is reported."""

import pytest

from helpers.pretended_runs import copy_as_made
from hstmosaic.errors import AlignmentError, ExitCode
from hstmosaic.plan.plan import plan_from_json
from hstmosaic.products.manifest import read_manifest
from hstmosaic.products.run_record import read_record
from hstmosaic.run import ending, execution, pictures
from hstmosaic.run.driver import run_mosaic
from hstmosaic.run.options import RunOptions
from hstmosaic.store.events import EventLog
from hstmosaic.store.stage_events import Planned


@pytest.fixture(scope="module")
def exposures(simulated):
    return simulated.demo(200).list


@pytest.fixture(scope="module")
def pretended(exposures, tmp_path_factory):
    output = tmp_path_factory.mktemp("out")
    return run_mosaic(RunOptions(str(exposures), "foo", stub=True, output=output), lambda event: None)


@pytest.fixture
def directory(pretended, tmp_path):
    return copy_as_made(pretended, tmp_path)


def test_pictures_that_fail_are_a_warning(directory):
    events = []
    # a stub's product is no FITS file
    assert pictures.draw_pictures(directory, EventLog(events.append)) == []
    event = events[-1]
    assert (event.kind, event.level) == ("pictures", "warning")
    assert f"hstmosaic report {directory.path}" in event.message
    assert "Traceback" in event.data["details"]


def test_a_report_that_fails_is_a_warning(directory):
    directory.plan_file.write_text("{")
    events = []
    assert ending.report(directory, EventLog(events.append)) is None
    (event,) = events
    assert (event.kind, event.level) == ("report", "warning")
    assert "JSONDecodeError" in event.message


def test_the_exit_code_is_that_of_the_mosaics(exposures, tmp_path, monkeypatch):
    def broken(_):
        raise RuntimeError("no ink")

    monkeypatch.setattr(ending, "write_report", broken)
    events = []
    outcome = run_mosaic(RunOptions(str(exposures), "foo", stub=True, output=tmp_path), events.append)
    assert outcome.exit_code is ExitCode.OK
    (warning,) = [event.message for event in events if event.level == "warning"]
    assert "no ink" in warning


@pytest.mark.parametrize(
    ("error", "code", "sentence"),
    [
        (AlignmentError("no stars", "bring some"), 5, "bring some"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (ValueError("odd"), 1, "ValueError: odd"),
    ],
)
def test_a_run_that_is_stopped_has_a_report(exposures, tmp_path, monkeypatch, error, code, sentence):
    def stopped(work, options, events, client):
        work.directory.plan_file.write_text(work.plan.to_json())
        events.emit(Planned(), "as always")
        raise error

    monkeypatch.setattr(execution, "_make", stopped)
    with pytest.raises(type(error)):
        run_mosaic(RunOptions(str(exposures), "foo", skip_alignment=True, output=tmp_path), lambda event: None)
    assert sentence in (tmp_path / "foo_report.html").read_text()
    assert read_record(tmp_path / "foo_run").exit_code == code
    (failure,) = read_manifest(tmp_path / "foo_manifest.json").failures
    assert failure.cause in {"no stars", "the run was interrupted", "ValueError: odd"}


def test_the_command_is_in_the_run_log(pretended):
    record = read_record(pretended.directory)
    assert record.command.stub
    assert record.command.options == {"stub": True, "profile": "local"}
    assert plan_from_json((pretended.directory / "plan.json").read_text()) == pretended.plan


def test_a_stop_is_in_the_run_log_but_printed_once():
    events = []
    ending.emit_stop(AlignmentError("no stars", "bring some"), 5, EventLog(events.append))
    (event,) = events
    assert (event.level, event.data) == ("debug", {"exit_code": 5, "next_step": "bring some"})


def test_who_interrupts_does_not_wait_for_pictures(directory):
    events = []
    assert pictures.draw_pictures(directory, EventLog(events.append), KeyboardInterrupt()) == []
    assert events == []


def test_an_exposure_that_is_listed_twice_is_shown_as_used(exposures, tmp_path):
    names = exposures.read_text().split()
    inputs = [str(exposures.parent / name) for name in (*names, names[0])]
    outcome = run_mosaic(RunOptions(inputs, "foo", stub=True, output=tmp_path), lambda event: None)
    record = read_record(outcome.directory)
    assert [exclusion.reason for exclusion in record.left_out] == ["listed twice"]
    assert record.unused == frozenset()
    assert sorted(name for layer in record.plan.layers for name in record.used(layer)) == sorted(names)
