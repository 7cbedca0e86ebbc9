"""Events: their shapes, and how the run log keeps them."""

import json

import pytest

from hstmosaic.store.alignment_events import NotAligned
from hstmosaic.store.event_payloads import payload_from, payload_shapes
from hstmosaic.store.events import Event, EventLog, event_from_line, event_line
from hstmosaic.store.measured import Measured
from hstmosaic.store.payload import CommandRecord, EventKind, Unknown
from hstmosaic.store.pixel_repair import PixelRepair
from hstmosaic.store.stage_events import HeaderRejected, Planned, Repaired, ScreeningRejected
from hstmosaic.store.worker_events import Ended, MemoryLimit, RunsAlone

MEASURED = Measured(wall_seconds=2.0, cpu_seconds=1.5, max_rss_mb=300.0, host="node1", started=17.0, job="3")
EXAMPLES = [
    Planned(
        CommandRecord("hstmosaic run"), {"align": (3.0, 500, "align")}, {"wfc3_ir_f160w": ["a_flt.fits"]}, 1.2, 4.0
    ),
    Ended("align", ok=True, measured=MEASURED),
    Ended("align", ok=False, measured=None),
    Repaired("a_flt.fits", PixelRepair({"SCI,1": 3}, ("DQ,1",), ())),
    ScreeningRejected("a_flt.fits", None, "guiding", crashed=False),
    HeaderRejected(),
    RunsAlone("machine", 900, "drizzle-x"),
    MemoryLimit("machine", 900, 4, 2),
    NotAligned("no stars"),
]


@pytest.mark.parametrize("payload", EXAMPLES, ids=lambda payload: type(payload).__name__)
def test_a_payload_survives_the_run_log(payload):
    event = Event(payload, "words", "debug", 5.0)
    assert event_from_line(event_line(event)) == event


def test_data_stand_next_to_kind_and_message_in_a_line():
    line = json.loads(event_line(Event(RunsAlone("machine", 900, "drizzle-x"), "words", time=5.0)))
    assert line == {
        "time": 5.0,
        "kind": "memory limit",
        "level": "info",
        "message": "words",
        "limit": "machine",
        "memory_mb": 900,
        "task": "drizzle-x",
    }


def test_every_kind_has_a_shape():
    assert set(payload_shapes()) == set(EventKind)


@pytest.mark.parametrize(("kind", "data"), [("novel", {"x": 1}), ("ended", {"ok": True})])
def test_events_of_other_versions_are_kept_as_they_are(kind, data):
    payload = payload_from(kind, data)
    assert payload == Unknown(kind, data)
    event = Event(payload, "words", time=5.0)
    assert (event.kind, event.data) == (kind, data)
    assert event_from_line(event_line(event)) == event


def test_new_fields_of_later_versions_are_ignored():
    assert payload_from("not aligned", {"cause": "no stars", "colour": "red"}) == NotAligned("no stars")


def test_a_listener_that_cannot_write_is_removed_and_reported():
    heard = []

    def full(event):
        raise OSError("disk full")

    events = EventLog(full, heard.append)
    events.emit(HeaderRejected(), "words", "warning")
    events.emit(HeaderRejected(), "more", "warning")
    assert [event.kind for event in heard] == ["listener lost", "left out", "left out"]
    assert "disk full" in heard[0].message
