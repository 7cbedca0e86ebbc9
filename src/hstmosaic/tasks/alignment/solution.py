"""The whole fit: links, matches and adjustment, repeated until nothing changes, and what its results are worth."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from hstmosaic.tasks.alignment.adjustment import Adjusted, Anchors, Observations, adjust, correct
from hstmosaic.tasks.alignment.linking import Frame, link
from hstmosaic.tasks.alignment.matching import associate
from hstmosaic.tasks.chance import poisson_tail

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hstmosaic.tasks.alignment.inputs import Detections, Floats, Integers, Stars

_SLACKS = (0.06, 0.02, 0.006, 0.003, 0.002)
"""Arcsec: errors of corrections that matches allow for, round after round."""
_UNLIKELY = 1e-3
"""Probability below which matches of an exposure near its expected place are no chance."""
_EXPECTED = 5.0
"""Weight of the errors that are assumed for detections, in units of degrees of freedom of the residuals."""
_FACTORS = (0.1, 10.0)
"""Smallest and largest ratio of the errors of detections to those listed."""
_FEWEST = 4
"""Matches from which their scatter is known."""
_LOOSE = 4.0
"""Deviations from the visit that are larger, in units of what is expected, are real."""
_ANCHORED = 0.2
"""Arcsec: error of a correction below which detections are compared with the catalogue around its expected place."""


class Status(StrEnum):
    """Correction of an exposure."""

    FITTED = "fitted"
    """By its own detections."""
    CARRIED = "with its visit"
    """By those of other exposures of its visit."""
    KEPT = "kept"
    """Not at all: its WCS stays as it was."""


@dataclass(frozen=True, eq=False)
class ExposureSolution:
    """The correction of one exposure."""

    name: str
    status: Status
    absolute: bool
    """True if its position comes from a catalogue, directly or through other exposures."""
    correction: Floats
    """Shifts to the east and north of its middle, displacements at its edge by scale and turn; arcsec, shape (4,)."""
    covariance: Floats
    """Shape (4, 4)."""
    matches: int = 0
    """Detections that other exposures or the catalogue have."""
    catalog_matches: int = 0
    residuals: Floats = field(default_factory=lambda: np.empty((0, 2)))
    """Detections against stars of the catalogue, arcsec, shape (n, 2)."""
    group: int = 0
    """Number of the group of exposures that are connected by sources or visits."""
    reason: str = ""
    """Why it was not fitted."""

    @property
    def errors(self) -> tuple[float, float]:
        """Formal errors of its position to the east and north, arcsec."""
        east, north = np.sqrt(np.diag(self.covariance)[:2])
        return float(east), float(north)


@dataclass(frozen=True, eq=False)
class Solution:
    """Corrections of all exposures."""

    exposures: tuple[ExposureSolution, ...]
    jitter: float
    """Error of the catalogue's positions beyond its listed errors, arcsec."""
    catalog_stars: int
    """Stars of the catalogue that detections match."""
    chance: float
    """Decimal logarithm of the probability that the match with the catalogue is chance; 0 without a match."""

    @property
    def absolute(self) -> bool:
        """Return whether any exposure was fitted to the catalogue."""
        return any(found.absolute for found in self.exposures)

    @property
    def moved(self) -> bool:
        """Return whether any exposure has a correction."""
        return any(found.status is not Status.KEPT for found in self.exposures)


def solve(exposures: Sequence[Detections], stars: Stars) -> Solution:
    """Align exposures with each other and with a catalogue.

    Parameters
    ----------
    exposures : sequence of Detections
        At least one.
    stars : Stars
        The catalogue; it may be empty, or not belong to the field.

    Returns
    -------
    Solution
    """
    return _Solver(exposures, stars, link(exposures, stars)).run()


