"""What a task will need, from headers alone: memory, time, disk."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hstmosaic.plan.exposures import Exposure
    from hstmosaic.plan.limits import Grid

_MB = 1_000_000
BASE_MEMORY_MB = 600
"""Python with drizzlepac, one exposure and its working arrays."""
BYTES_PER_PIXEL = 26
"""Peak of drizzlepac's S_REGION step per output pixel of the fine grid."""
_SCREEN_BASE_MB = 300
_SCREEN_BYTES_PER_PIXEL = 40
_START_S = 2.0
_KERNEL_PIXELS_PER_S = 2.6e6
_FOOTPRINT_S_PER_MEGAPIXEL = 0.25
_SCREEN_S_PER_MEGAPIXEL = 0.2


@dataclass(frozen=True)
class Estimate:
    """Resources of one task on one core."""

    memory_mb: int
    """Peak resident memory of the task's processes, 10^6 bytes."""
    seconds: float
    """Wall time."""
    disk_mb: int
    """Space for working copies and products, 10^6 bytes."""


def estimate_screen(exposure: Exposure) -> Estimate:
    """Estimate the screening of one exposure.

    Parameters
    ----------
    exposure : Exposure
        With its chips.
    """
    first_chip = exposure.chips[0].shape[0] * exposure.chips[0].shape[1]
    return Estimate(
        memory_mb=round(_SCREEN_BASE_MB + _SCREEN_BYTES_PER_PIXEL * first_chip / _MB),
        seconds=round(0.3 + _SCREEN_S_PER_MEGAPIXEL * first_chip / 1e6, 1),
        disk_mb=1,
    )


def estimate_drizzle(exposures: Sequence[Exposure], grids: Sequence[Grid]) -> Estimate:
    """Estimate the drizzling of one layer.

    Parameters
    ----------
    exposures : sequence of Exposure
        The exposures of the layer, with their chips.
    grids : sequence of Grid
        The grids of its products.

    Returns
    -------
    Estimate
        About 0.6 GB + 26 bytes per pixel of the largest product; time from the drizzle kernel's speed and the size of
        the footprint arrays.
    """
    output = [grid.shape[0] * grid.shape[1] for grid in grids]
    detector = sum(chip.shape[0] * chip.shape[1] for exposure in exposures for chip in exposure.chips)
    seconds = _START_S + len(grids) * detector / _KERNEL_PIXELS_PER_S + _FOOTPRINT_S_PER_MEGAPIXEL * sum(output) / 1e6
    copies = sum(exposure.size for exposure in exposures)
    return Estimate(
        memory_mb=round(BASE_MEMORY_MB + BYTES_PER_PIXEL * max(output) / _MB),
        seconds=round(seconds, 1),
        disk_mb=round((copies + 8 * sum(output)) / _MB) + 1,
    )
