"""Boxes: the rectangles of a mosaic that one task each drizzles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hstmosaic.store.task_names import drizzle_task

if TYPE_CHECKING:
    from hstmosaic.plan.layers import Layer
    from hstmosaic.plan.limits import Limits


@dataclass(frozen=True)
class Box:
    """A rectangle of a layer's mosaics that one task drizzles."""

    layer: str
    """Name of the layer."""
    limits: Limits
    """Its limits, fine pixels of the projection cell."""
    number: int = 0
    """Number among the boxes of its layer, from 0."""
    count: int = 1
    """Number of boxes of its layer."""

    @property
    def task(self) -> str:
        """Name of the task that drizzles it."""
        return drizzle_task(self.layer, self.number, self.count)


def boxes_of(layer: Layer, limits: Limits) -> tuple[Box, ...]:
    """Divide the mosaics of a layer into boxes: one for now.

    Parameters
    ----------
    layer : Layer
        The layer.
    limits : Limits
        The part of the mosaics that holds data.
    """
    return (Box(layer.name, limits),)
