"""Coincidences of two lists of positions: the shift and turn that most pairs agree on, and how likely chance is."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import uniform_filter
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import KDTree

from hstmosaic.tasks.alignment.inputs import MOST_ROLL, MOST_SCALE
from hstmosaic.tasks.chance import poisson_tail

if TYPE_CHECKING:
    from hstmosaic.tasks.alignment.inputs import Floats, Integers

MOST_CHANCE = -6.0
"""Decimal logarithm of the probability of chance below which a coincidence is taken for real.

A run makes up to some hundred searches, so that one run in ten thousand may take chance for a match.
"""
MOST_SCATTER = 0.15
"""Arcsec per axis: what errors of the poorest catalogue, or motions of 15 years that it does not have, amount to."""
MOST_PATTERN = 0.02
"""Arcsec per axis: residuals that grow across the field by more are those of another scale, turn or distortion."""
_WINDOWS = (0.06, 0.15, 0.4)
"""Half widths (arcsec) of the windows in which pairs that agree on a shift are counted: for pairs that are shifted
only, and for those that a turn of up to 0.1 degrees smears."""
_MOST_PAIRS = 400_000
_ROUNDS = 12
_FEWEST_FOR_PATTERN = 8
_MANY = 30
"""Pairs from which a few that are not independent do not matter."""
_ROLL, _SCALE = 0.05, 3e-5
"""Expected turn (degrees) and change of scale, which hold where few pairs constrain them."""


@dataclass(frozen=True, eq=False)
class Coincidence:
    """A similarity that takes points to a reference, and the pairs that agree with it."""

    centre: Floats
    shift: Floats
    """Of a point at the centre, arcsec."""
    factor: complex
    """Scale and turn, from east to north, around the centre."""
    points: Integers
    reference: Integers
    """Indices of the pairs."""
    chance: float
    """Decimal logarithm of the probability that unrelated lists agree equally well anywhere within reach."""
    scatter: float
    """Of the pairs, arcsec per axis."""
    pattern: float = 0.0
    """Part of the scatter that goes with the place in the field, arcsec per axis."""

    @property
    def real(self) -> bool:
        """Return whether it beats chance and is within the largest errors of the telescope."""
        roll, scale = abs(np.rad2deg(np.angle(self.factor))), abs(abs(self.factor) - 1)
        regular = self.scatter < MOST_SCATTER and self.pattern < MOST_PATTERN
        return self.chance < MOST_CHANCE and roll < MOST_ROLL and scale < MOST_SCALE and regular

    def moved(self, places: Floats) -> Floats:
        """Apply the similarity to positions, shape (n, 2)."""
        return moved(places, self.centre, self.shift, self.factor)


def moved(places: Floats, centre: Floats, shift: Floats, factor: complex) -> Floats:
    """Turn and stretch positions around a centre, then shift them."""
    turned = ((places - centre) @ np.array([1, 1j])) * factor
    return np.column_stack([turned.real, turned.imag]) + centre + shift


def coincidence(
    points: Floats, reference: Floats, *, reach: float, tolerance: float, centre: Floats | None = None
) -> Coincidence | None:
    """Find the similarity that takes one list of positions to another one.

    Parameters
    ----------
    points, reference : numpy.ndarray
        Positions in arcsec, shape (n, 2), the better ones first.
    reach : float
        Largest shift, arcsec.
    tolerance : float
        Distance (arcsec) that pairs have at most after the fit: some of their errors.
    centre : numpy.ndarray, optional
        Point around which turns are counted; the middle of the points.

    Returns
    -------
    Coincidence or None
        None where no pair is within reach.
    """
    if not len(points) or not len(reference):
        return None
    centre = points.mean(axis=0) if centre is None else centre
    best: Coincidence | None = None
    differences = _differences(points, reference, reach)
    if not len(differences):
        return None
    arm = max(float(np.hypot(*(points - centre).T).max()), 1.0)
    for window in _WINDOWS:
        if window >= reach:
            continue
        shift = _peak(differences, reach, window)
        found = _refined(points, reference, centre, shift, max(window * 1.5, tolerance), tolerance)
        if found is None:
            continue
        measured = _judged(found, points, reference, reach, arm, len(differences))
        if best is None or measured.chance < best.chance:
            best = measured
    return best


def _differences(points: Floats, reference: Floats, reach: float) -> Floats:
    tree = KDTree(reference)
    count = 0
    found = []
    for start in range(0, len(points), 200):  # the first ones are the best, should there be too many
        part = points[start : start + 200]
        near = tree.query_ball_point(part, reach)
        lengths = [len(indices) for indices in near]
        indices = np.concatenate([np.asarray(i, dtype=int) for i in near]) if sum(lengths) else np.empty(0, dtype=int)
        found.append(reference[indices] - np.repeat(part, lengths, axis=0))
        count += sum(lengths)
        if count > _MOST_PAIRS:
            break
    return np.concatenate(found)


def _peak(differences: Floats, reach: float, window: float) -> Floats:
    """Return the shift with most pairs in a window above what its surroundings have."""
    cell = window / 2
    bins = int(np.ceil(2 * reach / cell))
    edges = np.linspace(-reach, reach, bins + 1)
    counts, _, _ = np.histogram2d(differences[:, 0], differences[:, 1], bins=[edges, edges])
    inside = uniform_filter(counts, 4, mode="constant") * 16
    around = uniform_filter(counts, 40, mode="constant") * 16
    excess = (inside - around) / np.sqrt(around + 1)
    row, column = np.unravel_index(np.argmax(excess), counts.shape)
    middle = np.array([edges[row], edges[column]])
    close = np.abs(differences - middle).max(axis=1) <= window
    return np.asarray(np.median(differences[close], axis=0)) if close.any() else middle


def pairs(points: Floats, reference: Floats, tolerance: float) -> tuple[Integers, Integers]:
    """Return indices of points and of reference that are each other's nearest, and closer than a distance."""
    distance, nearest = KDTree(reference).query(points, distance_upper_bound=tolerance)
    chosen = np.flatnonzero(np.isfinite(distance))
    order = chosen[np.argsort(distance[chosen], kind="stable")]
    _, first = np.unique(nearest[order], return_index=True)
    kept = np.sort(order[first])
    return kept, nearest[kept]


