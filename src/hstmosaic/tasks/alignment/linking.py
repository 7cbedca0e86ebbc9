"""Links between exposures: which ones show the same sources, and first corrections that bring these together."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from hstmosaic.tasks.alignment.coincidence import Coincidence, coincidence, moved, pairs
from hstmosaic.tasks.alignment.inputs import REACH, UNKNOWN_MOTION

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hstmosaic.tasks.alignment.inputs import Detections, Floats, Integers, Stars

OWN_REACH = 1.5
"""Arcsec: the largest error of an exposure against its visit that is looked for."""
_MOST_SOURCES = 3000
TOLERANCE = 0.03
"""Arcsec: pairs are this close together at least, whatever their listed errors."""


@dataclass(frozen=True)
class Move:
    """A similarity around a point, as first correction of an exposure."""

    centre: Floats
    shift: Floats
    factor: complex = 1 + 0j

    def __call__(self, places: Floats) -> Floats:
        """Apply it to positions, shape (n, 2)."""
        return moved(places, self.centre, self.shift, self.factor)

    def then(self, later: Coincidence) -> Move:
        """Return both in one, around the same centre."""
        centre = later.moved(self(self.centre[None]))[0]
        return Move(self.centre, centre - self.centre, self.factor * later.factor)


@dataclass
class Frame:
    """Exposures that were linked, with their corrections and their sources as one list."""

    moves: dict[int, Move] = field(default_factory=dict)
    places: Floats = field(default_factory=lambda: np.empty((0, 2)))
    counts: Integers = field(default_factory=lambda: np.empty(0, dtype=int))
    """Number of exposures that show each source."""
    epoch: float = 0.0
    catalog: Coincidence | None = None
    """Fit of the frame to the catalogue; None without one."""

    def add(self, index: int, move: Move, exposure: Detections) -> None:
        """Add an exposure whose correction is known."""
        self.epoch = (self.epoch * len(self.moves) + exposure.epoch) / (len(self.moves) + 1)
        self.moves[index] = move
        self.merge(move(exposure.places), np.ones(len(exposure.places), dtype=int))

    def merge(self, places: Floats, counts: Integers) -> None:
        """Add sources, those that are there already to these."""
        if len(self.places) and len(places):
            new, old = pairs(places, self.places, 2 * TOLERANCE)
            total = (self.counts[old] + counts[new])[:, None]
            mean = self.places[old] * self.counts[old][:, None] + places[new] * counts[new][:, None]
            self.places[old] = mean / total
            self.counts[old] += counts[new]
            rest = np.ones(len(places), dtype=bool)
            rest[new] = False
            places, counts = places[rest], counts[rest]
        self.places = np.concatenate([self.places, places])
        self.counts = np.concatenate([self.counts, counts])

    def best(self) -> Floats:
        """Return the sources that most exposures show, first."""
        return np.asarray(self.places[np.argsort(-self.counts, kind="stable")][:_MOST_SOURCES])

    def moved(self, found: Coincidence) -> None:
        """Move the whole frame."""
        self.moves = {index: move.then(found) for index, move in self.moves.items()}
        self.places = found.moved(self.places)


def link(exposures: Sequence[Detections], stars: Stars) -> list[Frame]:
    """Link exposures that show the same sources, and frames of these with the catalogue.

    First exposures of one visit with each other, then visits, each as one, the surest links first; then what came out
    with the catalogue. An exposure without a link is in no frame.
    """
    frames = [frame for visit in _visits(exposures) for frame in _frames_of_visit(visit, exposures)]
    frames = _linked(frames, exposures)
    for frame in frames:
        frame.catalog = _to_catalog(frame, exposures, stars)
        if frame.catalog is not None:
            frame.moved(frame.catalog)
    return frames


def _visits(exposures: Sequence[Detections]) -> list[list[int]]:
    visits: dict[str, list[int]] = {}
    for index, exposure in enumerate(exposures):
        visits.setdefault(exposure.visit, []).append(index)
    return list(visits.values())


def _frames_of_visit(members: Sequence[int], exposures: Sequence[Detections]) -> list[Frame]:
    """Link exposures of one visit, each with all before it, those with most sources first."""
    waiting = sorted((i for i in members if len(exposures[i].places)), key=lambda i: -len(exposures[i].places))
    frames = []
    while waiting:
        frame = Frame()
        first = waiting.pop(0)
        frame.add(first, Move(exposures[first].centre, np.zeros(2)), exposures[first])
        linked = True
        while linked:
            linked = False
            for index in list(waiting):
                exposure = exposures[index]
                if not any(exposure.overlaps(exposures[other]) for other in frame.moves):
                    continue
                found = _match(exposure.places, frame.best(), OWN_REACH, exposure.centre, 0.0)
                if found is not None:
                    frame.add(index, Move(exposure.centre, np.zeros(2)).then(found), exposure)
                    waiting.remove(index)
                    linked = True
        frames.append(frame)
    return frames


def _linked(frames: list[Frame], exposures: Sequence[Detections]) -> list[Frame]:
    """Join frames that show the same sources, those with most sources first."""
    waiting = sorted(frames, key=lambda frame: -len(frame.places))
    joined = []
    while waiting:
        frame = waiting.pop(0)
        again = True
        while again:
            again = False
            for other in list(waiting):
                if not any(exposures[i].overlaps(exposures[j]) for i in frame.moves for j in other.moves):
                    continue
                found = _match(other.best(), frame.best(), REACH, None, abs(frame.epoch - other.epoch))
                if found is None:
                    continue
                other.moved(found)
                size = len(frame.moves), len(other.moves)
                frame.epoch = (frame.epoch * size[0] + other.epoch * size[1]) / sum(size)
                frame.moves |= other.moves
                frame.merge(other.places, other.counts)
                waiting.remove(other)
                again = True
        joined.append(frame)
    return joined


def _match(points: Floats, reference: Floats, reach: float, centre: Floats | None, years: float) -> Coincidence | None:
    tolerance = float(np.hypot(TOLERANCE, 2 * UNKNOWN_MOTION * years))
    found = coincidence(points, reference, reach=reach, tolerance=tolerance, centre=centre)
    return found if found is not None and found.real else None


def _to_catalog(frame: Frame, exposures: Sequence[Detections], stars: Stars) -> Coincidence | None:
    if not len(stars):
        return None
    corners = np.concatenate([exposures[index].outline for index in frame.moves])
    places = stars.at(frame.epoch)
    near = ((places > corners.min(axis=0) - REACH) & (places < corners.max(axis=0) + REACH)).all(axis=1)
    if not near.any():
        return None
    years = np.abs(frame.epoch - stars.epochs[near])
    error = np.hypot(
        stars.errors[near], years * np.where(stars.moving[near], stars.motion_errors[near], UNKNOWN_MOTION)
    )
    tolerance = max(TOLERANCE, min(0.2, 3 * float(np.median(error))))
    middle = (corners.min(axis=0) + corners.max(axis=0)) / 2
    found = coincidence(places[near], frame.best(), reach=REACH, tolerance=tolerance, centre=middle)
    return _inverse(found) if found is not None and found.real else None


def _inverse(found: Coincidence) -> Coincidence:
    """Return the similarity that takes the reference to the points."""
    factor = 1 / found.factor
    # x' - c = f (x - c) + s  =>  x - c = (x' - c) / f - s / f
    shift = -(found.shift @ np.array([1, 1j])) * factor
    return Coincidence(
        found.centre,
        np.array([shift.real, shift.imag]),
        factor,
        found.reference,
        found.points,
        found.chance,
        found.scatter,
    )
