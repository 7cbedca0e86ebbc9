"""The driver: how the error that ends a run reaches its caller."""

import pytest

from hstmosaic.errors import AlignmentError, OutputError
from hstmosaic.run import execution
from hstmosaic.run.driver import run_mosaic
from hstmosaic.run.options import RunOptions
from hstmosaic.simulate import demo_field, simulate_field


@pytest.fixture(scope="module")
def exposures(tmp_path_factory):
    folder = tmp_path_factory.mktemp("exposures")
    simulate_field(demo_field(subarray=(256, 256), infrared=(256, 256)), folder)
    return folder / "list.txt"


def test_an_error_of_the_ending_does_not_hide_the_first_error(exposures, tmp_path, monkeypatch):
    def fail(progress, options, events, client):
        raise AlignmentError("no stars", "use another catalogue")

    def cannot_write(*args, **kwargs):
        raise OutputError("disk full", "free some space")

    monkeypatch.setattr(execution, "_make", fail)
    monkeypatch.setattr(execution, "end_run", cannot_write)
    events = []
    with pytest.raises(AlignmentError, match="no stars") as raised:
        run_mosaic(RunOptions(str(exposures), "foo", stub=True, output=tmp_path), events.append)
    assert any("disk full" in note for note in raised.value.__notes__)
    assert any("disk full" in event.message for event in events if event.level == "warning")