def _refined(
    points: Floats, reference: Floats, centre: Floats, shift: Floats, start: float, tolerance: float
) -> Coincidence | None:
    """Fit a similarity to pairs that are closer and closer together."""
    factor, limit = 1 + 0j, start
    found = None
    for _ in range(_ROUNDS):
        here, there = pairs(moved(points, centre, shift, factor), reference, limit)
        if not len(here):
            return found
        shift, factor = _similarity(points[here] - centre, reference[there] - centre, limit / 3)
        left = moved(points[here], centre, shift, factor) - reference[there]
        scatter = float(1.4826 * np.median(np.abs(left))) if len(left) > 3 else float(np.sqrt(np.mean(left**2)))
        found = Coincidence(centre, shift, factor, here, there, 0.0, scatter)
        narrower = max(tolerance, min(limit, 5 * scatter))
        if narrower == limit and limit <= tolerance:
            break
        limit = max(tolerance, min(narrower, 0.8 * limit))
    return found


def _similarity(points: Floats, reference: Floats, error: float) -> tuple[Floats, complex]:
    """Fit shift and factor; what is expected of the latter counts as one more measurement."""
    old, new = points @ np.array([1, 1j]), reference @ np.array([1, 1j])
    middle = old.mean()
    lever = old - middle
    # a real part apart from 1 is a change of scale, an imaginary part a turn
    cross = np.sum(np.conj(lever) * (new - new.mean() - lever))
    size = float(np.sum(np.abs(lever) ** 2))
    scale = cross.real / (size + (error / _SCALE) ** 2)
    turn = cross.imag / (size + (error / np.deg2rad(_ROLL)) ** 2)
    factor = 1 + scale + 1j * turn
    offset = new.mean() - factor * middle
    return np.array([offset.real, offset.imag]), complex(factor)


def _judged(
    found: Coincidence, points: Floats, reference: Floats, reach: float, arm: float, pairs_within_reach: int
) -> Coincidence:
    """Return the coincidence with the probability that chance makes as many pairs.

    The number of pairs that chance makes around given positions follows Poisson's law. Its mean is what the same lists
    show when they are shifted against each other, or all pairs within reach spread evenly. The fit has chosen the best
    of all distinct shifts, turns and scales: the area within reach in units of the tolerance, times the displacements
    that turn and scale make at the edge; and of these, those that two of the pairs define.
    """
    left = found.moved(points[found.points]) - reference[found.reference]
    tolerance = max(float(np.hypot(*left.T).max()), 1e-4)
    count = _independent(reference[found.reference])
    mean = max(
        _shifted_count(found.moved(points), reference, tolerance, reach), pairs_within_reach * (tolerance / reach) ** 2
    )
    turns = max(1.0, 2 * np.deg2rad(MOST_ROLL) * arm / tolerance)
    scales = max(1.0, 2 * MOST_SCALE * arm / tolerance)
    trials = max(1.0, (reach / tolerance) ** 2 * turns * scales) * max(1, count) ** 2
    tail = poisson_tail(count, mean)
    chance = min(0.0, float(np.log10(trials) + np.log(tail) / np.log(10))) if tail else -np.inf
    return replace(found, chance=chance, pattern=_pattern(reference[found.reference], left))


def _pattern(places: Floats, left: Floats) -> float:
    """Return the scatter of residuals that a linear function of the place explains, beyond what chance does."""
    count = len(places)
    if count < _FEWEST_FOR_PATTERN:
        return 0.0
    columns = np.column_stack([np.ones(count), places - places.mean(axis=0)])
    explained = columns @ np.linalg.lstsq(columns, left, rcond=None)[0]
    noise = np.sum((left - explained) ** 2) / (2 * (count - 3))
    return float(np.sqrt(max(0.0, np.mean(explained**2) - 3 * noise * 6 / (2 * count))))


def _shifted_count(places: Floats, reference: Floats, tolerance: float, reach: float) -> float:
    """Return how many pairs lists have that are shifted against each other; more where the numbers scatter."""
    tree = KDTree(reference)
    counts = []
    for radius in (0.5, 1.0):
        for angle in np.linspace(0, 2 * np.pi, 16, endpoint=False):
            shift = radius * max(reach, 10 * tolerance) * np.array([np.cos(angle), np.sin(angle)])
            near, _ = tree.query(places + shift, distance_upper_bound=tolerance)
            counts.append(np.count_nonzero(np.isfinite(near)))
    mean = float(np.mean(counts))
    return mean + max(0.0, float(np.std(counts) - np.sqrt(mean)))


def _independent(places: Floats) -> int:
    """Count places, those within an arcsec as one: parts of one object coincide together."""
    if len(places) > _MANY:
        return len(places)
    close = KDTree(places).query_pairs(1.0, output_type="ndarray")
    links = coo_array((np.ones(len(close)), (close[:, 0], close[:, 1])), shape=(len(places),) * 2)
    return int(connected_components(links, directed=False)[0])
