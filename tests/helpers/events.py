"""Events as the run log has them."""

import time as clock
from dataclasses import replace

from hstmosaic.monitor.reducer import advance, with_cpu
from hstmosaic.monitor.share import progress_report, share_done
from hstmosaic.monitor.state import ProgressState
from hstmosaic.store.event_payloads import payload_from
from hstmosaic.store.events import Event


def event_of(kind, message="", level="info", data=None, time=None):
    """Return the event of a kind and its data, as a line of the run log gives them."""
    return Event(payload_from(kind, data or {}), message, level, clock.time() if time is None else time)


def reported_again(events):
    """Yield the events of a recorded run, with the progress that this version reports at the same times."""
    state = ProgressState()
    for event in events:
        if event.kind == "progress" and state.tasks:
            cpu = event.payload.cpu
            report = progress_report(with_cpu(state, cpu, event.time), cpu, event.time)
            state = advance(state, replace(event, payload=report))
            yield replace(event, payload=report)
        else:
            state = advance(state, event)
            yield event


def shares_shown(events, steps):
    """Yield times since the plan as fractions of the wall time, and the shares that a viewer shows then."""
    start = next(number for number, event in enumerate(events) if event.kind == "planned")
    ended = next(event.time for event in reversed(events) if event.kind == "finished")
    begun, state, number = events[start].time, ProgressState(), start
    for step in range(steps + 1):
        now = begun + (ended - begun) * step / steps
        while number < len(events) and events[number].time <= now:
            state, number = advance(state, events[number]), number + 1
        yield step / steps, share_done(state, now)
