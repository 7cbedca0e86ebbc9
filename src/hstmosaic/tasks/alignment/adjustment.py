"""One least-squares adjustment of all exposures, visits, stars and proper motions, with errors of its results."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import splu

from hstmosaic.tasks.alignment.inputs import UNKNOWN_MOTION

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hstmosaic.tasks.alignment.inputs import Detections, Floats, Integers

_EACH = 4
"""Unknowns of an exposure or a visit: shifts to the east and north, scale and turn as displacements at its edge."""
_COLUMNS = 400
"""Right-hand sides that are solved for at once."""


@dataclass(frozen=True, eq=False)
class Observations:
    """Detections that were matched, one row each."""

    exposure: Integers
    """Index of the exposure."""
    source: Integers
    """Index among its detections."""
    star: Integers
    """Index among the stars."""
    errors: Floats
    """Arcsec per axis."""


@dataclass(frozen=True, eq=False)
class Anchors:
    """Knowledge of stars before the fit; none of those that no catalogue has."""

    places: Floats
    """Arcsec, shape (n, 2)."""
    epochs: Floats
    motions: Floats
    """Arcsec per year, shape (n, 2)."""
    errors: Floats
    """Arcsec; infinite for stars of no catalogue."""
    motion_errors: Floats
    """Arcsec per year."""
    drifting: Floats
    """1 for stars without measured motion, which share a mean motion, else 0."""


@dataclass(frozen=True, eq=False)
class Adjusted:
    """Results of the adjustment."""

    corrections: Floats
    """Shape (exposures, 4): shifts, and displacements at the edge by scale and turn, arcsec."""
    covariances: Floats
    """Of these, shape (exposures, 4, 4)."""
    residuals: Floats
    """Of observations against the stars, shape (n, 2), arcsec."""
    freedom: Floats
    """Part of an observation's error that its residual shows, 0 to 1."""
    deviations: Floats
    """Of exposures from their visits, shape (exposures, 2), arcsec."""


def correct(places: Floats, exposure: Detections, correction: Floats) -> Floats:
    """Apply a correction to positions in an exposure."""
    lever = (places - exposure.centre) / exposure.arm
    east, north, scale, turn = correction
    return np.asarray(
        places
        + np.column_stack(
            [east + scale * lever[:, 0] - turn * lever[:, 1], north + scale * lever[:, 1] + turn * lever[:, 0]]
        )
    )


def adjust(
    exposures: Sequence[Detections], observations: Observations, anchors: Anchors, loose: frozenset[int] = frozenset()
) -> Adjusted:
    """Fit corrections of all exposures together.

    Parameters
    ----------
    exposures : sequence of Detections
        All of them, also those without observations, which follow their visits.
    observations : Observations
        The matches.
    anchors : Anchors
        The stars.
    loose : frozenset of int
        Exposures that are not where their visit is.

    Returns
    -------
    Adjusted
    """
    visits = sorted({exposure.visit for exposure in exposures})
    prior, links = _priors(exposures, visits, loose)
    size = prior.shape[0]
    design, positions = _design(exposures, observations, size, anchors)
    years = np.array([exposures[e].epoch for e in observations.exposure]) - anchors.epochs[observations.star]
    weights = 1 / observations.errors**2
    inverse = _star_blocks(observations, anchors, weights, years)
    count = len(anchors.epochs)
    rows = np.arange(len(weights))
    stars = sparse.csr_array(
        (
            np.concatenate([np.ones(len(rows)), years]),
            (np.tile(rows, 2), np.concatenate([2 * observations.star, 2 * observations.star + 1])),
        ),
        shape=(len(rows), 2 * count),
    )
    spread = sparse.diags_array(weights)
    normal, right = prior, np.zeros(size)
    expected = anchors.places[observations.star] + years[:, None] * anchors.motions[observations.star]
    measured = positions - expected
    kept = []
    for axis in range(2):
        columns = design[axis]
        cross = (stars.T @ spread @ columns).tocsr()
        pull = stars.T @ (weights * measured[:, axis])
        normal = normal + columns.T @ spread @ columns - cross.T @ inverse @ cross
        right = right - (columns.T @ (weights * measured[:, axis]) - cross.T @ (inverse @ pull))
        kept.append((cross, pull))
    factors = splu(sparse.csc_matrix(normal))
    solution = factors.solve(right)
    residuals = np.empty_like(measured)
    for axis, (cross, pull) in enumerate(kept):
        moves = inverse @ (cross @ solution + pull)
        residuals[:, axis] = measured[:, axis] + design[axis] @ solution - stars @ moves
    covariances = _covariances(factors, size, len(exposures))
    by_stars = 1 - weights * np.asarray((stars @ inverse).multiply(stars).sum(axis=1))
    by_exposures = weights * by_stars**2 * _variances(design, covariances, observations)
    return Adjusted(
        corrections=solution[: _EACH * len(exposures)].reshape(-1, _EACH),
        covariances=covariances,
        residuals=residuals,
        freedom=np.clip(by_stars - by_exposures, 0, 1),
        deviations=(links @ solution).reshape(-1, _EACH)[:, :2],
    )


