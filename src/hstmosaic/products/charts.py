"""Coordinates of bars, ticks and points in the charts of the report; templates draw them as SVG."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from hstmosaic.store.alignment_results import ExposureFit

KIND_COLORS = {
    "screen": "#56b4e9",
    "sources": "#e69f00",
    "align": "#cc79a7",
    "drizzle": "#009e73",
    "pictures": "#d55e00",
    "other": "#999999",
}
KIND_WORDS = {
    "screen": "screening",
    "sources": "finding stars",
    "align": "aligning",
    "drizzle": "drizzling",
    "pictures": "drawing pictures",
    "other": "other",
}
SIDE = 320
"""Width and height of a plane chart, in its own units."""
_INNER = 250
_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400)
_MOST_POINTS = 3000


@dataclass(frozen=True)
class TaskBar:
    """A task that ran."""

    name: str
    kind: str
    started: float
    """Seconds since 1970."""
    seconds: float
    worker: str
    """Worker or host."""
    memory_mb: float
    """Peak."""
    asked_mb: float | None
    """Memory set aside for it; None if unknown."""
    cpu_seconds: float = 0.0
    ok: bool = True


@dataclass(frozen=True)
class Tick:
    """A mark on an axis."""

    place: float
    """Percent of the axis, or chart units."""
    label: str


@dataclass(frozen=True)
class Timeline:
    """Tasks over workers."""

    lanes: tuple[str, ...]
    """Name of each lane, top to bottom; empty where it is that of the lane above."""
    bars: tuple[tuple[TaskBar, int, float, float], ...]
    """Task, its lane, left edge and width in percent."""
    ticks: tuple[Tick, ...]
    kinds: tuple[str, ...]


def timeline(tasks: Iterable[TaskBar], begin: float, end: float) -> Timeline:
    """Lay tasks out in lanes, as many for a worker as it has run at a time.

    Parameters
    ----------
    tasks : iterable of TaskBar
        In any order.
    begin, end : float
        What the chart spans, seconds since 1970.
    """
    span = max(end - begin, 1e-3)
    names: list[str] = []
    placed = []
    ordered = sorted(tasks, key=lambda task: (task.worker, task.started))
    for worker in dict.fromkeys(task.worker for task in ordered):
        free: list[float] = []
        first = len(names)
        for task in (task for task in ordered if task.worker == worker):
            # clocks and roundings differ by less
            lane = next((k for k, until in enumerate(free) if until <= task.started + 0.05), len(free))
            free[lane : lane + 1] = [task.started + task.seconds]
            placed.append((task, first + lane, 100 * (task.started - begin) / span, 100 * task.seconds / span))
        names += [worker, *[""] * (len(free) - 1)]
    ticks = tuple(Tick(100 * value / span, duration(value)) for value in time_ticks(span))
    present = {task.kind for task in ordered}
    return Timeline(tuple(names), tuple(placed), ticks, tuple(kind for kind in KIND_COLORS if kind in present))


def time_ticks(span: float) -> list[float]:
    """Return round times from 0 to a span in seconds, four to nine of them."""
    step = next((step for step in _STEPS if span / step <= 6), 86400 * math.ceil(span / 86400 / 6))
    return [k * step for k in range(int(span / step) + 1)]


def duration(seconds: float) -> str:
    """Write a time for people."""
    if seconds < 60:
        return f"{seconds:.3g} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02d} min" if minutes else f"{hours} h"
    return f"{minutes} min {rest:02d} s" if rest else f"{minutes} min"


@dataclass(frozen=True)
class MemoryBar:
    """Memory of one kind of task, or of a layer."""

    label: str
    asked_mb: float | None
    used_mb: float


def memory_bars(tasks: Sequence[TaskBar], titles: Mapping[str, str]) -> tuple[MemoryBar, ...]:
    """Return requested and used memory: a bar for each layer, and for every other kind its largest task.

    Parameters
    ----------
    tasks : sequence of TaskBar
        All of them.
    titles : mapping of str to str
        Titles of layers by the names of their tasks.
    """
    bars = []
    for kind, words in KIND_WORDS.items():
        members = [task for task in tasks if task.kind == kind and task.name not in titles]
        if members:
            largest = max(members, key=lambda task: task.memory_mb)
            many = f", largest of {len(members)}" if len(members) > 1 else ""
            bars.append(MemoryBar(words + many, largest.asked_mb, largest.memory_mb))
    layers = [task for task in tasks if task.name in titles]
    return (*bars, *(MemoryBar(titles[task.name], task.asked_mb, task.memory_mb) for task in layers))


@dataclass(frozen=True)
class Plane:
    """A chart of east against north offsets, in milliarcseconds."""

    points: tuple[tuple[float, float, str, str], ...]
    """x, y in chart units, layer, words."""
    ticks: tuple[Tick, ...]
    """The same on both axes; east is to the left."""
    half: float
    """Offset at the edge, mas."""
    zero: float = 0.0
    radius: float = 0.0
    """Of the circle that stands for the RMS, chart units; 0 for none."""


def plane(offsets: Sequence[tuple[float, float, str, str]], rms: float = 0.0) -> Plane:
    """Lay out offsets (east and north in mas, layer, words), at most 3000 of them, evenly chosen."""
    step = max(1, -(-len(offsets) // _MOST_POINTS))
    chosen = offsets[::step]
    far = max((max(abs(east), abs(north)) for east, north, *_ in chosen), default=1.0)
    unit = nice_step(max(far, 1e-3))
    half = unit * math.ceil(far * 1.02 / unit)
    middle = (SIDE - _INNER) / 2 + _INNER / 2
    per_mas = _INNER / 2 / half
    points = tuple(
        (middle - east * per_mas, middle - north * per_mas, layer, words) for east, north, layer, words in chosen
    )
    count = round(half / unit)
    ticks = tuple(
        Tick(middle + k * unit * per_mas, f"{k * unit:g}".replace("-", "\N{MINUS SIGN}"))
        for k in range(-count, count + 1)
    )
    return Plane(points, ticks, half, middle, rms * per_mas)


def nice_step(far: float) -> float:
    """Return a round step of which two to four reach as far as a value."""
    power: float = 10.0 ** math.floor(math.log10(far))
    return next(power * factor for factor in (0.5, 1, 2.5, 5) if far / (power * factor) <= 3)


def residual_points(fits: Mapping[str, ExposureFit], layers: Mapping[str, str]) -> list[tuple[float, float, str, str]]:
    """Return the residuals of stars: east and north in mas, layer, name of the exposure."""
    return [
        (east, north, layers.get(name, ""), name) for name, fit in fits.items() for east, north in fit.residuals_mas
    ]


def shift_points(fits: Mapping[str, ExposureFit], layers: Mapping[str, str]) -> list[tuple[float, float, str, str]]:
    """Return by how much exposures were moved: east and north in mas, layer, words."""
    return [
        (
            *fit.shift_mas,
            layers.get(name, ""),
            "{}: {:+.1f} mas east, {:+.1f} mas north".format(name, *fit.shift_mas),
        )
        for name, fit in fits.items()
    ]