class _Solver:
    def __init__(self, exposures: Sequence[Detections], stars: Stars, frames: Sequence[Frame]) -> None:
        self.exposures, self.stars = exposures, stars
        self.chance = min((frame.catalog.chance for frame in frames if frame.catalog is not None), default=0.0)
        linked = [frame for frame in frames if len(frame.moves) > 1 or frame.catalog is not None]
        self.included = {index for frame in linked for index in frame.moves}
        self.with_catalog = {index for frame in linked if frame.catalog is not None for index in frame.moves}
        self.corrections = np.zeros((len(exposures), 4))
        for frame in linked:
            for index, move in frame.moves.items():
                factor = (move.factor - 1) * exposures[index].arm
                self.corrections[index] = [*move.shift, factor.real, factor.imag]
        self.errors = [exposure.errors.copy() for exposure in exposures]
        self.jitter = 0.0
        self.loose: frozenset[int] = frozenset()
        self.reasons: dict[int, str] = {}
        self.observations: Observations | None = None

    def run(self) -> Solution:
        if not self.included:
            return Solution(tuple(self._kept(index) for index in range(len(self.exposures))), 0.0, 0, 0.0)
        adjusted, anchors = self._settle(_SLACKS)
        if self._widen(adjusted):
            adjusted, anchors = self._settle(_SLACKS[1:])
        if self._drop_unlikely(anchors):
            if not self.included:
                return Solution(tuple(self._kept(index) for index in range(len(self.exposures))), 0.0, 0, 0.0)
            adjusted, anchors = self._settle(_SLACKS[2:])
        return self._solution(adjusted, anchors)

    def _settle(self, slacks: Sequence[float]) -> tuple[Adjusted, Anchors]:
        for slack in slacks:
            observations, anchors = self._associate(slack)
            adjusted = adjust(self.exposures, observations, anchors, self.loose)
            self.observations = observations
            self.corrections = adjusted.corrections
            self._learn_jitter(observations, anchors)
            self._learn_errors(observations, adjusted)
            self._learn_loose(adjusted)
        return adjusted, anchors

    def _associate(self, slack: float) -> tuple[Observations, Anchors]:
        return associate(
            self.exposures,
            self.corrections,
            self.included,
            self.stars,
            self.with_catalog,
            self.errors,
            self.jitter,
            slack,
        )

    def _learn_errors(self, observations: Observations, adjusted: Adjusted) -> None:
        """Scale the listed errors of detections to what the residuals are like."""
        for index in self.included:
            rows = np.flatnonzero((observations.exposure == index) & (adjusted.freedom > 0.05))
            if not len(rows):
                continue
            listed = self.exposures[index].errors[observations.source[rows]]
            scaled = np.abs(adjusted.residuals[rows]) / (listed * np.sqrt(adjusted.freedom[rows]))[:, None]
            freedom = float(adjusted.freedom[rows].sum())
            square = (1.4826 * float(np.median(scaled))) ** 2
            factor = np.sqrt((_EXPECTED + freedom * square) / (_EXPECTED + freedom))
            self.errors[index] = self.exposures[index].errors * np.clip(factor, *_FACTORS)

    def _learn_jitter(self, observations: Observations, anchors: Anchors) -> None:
        """Estimate by how much detections are farther from the catalogue than both errors allow.

        Errors of detections that are too small end up here first. They grow in the rounds to come, since exposures
        then also disagree with each other.
        """
        rows = np.flatnonzero(np.isfinite(anchors.errors)[observations.star])
        if len(rows) < _FEWEST:
            return
        star = observations.star[rows]
        index = observations.exposure[rows]
        years = np.array([exposure.epoch for exposure in self.exposures])[index] - anchors.epochs[star]
        left = np.concatenate(
            [self._against_catalog(rows[index == k], observations, anchors) for k in np.unique(index)]
        )
        stated = anchors.errors[star] ** 2 - self.jitter**2
        expected = stated + observations.errors[rows] ** 2 + (anchors.motion_errors[star] * years) ** 2
        spread = (1.4826 * float(np.median(np.abs(left)))) ** 2
        self.jitter = float(np.sqrt(max(0.0, spread - float(np.median(expected)))))

    def _learn_loose(self, adjusted: Adjusted) -> None:
        """Let exposures go that are not where their visits are, with significance."""
        size = np.hypot(*adjusted.deviations.T)
        expected = np.array([exposure.prior.own_shift for exposure in self.exposures])
        self.loose = self.loose | {i for i in self.included if size[i] > _LOOSE * expected[i]}

    def _widen(self, adjusted: Adjusted) -> bool:
        """Add exposures that are found at the positions of their visits; return True if any was added."""
        before = len(self.included), len(self.with_catalog)
        spread = np.sqrt(adjusted.covariances[:, 0, 0] + adjusted.covariances[:, 1, 1])
        near = {index for index in range(len(self.exposures)) if spread[index] < _ANCHORED}
        if self.with_catalog:
            self.with_catalog |= near
        self.included |= {index for index in near if len(self.exposures[index].places)}
        return (len(self.included), len(self.with_catalog)) != before

    def _drop_unlikely(self, anchors: Anchors) -> bool:
        """Remove exposures whose matches may be chance; return True if there were any."""
        assert self.observations is not None
        dropped = {index for index in self.included if not self._is_likely(index, anchors)}
        self.included -= dropped
        self.loose = self.loose - dropped
        return bool(dropped)

    def _is_likely(self, index: int, anchors: Anchors) -> bool:
        observations = self.observations
        assert observations is not None
        exposure = self.exposures[index]
        rows = observations.exposure == index
        count = np.count_nonzero(rows)
        if not count:
            self.reasons[index] = (
                "it has no sources"
                if not len(exposure.places)
                else "none of its sources match other exposures or the catalogue"
            )
            return False
        # stars around it that other exposures or the catalogue show
        others = (
            np.unique(observations.star[~rows])
            if not np.isfinite(anchors.errors).any()
            else np.arange(len(anchors.epochs))
        )
        low, high = exposure.outline.min(axis=0), exposure.outline.max(axis=0)
        inside = ((anchors.places[others] > low) & (anchors.places[others] < high)).all(axis=1)
        area = float(np.prod(high - low))
        limit = _SLACKS[-1] + 4.5 * float(np.median(self.errors[index])) * 1.5
        expected = len(exposure.places) * np.count_nonzero(inside) * np.pi * limit**2 / max(area, 1.0)
        if poisson_tail(int(count), expected) < _UNLIKELY:
            return True
        self.reasons[index] = f"only {count} of its {len(exposure.places)} sources match, as many as chance can make"
        return False

    def _solution(self, adjusted: Adjusted, anchors: Anchors) -> Solution:
        observations = self.observations
        assert observations is not None
        group, anchored, sizes = self._groups(observations, anchors)
        by_catalog = np.isfinite(anchors.errors)[observations.star]
        found = []
        for index, exposure in enumerate(self.exposures):
            rows = observations.exposure == index
            fitted = index in self.included and bool(rows.any())
            moved = fitted or group[index] in sizes
            if not moved:
                found.append(self._kept(index, group[index]))
                continue
            matched = np.flatnonzero(rows & by_catalog)
            found.append(
                ExposureSolution(
                    name=exposure.name,
                    status=Status.FITTED if fitted else Status.CARRIED,
                    absolute=group[index] in anchored,
                    correction=adjusted.corrections[index],
                    covariance=adjusted.covariances[index],
                    matches=int(np.count_nonzero(rows)),
                    catalog_matches=len(matched),
                    residuals=self._against_catalog(matched, observations, anchors),
                    group=int(group[index]),
                    reason="" if fitted else self._reason(index),
                )
            )
        known = len(np.unique(observations.star[by_catalog]))
        return Solution(tuple(found), self.jitter, known, self.chance if anchored else 0.0)

    def _against_catalog(self, rows: Integers, observations: Observations, anchors: Anchors) -> Floats:
        """Return distances of one exposure's detections from the catalogue's positions at its epoch, arcsec."""
        if not len(rows):
            return np.empty((0, 2))
        index = observations.exposure[rows[0]]
        exposure, star = self.exposures[index], observations.star[rows]
        places = correct(exposure.places[observations.source[rows]], exposure, self.corrections[index])
        years = exposure.epoch - anchors.epochs[star]
        return np.asarray(places - anchors.places[star] - years[:, None] * anchors.motions[star])

    def _groups(self, observations: Observations, anchors: Anchors) -> tuple[Floats, set[int], set[int]]:
        """Return the group of each exposure, those that the catalogue anchors, and those whose members were fitted."""
        count = len(self.exposures)
        visits = {visit: number for number, visit in enumerate(sorted({e.visit for e in self.exposures}))}
        star = count + len(visits) + observations.star
        visit = np.array([count + visits[exposure.visit] for exposure in self.exposures])
        one = np.concatenate([observations.exposure, np.arange(count)])
        other = np.concatenate([star, visit])
        size = count + len(visits) + len(anchors.epochs)
        _, label = connected_components(
            coo_array((np.ones(len(one)), (one, other)), shape=(size, size)), directed=False
        )
        anchored = set(label[np.unique(star[np.isfinite(anchors.errors)[observations.star]])])
        fitted = set(label[np.unique(observations.exposure)])
        return label[:count], anchored, fitted

    def _reason(self, index: int) -> str:
        unmatched = "none of its sources match other exposures or the catalogue"
        return self.reasons.get(index) or (unmatched if len(self.exposures[index].places) else "it has no sources")

    def _kept(self, index: int, group: int = 0) -> ExposureSolution:
        return ExposureSolution(
            name=self.exposures[index].name,
            status=Status.KEPT,
            absolute=False,
            correction=np.zeros(4),
            covariance=np.full((4, 4), np.nan),
            group=int(group),
            reason=self._reason(index),
        )
