"""Events of a run, and the listeners that receive them: the terminal, the run log."""

from __future__ import annotations

import json
import os
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hstmosaic.store.event_payloads import payload_from
from hstmosaic.store.payload import Payload, Unknown
from hstmosaic.store.stage_events import Fallback
from hstmosaic.store.worker_events import ListenerLost

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from hstmosaic.store.result_files import TaskWarning


@dataclass(frozen=True)
class Event:
    """An event of a run."""

    payload: Payload
    """Its data."""
    message: str
    """The same for people; one line, or several for a failure."""
    level: str = "info"
    """``debug``, ``info``, ``warning`` or ``error``."""
    time: float = field(default_factory=time.time)
    """Seconds since 1970."""

    @property
    def kind(self) -> str:
        """Kind of the event, an `EventKind` unless another version emitted it."""
        return self.payload.name if isinstance(self.payload, Unknown) else self.payload.kind

    @property
    def data(self) -> dict[str, Any]:
        """The data as the run log has them."""
        return self.payload.to_dict()


def is_milestone(done: int, total: int) -> bool:
    """Return whether to report progress: at every tenth of the total."""
    return done == total or (done % -(-total // 10) == 0 and total >= 10)


def report_warnings(name: str, warnings: Iterable[TaskWarning], events: EventLog) -> list[TaskWarning]:
    """Emit an event for each warning of a task.

    Parameters
    ----------
    name : str
        The layer or the exposure.
    warnings : iterable of TaskWarning
        From the result of the task.
    events : EventLog
        Receives the events.

    Returns
    -------
    list of TaskWarning
        Those that are errors under ``--strict``.
    """
    found = list(warnings)
    for warning in found:
        events.emit(Fallback(name, str(warning), warning.step), f"{name}: {warning}", "warning")
    return [warning for warning in found if warning.strict]


class EventLog:
    """Passes events to listeners.

    Parameters
    ----------
    listeners : callables
        Each is called with every `Event`, one at a time.
    """

    def __init__(self, *listeners: Callable[[Event], None]) -> None:
        self._listeners = list(listeners)
        self._lock = threading.RLock()

    def add_listener(self, listener: Callable[[Event], None]) -> None:
        """Add a listener."""
        self._listeners.append(listener)

    def emit(self, payload: Payload, message: str, level: str = "info") -> None:
        """Emit one event; see `Event` for the arguments."""
        event = Event(payload, message, level)
        with self._lock:
            for listener in list(self._listeners):
                try:
                    listener(event)
                except OSError as error:  # a full disk: the other listeners still receive the event
                    self._listeners.remove(listener)
                    words = f"the run log or the terminal cannot be written any more: {error}"
                    self.emit(ListenerLost(), words, "error")


def event_line(event: Event) -> str:
    """Return an event as one line of JSON."""
    line = {"time": round(event.time, 3), "kind": event.kind, "level": event.level, "message": event.message}
    return json.dumps(line | event.data)


def event_from_line(line: str | bytes) -> Event:
    """Return the event of a line that `event_line` made."""
    raw = json.loads(line)
    time_, kind, level, message = (raw.pop(key) for key in ("time", "kind", "level", "message"))
    return Event(payload_from(kind, raw), message, level, time_)


def log_to(path: Path) -> Callable[[Event], None]:
    """Return a listener that appends events to a file, one JSON object a line."""

    def listener(event: Event) -> None:
        with path.open("a+b") as log:
            if log.seek(0, os.SEEK_END):
                log.seek(-1, os.SEEK_END)
                if log.read() != b"\n":
                    log.write(b"\n")  # the last writer was killed, or the disk was full
            log.write(event_line(event).encode() + b"\n")

    return listener