def _priors(
    exposures: Sequence[Detections], visits: Sequence[str], loose: frozenset[int]
) -> tuple[sparse.csr_array, sparse.csr_array]:
    """Return the normal matrix of expected corrections, and the matrix from unknowns to deviations from visits."""
    count = len(exposures)
    size = _EACH * (count + len(visits)) + 2
    links = sparse.lil_array((_EACH * count, size))
    weights = np.empty(_EACH * count)
    own = np.zeros(size)
    members = {visit: [e for e in exposures if e.visit == visit] for visit in visits}
    for number, visit in enumerate(visits):
        start = _EACH * (count + number)
        centre, arm = _extent(members[visit])
        expected = members[visit][0].prior
        own[start : start + _EACH] = _weights(expected.shift, expected.scale, expected.roll, arm)
        for index, exposure in enumerate(exposures):
            if exposure.visit != visit:
                continue
            row = _EACH * index
            x, y = (exposure.centre - centre) / arm
            ratio = exposure.arm / arm
            links[row : row + _EACH, row : row + _EACH] = np.eye(_EACH)
            links[row : row + _EACH, start : start + _EACH] = -np.array(
                [[1, 0, x, -y], [0, 1, y, x], [0, 0, ratio, 0], [0, 0, 0, ratio]]
            )
            given = exposure.prior
            shift, roll = (given.shift, given.roll) if index in loose else (given.own_shift, given.own_roll)
            weights[row : row + _EACH] = _weights(shift, given.own_scale, roll, exposure.arm)
    own[-2:] = 1 / UNKNOWN_MOTION**2
    matrix = links.tocsr()
    return (matrix.T @ sparse.diags_array(weights) @ matrix + sparse.diags_array(own)).tocsr(), matrix


def _weights(shift: float, scale: float, roll: float, arm: float) -> Floats:
    errors = np.array([shift, shift, scale * arm, np.deg2rad(roll) * arm])
    return np.asarray(1 / errors**2)


def _extent(members: Sequence[Detections]) -> tuple[Floats, float]:
    corners = np.concatenate([exposure.outline for exposure in members])
    centre = (corners.min(axis=0) + corners.max(axis=0)) / 2
    return centre, float(np.hypot(*(corners - centre).T).max())


def _design(
    exposures: Sequence[Detections], observations: Observations, size: int, anchors: Anchors
) -> tuple[tuple[sparse.csr_array, sparse.csr_array], Floats]:
    """Return derivatives of measured positions by the unknowns, for each axis, and the positions by the headers."""
    count = len(observations.exposure)
    positions, levers = np.empty((count, 2)), np.empty((count, 2))
    for index, exposure in enumerate(exposures):
        rows = np.flatnonzero(observations.exposure == index)
        positions[rows] = exposure.places[observations.source[rows]]
        levers[rows] = (positions[rows] - exposure.centre) / exposure.arm
    years = np.array([exposures[e].epoch for e in observations.exposure]) - anchors.epochs[observations.star]
    drift = -years * anchors.drifting[observations.star]
    rows, base, one = np.arange(count), _EACH * observations.exposure, np.ones(count)
    x, y = levers.T
    repeated = np.tile(rows, 4)
    built = []
    for axis, values in enumerate((np.concatenate([one, x, -y, drift]), np.concatenate([one, y, x, drift]))):
        columns = np.concatenate([base + axis, base + 2, base + 3, np.full(count, size - 2 + axis)])
        built.append(sparse.csr_array((values, (repeated, columns)), shape=(count, size)))
    return (built[0], built[1]), positions


def _star_blocks(observations: Observations, anchors: Anchors, weights: Floats, years: Floats) -> sparse.csr_array:
    """Return the inverse normal matrix of stars: position and motion of each, the same for both axes."""
    count = len(anchors.epochs)
    with np.errstate(divide="ignore"):
        place = np.where(np.isfinite(anchors.errors), 1 / anchors.errors**2, 0.0)
    a = np.bincount(observations.star, weights, count) + place
    b = np.bincount(observations.star, weights * years, count)
    c = np.bincount(observations.star, weights * years**2, count) + 1 / anchors.motion_errors**2
    unseen = a == 0
    a[unseen] = 1.0
    determinant = a * c - b**2
    even = 2 * np.arange(count)
    return sparse.csr_array(
        (
            np.concatenate([c, a, -b, -b]) / np.tile(determinant, 4),
            (np.concatenate([even, even + 1, even, even + 1]), np.concatenate([even, even + 1, even + 1, even])),
        ),
        shape=(2 * count, 2 * count),
    )


def _variances(design: Sequence[sparse.csr_array], covariances: Floats, observations: Observations) -> Floats:
    """Return the variance of each observed position by the errors of its exposure's correction, mean of both axes."""
    total = np.zeros(len(observations.exposure))
    for columns in design:
        for index in np.unique(observations.exposure):
            rows = np.flatnonzero(observations.exposure == index)
            own = columns[rows, _EACH * index : _EACH * index + _EACH].toarray()
            total[rows] += np.einsum("ni,ij,nj->n", own, covariances[index], own) / 2
    return total


def _covariances(factors: splu, size: int, count: int) -> Floats:
    """Return blocks on the diagonal of the inverse normal matrix, one per exposure."""
    found = np.empty((count, _EACH, _EACH))
    for start in range(0, _EACH * count, _COLUMNS):
        end = min(start + _COLUMNS, _EACH * count)
        unit = np.zeros((size, end - start))
        unit[np.arange(start, end), np.arange(end - start)] = 1.0
        inverse = factors.solve(unit)
        for index in range(start // _EACH, end // _EACH):
            rows = slice(_EACH * index, _EACH * index + _EACH)
            found[index] = inverse[rows, _EACH * index - start : _EACH * index - start + _EACH]
    return found
