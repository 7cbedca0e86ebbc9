"""Simulated lists of sources and catalogues with known truth, for tests of the fit that need no pixels."""

from dataclasses import dataclass, replace

import numpy as np

from hstmosaic.tasks.alignment.adjustment import correct
from hstmosaic.tasks.alignment.inputs import Detections, Stars

CAMERAS = {"uvis": (162.0, 0.002), "wfc": (202.0, 0.002), "ir": (130.0, 0.006), "hrc": (26.0, 0.0015)}
"""Side of the field and error of a star's centre, arcsec."""
EPOCH = 2016.0


@dataclass(frozen=True)
class Visit:
    """Exposures of one pointing with one error."""

    camera: str = "uvis"
    exposures: int = 2
    epoch: float = 2012.0
    offset: tuple[float, float] = (0.0, 0.0)
    shift: float = 0.3
    """Largest error of the header, arcsec."""
    roll: float = 0.02
    """Largest turn of the header, degrees."""
    complete: float = 0.9
    """Part of the stars that are found."""


@dataclass(frozen=True, eq=False)
class Lists:
    """A field: what the fit is given, and the truth."""

    exposures: list[Detections]
    stars: Stars
    true_places: list
    """Functions that take header positions in an exposure to true ones."""

    def errors(self, solution):
        """Return the mean error of each exposure (east, north; mas) and its largest one, shape (n, 3)."""
        rows = []
        for exposure, truth, found in zip(self.exposures, self.true_places, solution.exposures, strict=True):
            low, high = exposure.outline.min(axis=0), exposure.outline.max(axis=0)
            grid = np.stack(np.meshgrid(*np.linspace(low, high, 5).T), axis=-1).reshape(-1, 2)
            left = (correct(grid, exposure, found.correction) - truth(grid)) * 1000
            rows.append([*left.mean(axis=0), np.hypot(*left.T).max()])
        return np.array(rows)

    def difference(self, solution, one, other):
        """Return the distance of two exposures in the middle of their overlap, or of each if they have none, mas."""
        outlines = [self.exposures[index].outline for index in (one, other)]
        low, high = np.max([o.min(axis=0) for o in outlines], axis=0), np.min([o.max(axis=0) for o in outlines], axis=0)
        middles = [(low + high) / 2] * 2 if (low < high).all() else [o.mean(axis=0) for o in outlines]
        errors = []
        for index, middle in zip((one, other), middles, strict=True):
            place = middle[None]
            found = correct(place, self.exposures[index], solution.exposures[index].correction)
            errors.append(found - self.true_places[index](place))
        return 1000 * float(np.hypot(*(errors[0] - errors[1])[0]))

    def with_stars(self, **changes):
        """Return the field with another catalogue."""
        return replace(self, stars=replace(self.stars, **changes))


def source_lists(seed, visits, *, density=30.0, junk=30.0, motion=0.003, known=None, error=0.0005):
    """Simulate a field.

    Parameters
    ----------
    seed : int
        Of everything.
    visits : sequence of Visit
        The exposures.
    density : float
        Stars per square arcmin.
    junk : float
        Detections that are no stars (cosmic rays), per exposure.
    motion : float
        Scatter of proper motions, arcsec per year.
    known : float, optional
        Density of stars that the catalogue has; all if None.
    error : float
        Of the catalogue, arcsec.
    """
    rng = np.random.default_rng(seed)
    offsets = np.array([visit.offset for visit in visits])
    low, high = offsets.min(axis=0) - 130, offsets.max(axis=0) + 130
    count = rng.poisson(density * np.prod(high - low) / 3600)
    places, motions = rng.uniform(low, high, (count, 2)), rng.normal(0, motion, (count, 2))
    exposures, truths = [], []
    for number, visit in enumerate(visits):
        side, spread = CAMERAS[visit.camera]
        angle = rng.uniform(0, 2 * np.pi)
        shift = rng.uniform(0.3, 1) * visit.shift * np.array([np.cos(angle), np.sin(angle)])
        roll = np.deg2rad(visit.roll) * rng.choice([-1, 1]) * rng.uniform(0.5, 1)
        turn = np.array([[np.cos(roll), -np.sin(roll)], [np.sin(roll), np.cos(roll)]])
        middle = offsets[number] + rng.normal(0, 4, 2)
        for index in range(visit.exposures):
            centre, own = middle + rng.normal(0, 3, 2), shift + rng.normal(0, 0.001, 2)
            now = places + (visit.epoch - EPOCH) * motions
            seen = (np.abs(now - centre) < side / 2).all(axis=1) & (rng.random(count) < visit.complete)
            found = (now[seen] - centre) @ turn.T + centre + own + rng.normal(0, spread, (np.count_nonzero(seen), 2))
            false = rng.uniform(-side / 2, side / 2, (rng.poisson(junk), 2)) + centre
            found = rng.permutation(np.concatenate([found, false]))
            corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * side / 2 + centre
            name = f"v{number}e{index}"
            exposures.append(Detections(name, f"v{number}", visit.epoch, found, np.full(len(found), spread), corners))
            truths.append(lambda p, c=centre, t=turn, s=own: (p - c - s) @ t + c)
    chosen = np.ones(count, dtype=bool) if known is None else rng.random(count) < known / density
    number = np.count_nonzero(chosen)
    stars = Stars(
        places[chosen] + rng.normal(0, error, (number, 2)),
        np.full(number, EPOCH),
        motions[chosen],
        np.full(number, error),
        np.full(number, 1e-4),
        np.ones(number, dtype=bool),
    )
    return Lists(exposures, stars, truths)


def random_stars(lists, density, seed):
    """Return a catalogue of stars that are not there, so many per square arcmin."""
    rng = np.random.default_rng([seed, 9])
    corners = np.concatenate([exposure.outline for exposure in lists.exposures])
    low, high = corners.min(axis=0) - 10, corners.max(axis=0) + 10
    count = rng.poisson(density * np.prod(high - low) / 3600)
    return Stars(
        rng.uniform(low, high, (count, 2)),
        np.full(count, EPOCH),
        rng.normal(0, 0.003, (count, 2)),
        np.full(count, 0.0005),
        np.full(count, 1e-4),
        np.ones(count, dtype=bool),
    )
