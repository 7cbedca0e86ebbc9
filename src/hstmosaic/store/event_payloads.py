"""Reader of the data of events in the run log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hstmosaic.store import alignment_events, stage_events, worker_events
from hstmosaic.store.payload import Payload, Unknown

if TYPE_CHECKING:
    from collections.abc import Mapping

_MODULES = (stage_events, alignment_events, worker_events)


def payload_from(kind: str, data: Mapping[str, Any]) -> Payload:
    """Return the payload of a line of the run log.

    Parameters
    ----------
    kind : str
        Kind of the event.
    data : mapping
        Its other fields.

    Returns
    -------
    Payload
        `Unknown` if no shape of the kind fits the data.
    """
    for shape in _SHAPES.get(kind, ()):
        try:
            return shape.from_dict(data)
        except (KeyError, TypeError, AttributeError):
            continue
    return Unknown(kind, dict(data))


def payload_shapes() -> dict[str, list[type[Payload]]]:
    """Return the shapes of each kind of event; the one with most fields comes first."""
    found: dict[str, list[type[Payload]]] = {}
    for shape in (item for module in _MODULES for item in vars(module).values()):
        if isinstance(shape, type) and issubclass(shape, Payload) and "kind" in vars(shape):
            found.setdefault(shape.kind, []).append(shape)
    return {kind: sorted(shapes, key=lambda shape: -len(shape.names())) for kind, shapes in found.items()}


_SHAPES = payload_shapes()
