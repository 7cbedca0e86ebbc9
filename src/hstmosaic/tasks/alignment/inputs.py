"""Inputs of the fit: detections of each exposure and stars of a catalogue, on one plane that touches the sky."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Integers = NDArray[np.int64]

REACH = 7.0
"""Arcsec: the largest error of a header's position that is looked for."""
UNKNOWN_MOTION = 0.005
"""Arcsec per year: scatter of proper motions of sources whose motion is not known."""
MOST_ROLL, MOST_SCALE = 0.2, 5e-4
"""Largest turn (degrees) and change of scale that errors of the telescope can explain.

Rolls come from catalogues of guide stars and are good to 0.02 degrees; the largest known errors are about 0.1. Scales
change with the focus and the velocity of the telescope, by 1e-4 where headers leave the latter out.
"""


@dataclass(frozen=True)
class Prior:
    """Errors that corrections of a visit, and of an exposure against its visit, are expected to have (1 sigma)."""

    shift: float = 1.0
    """Of a visit, arcsec."""
    roll: float = 0.05
    """Degrees."""
    scale: float = 3e-5
    own_shift: float = 0.010
    """Of an exposure against its visit, arcsec: jitter and dithers."""
    own_roll: float = 0.002
    """Degrees."""
    own_scale: float = 1e-5


@dataclass(frozen=True, eq=False)
class Detections:
    """Sources of one exposure."""

    name: str
    visit: str
    """Exposures of one visit share the error of its guide stars and are moved together."""
    epoch: float
    """Decimal year."""
    places: Floats
    """Positions by the header's WCS, shape (n, 2): arcsec to the east and to the north."""
    errors: Floats
    """Of the positions, arcsec per axis, shape (n,)."""
    outline: Floats
    """Corners of all chips, shape (m, 2), arcsec."""
    prior: Prior = field(default_factory=Prior)

    @property
    def centre(self) -> Floats:
        """Middle of the exposure."""
        return np.asarray((self.outline.min(axis=0) + self.outline.max(axis=0)) / 2)

    @property
    def arm(self) -> float:
        """Distance of the farthest corner from the middle, arcsec."""
        return float(np.hypot(*(self.outline - self.centre).T).max())

    def overlaps(self, other: Detections) -> bool:
        """Return whether rectangles around the exposures meet, also if their positions are wrong."""
        low = np.maximum(self.outline.min(axis=0), other.outline.min(axis=0))
        high = np.minimum(self.outline.max(axis=0), other.outline.max(axis=0))
        return bool((low < high + REACH).all())


@dataclass(frozen=True, eq=False)
class Stars:
    """Stars of a catalogue, shapes (n,) and (n, 2)."""

    places: Floats
    """Arcsec to the east and to the north, at the epoch of each."""
    epochs: Floats
    """Decimal years."""
    motions: Floats
    """Arcsec per year; 0 where not known."""
    errors: Floats
    """Of the positions, arcsec per axis."""
    motion_errors: Floats
    """Arcsec per year; 0 where the motion is not known."""
    moving: NDArray[np.bool_]
    """True if the motion is known."""

    def __len__(self) -> int:
        return len(self.places)

    def at(self, epoch: float) -> Floats:
        """Return the positions at an epoch."""
        return np.asarray(self.places + (epoch - self.epochs)[:, None] * self.motions)

    def chosen(self, which: Floats | Integers | NDArray[np.bool_]) -> Stars:
        """Return some of the stars."""
        return Stars(*(getattr(self, name)[which] for name in self.__dataclass_fields__))


def no_stars() -> Stars:
    """Return a catalogue without stars."""
    none, pairs = np.empty(0), np.empty((0, 2))
    return Stars(pairs, none, pairs, none, none, np.empty(0, dtype=bool))


def groups_by_footprint(exposures: Sequence[Detections]) -> list[list[int]]:
    """Return indices of exposures that overlap, directly or through others; the largest group first."""
    groups: list[list[int]] = []
    for index, exposure in enumerate(exposures):
        near = [group for group in groups if any(exposure.overlaps(exposures[other]) for other in group)]
        groups = [group for group in groups if group not in near]
        groups.append(sorted([index, *(other for group in near for other in group)]))
    return sorted(groups, key=len, reverse=True)
