"""How long a run will take yet: estimates, corrected by what its finished tasks took, scheduled over its workers."""

from __future__ import annotations

import heapq
from collections import defaultdict
from typing import TYPE_CHECKING

from hstmosaic.progress_model import RUNNING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hstmosaic.progress_model import ProgressState, Task

_ORDER = {"drizzle": 0, "align": 1, "sources": 1}
"""What the pool serves first; the rest comes last."""
_ON_TOP = 0.1
"""So much longer than until now, in units of that, is a task expected to run that has exceeded what was expected."""


def time_left(state: ProgressState, now: float) -> float | None:
    """Return how many seconds a run will take yet.

    Parameters
    ----------
    state : ProgressState
        How far it is.
    now : float
        Seconds since 1970.

    Returns
    -------
    float or None
        0 for a run that is over; None while there is no plan, or nobody to work on it.
    """
    if state.ended is not None:
        return 0.0
    if not state.tasks:
        return None
    unfinished = {name: task for name, task in state.tasks.items() if not task.over}
    if not unfinished:
        return 0.0
    if not state.slots:
        return None
    return _makespan(_durations(state, unfinished, now), unfinished, state)


def in_words(seconds: float | None) -> str:
    """Return a time left as people say it."""
    if seconds is None:
        return "time left not known yet"
    if seconds < 90:
        return f"about {max(round(seconds), 1) if seconds else 0} s left"
    minutes = round(seconds / 60)
    return f"about {minutes} min left" if minutes < 90 else f"about {minutes // 60} h {minutes % 60} min left"


def _durations(state: ProgressState, unfinished: Mapping[str, Task], now: float) -> dict[str, float]:
    """How long every unfinished task will take yet."""
    pace = _paces(state, now)
    left = {}
    for name, task in unfinished.items():
        expected = pace[task.group] * task.seconds
        elapsed = max(now - task.started, 0.0) if task.state == RUNNING else 0.0
        left[name] = max(expected - elapsed, _ON_TOP * elapsed)
    return left


def _paces(state: ProgressState, now: float) -> dict[str, float]:
    """Seconds that an estimated second takes, by group.

    Groups of which little is known go by what all tasks took; a task that runs longer than its share counts too.
    """
    known: dict[str, list[tuple[float, float]]] = defaultdict(list)
    exceeded: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for task in state.tasks.values():
        if task.took is not None and task.over:
            known[task.group].append((task.took, task.seconds))
        elif task.state == RUNNING and now - task.started > task.seconds:
            exceeded[task.group].append((now - task.started, task.seconds))
    mean = sum(task.seconds for task in state.tasks.values()) / len(state.tasks)
    overall = _pace([pair for pairs in known.values() for pair in pairs], 1.0, mean)
    groups = {task.group for task in state.tasks.values()}
    return {group: _pace(known[group] + exceeded[group], overall, mean) for group in groups}


def _pace(pairs: Sequence[tuple[float, float]], otherwise: float, weight: float) -> float:
    """Ratio of sums, with one task more than there are, of the mean size, that took what others did."""
    weight = min(weight, sum(estimated for _, estimated in pairs) / len(pairs)) if pairs else weight
    took, estimated = (sum(numbers) for numbers in zip((otherwise * weight, weight), *pairs, strict=True))
    return took / estimated if estimated else otherwise


def _makespan(durations: Mapping[str, float], tasks: Mapping[str, Task], state: ProgressState) -> float:
    """Play the rest of the run: the longest first, as many at a time as there are slots and memory."""
    gates = {id(task.after): sum(name in tasks for name in task.after) for task in tasks.values()}
    behind: dict[int, list[str]] = {id(task.after): [] for task in tasks.values()}
    opens: dict[str, list[int]] = defaultdict(list)
    for gate, names in {id(task.after): task.after for task in tasks.values()}.items():
        for name in names:
            opens[name].append(gate)
    slots, memory = max(state.slots, 1), state.memory_mb
    ready: list[tuple[int, float, str]] = []
    running: list[tuple[float, str]] = []

    def make_ready(name: str) -> None:
        heapq.heappush(ready, (_ORDER.get(name.partition("-")[0], 2), -durations[name], name))

    for name, task in tasks.items():
        if task.state == RUNNING:
            heapq.heappush(running, (durations[name], name))
            memory -= task.memory_mb
        elif gates[id(task.after)]:
            behind[id(task.after)].append(name)
        else:
            make_ready(name)
    now = 0.0
    while ready or running:
        while ready and len(running) < slots and (not running or tasks[ready[0][2]].memory_mb <= memory):
            name = heapq.heappop(ready)[2]
            memory -= tasks[name].memory_mb
            heapq.heappush(running, (now + durations[name], name))
        now, name = heapq.heappop(running)
        memory += tasks[name].memory_mb
        for gate in opens[name]:
            gates[gate] -= 1
            if not gates[gate]:
                for waiting in behind[gate]:
                    make_ready(waiting)
    return now
