"""Regular events about progress and time remaining."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from hstmosaic.monitor.eta import stalled
from hstmosaic.monitor.reducer import advance, with_cpu
from hstmosaic.monitor.share import progress_report, progress_words
from hstmosaic.monitor.state import ProgressState
from hstmosaic.run.node.zygote import cpu_of_tasks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hstmosaic.store.events import Event, EventLog

_SHORTEST, _LONGEST = 1.0, 10.0
_PART = 1 / 20
"""Time between two reports as a part of that of the run so far."""
_QUIET_SECONDS = 60.0
"""Shortest time before the first printed line and between two of them."""
_MILESTONES = 4


def interval(elapsed: float) -> float:
    """Return the time until the next report of a run, seconds, by how long it has gone on."""
    return min(max(_PART * elapsed, _SHORTEST), _LONGEST)


class Heartbeat:
    """Derives the progress from events, and emits it on request."""

    def __init__(self, events: EventLog) -> None:
        self.events, self.state = events, ProgressState()
        self._milestone, self._printed = 0, time.monotonic()
        self._stalled = False

    def __call__(self, event: Event) -> None:
        """Update the progress."""
        self.state = advance(self.state, event)

    def beat(self, now: float) -> None:
        """Emit the progress; it is printed only at quarters of a long run, and when the run stalls or resumes."""
        if not self.state.tasks:
            return
        cpu = cpu_of_tasks()
        state = with_cpu(self.state, cpu, now)  # the listener itself gets them later
        progress = progress_report(state, cpu, now)
        milestone = int(_MILESTONES * progress.share)
        is_stalled = bool(stalled(state, now))
        # a printed time that no longer holds is corrected
        news = milestone > self._milestone or is_stalled != self._stalled
        printed = news and time.monotonic() - self._printed > _QUIET_SECONDS
        if printed:
            self._milestone, self._printed, self._stalled = milestone, time.monotonic(), is_stalled
        self.events.emit(progress, progress_words(state, now), "info" if printed else "debug")


@contextmanager
def heartbeat(events: EventLog) -> Iterator[None]:
    """Emit progress from a separate thread: often at first, then every ten seconds."""
    heart, over, begun = Heartbeat(events), threading.Event(), time.monotonic()
    events.add_listener(heart)

    def work() -> None:
        while not over.wait(interval(time.monotonic() - begun)):
            heart.beat(time.time())

    thread = threading.Thread(target=work, daemon=True, name="heartbeat")
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
