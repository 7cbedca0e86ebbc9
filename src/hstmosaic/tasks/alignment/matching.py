"""Matching of all detections with stars, those of the catalogue and those that exposures have in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import KDTree

from hstmosaic.tasks.alignment.adjustment import Anchors, Observations, correct
from hstmosaic.tasks.alignment.inputs import UNKNOWN_MOTION

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from hstmosaic.tasks.alignment.inputs import Detections, Floats, Stars

SIGMAS = 4.5
"""Pairs that are farther apart, in units of their errors, are not of one star."""
_ALONE = np.inf


@dataclass
class _List:
    """All stars that were seen, those of the catalogue first."""

    places: Floats
    epochs: Floats
    motions: Floats
    errors: Floats
    motion_errors: Floats
    drifting: Floats

    def extend(self, places: Floats, epoch: float, errors: Floats) -> None:
        count = len(places)
        self.places = np.concatenate([self.places, places])
        self.epochs = np.concatenate([self.epochs, np.full(count, epoch)])
        self.motions = np.concatenate([self.motions, np.zeros((count, 2))])
        self.errors = np.concatenate([self.errors, errors])
        self.motion_errors = np.concatenate([self.motion_errors, np.full(count, UNKNOWN_MOTION)])
        self.drifting = np.concatenate([self.drifting, np.ones(count)])


def associate(
    exposures: Sequence[Detections],
    corrections: Floats,
    included: Collection[int],
    stars: Stars,
    with_catalog: Collection[int],
    errors: Sequence[Floats],
    jitter: float,
    slack: float,
) -> tuple[Observations, Anchors]:
    """Match detections with stars.

    Parameters
    ----------
    exposures : sequence of Detections
        All of them.
    corrections : numpy.ndarray
        As of `adjust`, shape (exposures, 4).
    included : collection of int
        Exposures whose detections are matched.
    stars : Stars
        The catalogue.
    with_catalog : collection of int
        Exposures that may be matched with the catalogue.
    errors : sequence of numpy.ndarray
        Of the detections of each exposure, arcsec.
    jitter : float
        Error of the catalogue beyond its listed errors, arcsec.
    slack : float
        Error of the corrections, arcsec.
    """
    known = len(stars)
    seen = _List(
        stars.places,
        stars.epochs,
        stars.motions,
        np.hypot(stars.errors, jitter),
        np.where(stars.moving, np.maximum(stars.motion_errors, 1e-6), UNKNOWN_MOTION),
        np.where(stars.moving, 0.0, 1.0),
    )
    rows = []
    order = sorted(included, key=lambda index: (index not in with_catalog, -len(exposures[index].places)))
    for index in order:
        exposure = exposures[index]
        if not len(exposure.places):
            continue
        places = correct(exposure.places, exposure, corrections[index])
        first = 0 if index in with_catalog else known
        here, there = _nearest(places, errors[index], exposure.epoch, seen, first, slack)
        rows.append((np.full(len(here), index), here, there))
        rest = np.ones(len(places), dtype=bool)
        rest[here] = False
        alone = np.flatnonzero(rest)
        rows.append((np.full(len(alone), index), alone, len(seen.epochs) + np.arange(len(alone))))
        seen.extend(places[alone], exposure.epoch, errors[index][alone])
    exposure_of, source_of, star_of = (np.concatenate(part).astype(int) for part in zip(*rows, strict=True))
    times = np.bincount(star_of, minlength=len(seen.epochs))
    useful = times + (np.arange(len(times)) < known) >= 2
    useful &= times > 0
    number = np.cumsum(useful) - 1
    kept = useful[star_of]
    exposure_of, source_of, star_of = exposure_of[kept], source_of[kept], number[star_of[kept]]
    anchors = Anchors(
        seen.places[useful],
        seen.epochs[useful],
        seen.motions[useful],
        np.where(np.arange(len(times)) < known, seen.errors, np.inf)[useful],
        seen.motion_errors[useful],
        seen.drifting[useful],
    )
    own = np.array([errors[e][s] for e, s in zip(exposure_of, source_of, strict=True)])
    return Observations(exposure_of, source_of, star_of, own), anchors


def _nearest(
    places: Floats, errors: Floats, epoch: float, seen: _List, first: int, slack: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return pairs of detections and stars that are each other's nearest within their errors."""
    low, high = places.min(axis=0) - 1, places.max(axis=0) + 1
    years = epoch - seen.epochs
    now = seen.places + years[:, None] * seen.motions
    near = first + np.flatnonzero(((now[first:] > low) & (now[first:] < high)).all(axis=1))
    if not len(near):
        return np.empty(0, dtype=int), np.empty(0, dtype=int)
    spread = np.hypot(seen.errors[near], seen.motion_errors[near] * years[near])
    largest = slack + SIGMAS * float(np.hypot(errors.max(), spread.max()))
    distance, index = KDTree(now[near]).query(places, distance_upper_bound=min(largest, 1.0))
    found = np.flatnonzero(np.isfinite(distance))
    within = distance[found] <= slack + SIGMAS * np.hypot(errors[found], spread[index[found]])
    found = found[within]
    order = found[np.argsort(distance[found], kind="stable")]
    _, best = np.unique(index[order], return_index=True)
    kept = np.sort(order[best])
    return kept, near[index[kept]]
