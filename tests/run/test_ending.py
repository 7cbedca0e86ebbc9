"""The end of a run: files in the output directory and the last events."""

from dataclasses import dataclass

import pytest

from hstmosaic.errors import AlignmentError, ExitCode
from hstmosaic.plan.build import make_plan
from hstmosaic.plan.names import json_manifest_name, provenance_name
from hstmosaic.products.gather import Gathered
from hstmosaic.products.manifest import Failure, read_manifest
from hstmosaic.products.provenance import read_provenance
from hstmosaic.run.ending import end_run
from hstmosaic.run.options import RunOptions, recorded_options
from hstmosaic.run.outcome import Outcome
from hstmosaic.store.events import Event, EventLog
from hstmosaic.store.files import sha256
from hstmosaic.store.run_directory import RunDirectory, run_directory
from hstmosaic.store.stage_events import FailureDigested, Finished, ReportWritten, Stopped

BROKEN = Failure("wfc3_ir_f160w", "OSError: Empty or corrupt FITS file", "/nowhere/log.txt")


@dataclass(frozen=True)
class Ending:
    directory: RunDirectory
    outcome: Outcome
    options: RunOptions
    events: list[Event]

    def end(self, **changes):
        """End the run, and return its last events without the notes of the report."""
        self.events.clear()
        end_run(Outcome(**vars(self.outcome) | changes), self.options, self.directory, EventLog(self.events.append))
        return [event.payload for event in self.events if not isinstance(event.payload, ReportWritten)]

    @property
    def manifest(self):
        return read_manifest(self.directory.output / json_manifest_name("foo"))


@pytest.fixture(scope="module")
def plan(simulated):
    return make_plan(str(simulated.three_cameras(200).list), prefix="foo")


@pytest.fixture
def ending(plan, tmp_path):
    directory = run_directory(tmp_path, plan.prefix)
    directory.create()
    directory.plan_file.write_text(plan.to_json())
    made = tmp_path / plan.layers[0].products[0].name
    made.write_bytes(b"made")
    product = Gathered(made.name, 4, sha256(made), kind="mosaic", layer=plan.layers[0].name)
    outcome = Outcome(plan, (product,), (), (), directory.path, 1.7e9, 1.7e9 + 60, {})
    return Ending(directory, outcome, RunOptions(plan.source, output=tmp_path, stub=True), [])


def test_a_good_end_lists_the_products_and_removes_earlier_failures(ending):
    ending.directory.failures_file.write_text("of an earlier start")
    assert ending.end() == [Finished(ExitCode.OK)]
    assert not ending.directory.failures_file.exists()
    assert ending.outcome.products[0] in ending.manifest.products
    recorded = read_provenance((ending.directory.output / provenance_name("foo")).read_text())
    assert recorded.options == recorded_options(ending.options)


def test_a_failed_layer_is_digested_before_the_end(ending):
    digested, finished = ending.end(failures=(BROKEN,))
    assert isinstance(digested, FailureDigested)
    assert (digested.layer, digested.log) == (BROKEN.layer, BROKEN.log)
    assert finished == Finished(ExitCode.LAYER_FAILED)
    assert digested.next_step in ending.directory.failures_file.read_text()
    assert ending.manifest.failures == (BROKEN,)


def test_an_error_keeps_the_products_of_earlier_starts(ending):
    ending.end()
    error = AlignmentError("no good fit", "give another catalogue")
    assert ending.end(products=(), error=error) == [Stopped(ExitCode.ALIGNMENT, "give another catalogue")]
    assert ending.outcome.products[0] in ending.manifest.products
    (failure,) = ending.manifest.failures
    assert (failure.layer, failure.cause) == (None, "no good fit")


def test_an_error_drops_products_that_are_gone(ending):
    ending.end()
    (ending.directory.output / ending.outcome.products[0].name).unlink()
    ending.end(products=(), error=AlignmentError("no good fit"))
    assert ending.outcome.products[0] not in ending.manifest.products


def test_a_report_that_cannot_be_written_is_a_warning(ending, monkeypatch):
    monkeypatch.setattr("hstmosaic.run.ending.write_report", lambda _: 1 / 0)
    ending.end()
    (warning,) = [event for event in ending.events if event.level == "warning"]
    assert warning.message.startswith("the report could not be written: ZeroDivisionError")
