"""Warnings of tasks keep their type on disk and become events."""

from hstmosaic.store.events import EventLog, report_warnings
from hstmosaic.store.payload import EventKind
from hstmosaic.store.result_files import TaskResult, TaskWarning, read_result, write_result

GRAVE = TaskWarning("sky matching", "sky matching failed")
REMARK = TaskWarning("sky matching", "skies were matched within 2 groups", strict=False)


def test_a_result_keeps_its_warnings(tmp_path):
    write_result(tmp_path, TaskResult(ok=True, warnings=(GRAVE, REMARK)))
    assert read_result(tmp_path).warnings == (GRAVE, REMARK)


def test_each_warning_is_an_event_and_some_are_errors_under_strict():
    events = []
    assert report_warnings("wfc3_uvis_f606w", (GRAVE, REMARK), EventLog(events.append)) == [GRAVE]
    assert [(event.kind, event.level, event.message) for event in events] == [
        (EventKind.FALLBACK, "warning", "wfc3_uvis_f606w: sky matching failed"),
        (EventKind.FALLBACK, "warning", "wfc3_uvis_f606w: skies were matched within 2 groups"),
    ]
