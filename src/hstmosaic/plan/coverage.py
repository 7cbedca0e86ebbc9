"""Number of overlapping chips, which decides drizzlepac's parameter set."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

SKIES_LEFT, SKIES_MATCHED = "n1", "n2"
"""drizzlepac's parameter sets without sky matching and with it."""
_CELLS_ALONG_THE_SHORTEST_CHIP = 48
_CELLS_ALONG_THE_LONGEST_CHIP = 500
_CELLS_IN_ALL = 16_000_000
_MARGIN = 0.03


@dataclass(frozen=True)
class Coverage:
    """Depth of a layer, from outlines alone."""

    mean_chips: float
    """Mean number of chips over the pixels that any chip covers (MEANNEXP of the product)."""
    covered: float
    """Area that any chip covers, fine pixels."""

    @property
    def parameter_set(self) -> str:
        """``n1`` (no sky matching) or ``n2``, as drizzlepac rounds MEANNEXP."""
        return SKIES_LEFT if round(self.mean_chips) == 1 else SKIES_MATCHED

    @property
    def is_close_call(self) -> bool:
        """Return whether the parameter set could come out otherwise on real pixels."""
        return abs(self.mean_chips - 1.5) < _MARGIN


def coverage(outlines: Sequence[np.ndarray]) -> Coverage:
    """Measure the overlap of chips on a raster of about fifty cells along the smallest chip.

    Where the largest chip would have too many cells, as full frames with a small subarray have, or a wide field,
    the cells are larger.

    Parameters
    ----------
    outlines : sequence of numpy.ndarray
        Outline of every chip of a layer in pixels of the fine grid, shape (n, 2) each; not empty.

    Returns
    -------
    Coverage
    """
    extents = np.array([np.ptp(outline, axis=0) for outline in outlines])
    low = np.min([outline.min(axis=0) for outline in outlines], axis=0)
    field = np.max([outline.max(axis=0) for outline in outlines], axis=0) - low
    cell = max(
        extents.min() / _CELLS_ALONG_THE_SHORTEST_CHIP,
        extents.max() / _CELLS_ALONG_THE_LONGEST_CHIP,
        np.sqrt(field.prod() / _CELLS_IN_ALL),
        1.0,
    )
    raster = np.zeros(np.ceil(field / cell).astype(int) + 1, dtype=np.uint16)
    for outline in outlines:
        polygon = (outline - low) / cell
        column, row = np.floor(polygon.min(axis=0)).astype(int)
        inside = _inside(polygon, (column, row))
        raster[column : column + inside.shape[0], row : row + inside.shape[1]] += inside
    counts = raster[raster > 0]
    return Coverage(mean_chips=float(counts.mean()), covered=float(counts.size * cell**2))


def _inside(polygon: np.ndarray, origin: tuple[int, int]) -> np.ndarray:
    """Mark the raster cells, columns first, whose centres lie in a polygon (even-odd rule, row by row)."""
    columns, rows = np.ceil(polygon.max(axis=0)).astype(int) - origin
    x = np.arange(columns) + origin[0] + 0.5
    y = np.arange(rows) + origin[1] + 0.5
    start, end = polygon, np.roll(polygon, -1, axis=0)
    inside = np.zeros((columns, rows), dtype=bool)
    for j, level in enumerate(y):
        crossing = (start[:, 1] <= level) != (end[:, 1] <= level)
        s, e = start[crossing], end[crossing]
        at = np.sort(s[:, 0] + (level - s[:, 1]) / (e[:, 1] - s[:, 1]) * (e[:, 0] - s[:, 0]))
        inside[:, j] = np.searchsorted(at, x) % 2 == 1
    return inside
