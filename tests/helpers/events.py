"""Events as the run log has them."""

import time as clock

from hstmosaic.store.event_payloads import payload_from
from hstmosaic.store.events import Event


def event_of(kind, message="", level="info", data=None, time=None):
    """Return the event of a kind and its data, as a line of the run log gives them."""
    return Event(payload_from(kind, data or {}), message, level, clock.time() if time is None else time)
