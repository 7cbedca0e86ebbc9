"""Boxes: the parts of a layer's mosaics that one task each drizzles."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from hstmosaic.plan.estimates import box_pixels

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hstmosaic.plan.layers import Layer

TASK_MEMORY_MB = 2000
"""Memory to which boxes are limited by default, 10^6 bytes."""


@dataclass(frozen=True)
class Division:
    """Limits by which layers are divided into boxes."""

    workers: int = 1
    """Tasks at a time."""
    memory_mb: int = TASK_MEMORY_MB
    """Memory of a task that drizzles a box, 10^6 bytes."""
    least_seconds: float = 5.0
    """Estimated drizzling time below which another box costs more than it gains."""
    whole_layers: bool = False
    """True if drizzlepac drizzles every layer in one call."""


ONE_WORKER = Division()


def divide_layers(layers: Sequence[Layer], division: Division) -> tuple[Layer, ...]:
    """Return layers with the number of their boxes.

    A layer has as many boxes as its largest mosaic needs to be drizzled in the memory of a task, or as it can keep
    workers busy: its share of them by estimated time.

    Parameters
    ----------
    layers : sequence of Layer
        All layers of a run.
    division : Division
        The limits.
    """
    total = sum(layer.estimate.seconds for layer in layers)
    return tuple(replace(layer, boxes=_count(layer, total, division)) for layer in layers)


def _count(layer: Layer, total: float, division: Division) -> int:
    if division.whole_layers or not layer.divisible:
        return 1
    largest = max(math.prod(product.grid.shape) for product in layer.products)
    needed = math.ceil(layer.touched * largest / box_pixels(division.memory_mb))
    share = math.ceil(division.workers * layer.estimate.seconds / total) if total else 1
    return max(needed, min(share, int(layer.box_seconds // division.least_seconds)), 1)
