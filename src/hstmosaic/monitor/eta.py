"""Time remaining: estimates, corrected by the finished tasks, scheduled over the workers."""

from __future__ import annotations

import heapq
from collections import defaultdict
from typing import TYPE_CHECKING

from hstmosaic.monitor.state import RUNNING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from hstmosaic.monitor.state import ProgressState, Task

_ORDER = {"drizzle": 0, "align": 1, "sources": 1}
"""Order in which the pool serves stages; the others come last."""
_ON_TOP = 0.1
"""Expected rest of a task that exceeded its estimate, as a fraction of the time that it has run."""
_IDLE = 0.05
_PICTURES = "drawing of the pictures"
_A_SECOND, _A_MINUTE, _IMPORT = 1.0, 60.0, 10.0
_STILL, _LATE = 60.0, 5
"""A running task is stalled after this time (seconds) without CPU time, or beyond a multiple of its
estimate."""
_DOUBT = 4
"""Weight of the estimates, in tasks that took as long as estimated."""


def time_left(state: ProgressState, now: float) -> float | None:
    """Return the time remaining of a run, seconds.

    Parameters
    ----------
    state : ProgressState
        How far it is.
    now : float
        Seconds since 1970.

    Returns
    -------
    float or None
        0 for a run that is over; None without a plan or workers, and while tasks are stalled.
    """
    if state.ended is not None:
        return 0.0
    if not state.tasks or stalled(state, now):
        return None
    unfinished = {name: task for name, task in state.tasks.items() if not task.over}
    if state.drawing_since is not None:
        drawn = now - state.drawing_since
        return max(state.pictures_seconds - drawn, _ON_TOP * drawn)
    if not unfinished:
        return state.pictures_seconds
    if not state.slots:
        return None
    return _makespan(_durations(state, unfinished, now), unfinished, state) + state.pictures_seconds


def stalled(state: ProgressState, now: float) -> list[str]:
    """Return the names of running tasks that do not advance, so that the time remaining is unknown.

    Parameters
    ----------
    state : ProgressState
        How far the run is.
    now : float
        Seconds since 1970.
    """
    running = {name: task for name, task in state.tasks.items() if task.state == RUNNING}
    if state.ended is not None or not running:
        late = state.ended is None and state.drawing_since is not None
        late = late and now - (state.drawing_since or now) > _LATE * state.pictures_seconds + _STILL
        return [_PICTURES] if late else []
    speeds = _speeds(state)
    pace = pace_of(state, now)
    return [
        name
        for name, task in running.items()
        if (
            now - task.advanced > _STILL
            if task.cpu is not None
            else now - task.started > _LATE * pace * speeds[task.group] * task.seconds + _STILL
        )
    ]


def pace_of(state: ProgressState, now: float) -> float:
    """Return the wall time for a second of CPU time, relative to the estimates."""
    return _pace(state, {}, {}, now)


def work_done(state: ProgressState, now: float) -> dict[str, tuple[float, float]]:
    """Return the wall time that running tasks have used and the expected one, seconds, by their names."""
    speeds = _speeds(state)
    work = {name: speeds[task.group] * task.seconds for name, task in state.tasks.items() if task.state == RUNNING}
    elapsed = {name: max(now - state.tasks[name].started, 0.0) for name in work}
    pace = _pace(state, work, elapsed, now)
    return {
        name: (_done(state.tasks[name], pace * state.pace, elapsed[name], now), pace * needed)
        for name, needed in work.items()
    }


def in_words(seconds: float | None) -> str:
    """Return a time remaining as text."""
    if seconds is None:
        return "time left unknown"
    if seconds < 90:
        return f"about {max(round(seconds), 1) if seconds else 0} s left"
    minutes = round(seconds / 60)
    return f"about {minutes} min left" if minutes < 90 else f"about {minutes // 60} h {minutes % 60} min left"


def _durations(state: ProgressState, unfinished: Mapping[str, Task], now: float) -> dict[str, float]:
    """Return the time remaining of every unfinished task."""
    speeds = _speeds(state)
    work = {name: speeds[task.group] * task.seconds for name, task in unfinished.items()}
    elapsed = {name: max(now - task.started, 0.0) for name, task in unfinished.items() if task.state == RUNNING}
    pace = _pace(state, work, elapsed, now)
    left = {}
    for name, needed in work.items():
        since = elapsed.get(name, 0.0)
        left[name] = max(pace * needed - _done(unfinished[name], pace * state.pace, since, now), _ON_TOP * since)
    return left


def _done(task: Task, pace: float, since: float, now: float) -> float:
    """Return how long a task has run, as if the machine had always been as busy as now."""
    return pace * (task.cpu or 0.0) + max(now - task.looked_at, 0.0) if _is_looked_at(task) else since


def _is_looked_at(task: Task) -> bool:
    """Return whether the CPU time of a running task is known and shows its progress."""
    since = task.looked_at - task.started
    return task.state == RUNNING and task.cpu is not None and task.cpu > max(_IDLE * since, _A_SECOND) and since > 0


def _measured(state: ProgressState) -> Iterator[tuple[Task, float, float]]:
    """Yield the tasks that were measured, with their wall time and CPU time."""
    for task in state.tasks.values():
        if task.over and task.took is not None and task.cpu is not None:
            # tasks that wait without computing, such as placeholders, do not show that the machine is busy
            yield task, task.took, task.cpu if task.cpu > _IDLE * task.took else task.took


def _pace(state: ProgressState, work: Mapping[str, float], elapsed: Mapping[str, float], now: float) -> float:
    """Return wall time for a second of CPU time, relative to the estimates; recent tasks count most."""
    took = cpu = _A_SECOND
    while_it_counts = _A_MINUTE + max(now - state.begun, 0.0) / 4
    for task, wall, done in _measured(state):
        weight = 0.5 ** (max(now - task.started - wall, 0.0) / while_it_counts)
        took, cpu = took + weight * wall, cpu + weight * done * state.pace
    wall, done = state.recent
    if done > _IDLE * wall:
        took, cpu = took + wall, cpu + done * state.pace
    so_far = took / cpu
    if took == _A_SECOND:
        return so_far  # the first tasks of a worker wait until drizzlepac is imported
    for name, since in elapsed.items():
        # it takes longer than estimated, and so will later ones
        if since > so_far * work[name] + _IMPORT and not _is_looked_at(state.tasks[name]):
            took, cpu = took + (1 + _ON_TOP) * since, cpu + work[name]
    return took / cpu


def _speeds(state: ProgressState) -> dict[str, float]:
    """Return CPU time as a multiple of the estimate, by group; groups with few tasks lean on all groups."""
    sums: dict[str, tuple[float, float]] = {task.group: (0.0, 0.0) for task in state.tasks.values()}
    for task, _, work in _measured(state):
        done, estimated = sums[task.group]
        sums[task.group] = done + work * state.pace, estimated + task.seconds
    typical = sum(task.seconds for task in state.tasks.values()) / len(state.tasks)
    done, estimated = (sum(numbers) for numbers in zip(*sums.values(), strict=True))
    overall = (done + typical * _DOUBT) / (estimated + typical * _DOUBT) if typical else 1.0
    return {group: (done + overall * _A_SECOND) / (part + _A_SECOND) for group, (done, part) in sums.items()}


def _makespan(durations: Mapping[str, float], tasks: Mapping[str, Task], state: ProgressState) -> float:
    """Simulate the rest of the run: the longest task first, as many at a time as slots and memory allow."""
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
