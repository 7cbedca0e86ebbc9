"""Schedule of the rest of a run on its workers."""

from __future__ import annotations

import heapq
from collections import defaultdict
from typing import TYPE_CHECKING

from hstmosaic.monitor.state import RUNNING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hstmosaic.monitor.state import ProgressState, Task

_ORDER = {"drizzle": 0, "align": 1, "sources": 1}
"""Order in which the pool serves stages; the others come last."""


def makespan(durations: Mapping[str, float], tasks: Mapping[str, Task], state: ProgressState) -> float:
    """Return how long the rest of a run takes: the longest task first, as many at a time as slots and memory allow.

    Parameters
    ----------
    durations : Mapping
        Time remaining of each unfinished task by name, seconds.
    tasks : Mapping
        These tasks.
    state : ProgressState
        The run, with its slots and memory.

    Returns
    -------
    float
        Seconds.
    """
    # many tasks wait for the same ones
    known = {id(task.after): task.after for task in tasks.values()}
    gates = {gate: sum(name in tasks for name in names) for gate, names in known.items()}
    behind: dict[int, list[str]] = {gate: [] for gate in gates}
    opens: dict[str, list[int]] = defaultdict(list)
    for gate, names in known.items():
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
