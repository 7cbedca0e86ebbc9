"""Speed of the machine of a run, as its finished and running tasks show it."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hstmosaic.monitor.state import DONE, RUNNING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from hstmosaic.monitor.state import ProgressState, Task

_MACHINE, _KIND, _CAMERA, _TASK = 1.5, 0.2, 0.15, 0.1
"""Standard deviations of the logarithm of CPU time over its estimate: of machines, of the kinds of tasks on one
machine, of the cameras of one kind, and of the tasks of one group."""
_SMALL = 0.3
"""Time that tasks of a group may take besides their work, seconds of the estimates."""
_MOST = 20.0
"""Largest CPU time that is believed, and inverse of the smallest one, as a multiple of its estimate."""
ON_TOP = 0.1
"""Expected rest of a task that exceeded its estimate, as a fraction of the time that it has run."""
_IDLE = 0.05
_SHORTEST, _PART = 4.0, 1 / 8
"""Time, seconds, in which the weight of an observed pace falls to a half, and the same as a part of the time so far."""
_NOTHING = 1e-3
"""Estimate of tasks that show nothing, seconds."""
_A_SECOND, _IMPORT = 1.0, 10.0


@dataclass(frozen=True)
class Speeds:
    """CPU time of tasks as a multiple of its estimate, and their wall time as a multiple of CPU time."""

    machine: float
    """Of a kind of tasks of which nothing is known yet."""
    groups: Mapping[str, float]
    """Of each group."""
    pace: float
    """Wall time for a second of CPU time, relative to the estimates."""

    def wall(self, task: Task) -> float:
        """Return the expected wall time of a task, seconds."""
        return self.pace * self.groups[task.group] * task.seconds

    def pictures(self, state: ProgressState) -> float:
        """Return the expected wall time of the pictures at the end of a run, seconds."""
        return self.pace * self.machine * state.pictures_seconds


@dataclass(frozen=True)
class _Belief:
    """Logarithm of a speed, with its variance."""

    mean: float
    variance: float

    def spread(self, deviation: float) -> _Belief:
        """Return what it tells about another one that deviates."""
        return _Belief(self.mean, self.variance + deviation**2)


def speeds_of(state: ProgressState, now: float, *, with_late: bool = True) -> Speeds:
    """Return the speed of the machine and of each group of tasks.

    The speed of a group leans on its own tasks, then on those of its kind with other cameras, then on all tasks, the
    more the fewer of its own have ended.

    Parameters
    ----------
    state : ProgressState
        How far the run is.
    now : float
        Seconds since 1970.
    with_late : bool
        Whether running tasks that exceed their estimate count, too.
    """
    pace = _pace(state, now)
    ended = [(task.group, work * state.pace, task.seconds) for task, _, work in _measured(state) if task.state == DONE]
    speeds = _speeds(state, ended, pace)
    late = list(_late(state, speeds, now, anything=bool(ended))) if with_late else []
    return _speeds(state, ended + late, pace) if late else speeds


def is_looked_at(task: Task) -> bool:
    """Return whether the CPU time of a running task is known and shows its progress."""
    since = task.looked_at - task.started
    return task.state == RUNNING and task.cpu is not None and task.cpu > max(_IDLE * since, _A_SECOND) and since > 0


def _late(state: ProgressState, speeds: Speeds, now: float, *, anything: bool) -> Iterator[tuple[str, float, float]]:
    """Yield the running tasks that exceed what is expected of them: so will later ones."""
    for task in state.tasks.values():
        if task.state != RUNNING:
            continue
        if is_looked_at(task):
            work, allowance = (task.cpu or 0.0) * state.pace, 0.0
        elif anything:
            work, allowance = max(now - task.started, 0.0) / speeds.pace, _IMPORT / speeds.pace
        else:
            continue  # the first tasks of a worker wait until drizzlepac is imported
        if work > speeds.groups[task.group] * task.seconds + allowance:
            yield task.group, (1 + ON_TOP) * work, task.seconds


def _measured(state: ProgressState) -> Iterator[tuple[Task, float, float]]:
    """Yield the tasks that were measured, with their wall time and CPU time."""
    for task in state.tasks.values():
        if task.over and task.took is not None and task.cpu is not None:
            # tasks that wait without computing, such as placeholders, do not show that the machine is busy
            yield task, task.took, task.cpu if task.cpu > _IDLE * task.took else task.took


def _pace(state: ProgressState, now: float) -> float:
    """Return wall time for a second of CPU time, relative to the estimates; recent tasks count most."""
    took = cpu = _A_SECOND
    while_it_counts = max(_PART * (now - state.begun), _SHORTEST)
    for task, wall, done in _measured(state):
        weight = 0.5 ** (max(now - task.started - wall, 0.0) / while_it_counts)
        took, cpu = took + weight * wall, cpu + weight * done * state.pace
    wall, done = state.recent
    if done > _IDLE * wall:
        took, cpu = took + wall, cpu + done * state.pace
    return took / cpu


def _speeds(state: ProgressState, tasks: Iterable[tuple[str, float, float]], pace: float) -> Speeds:
    """Return the speeds that tasks show, of which group, work and estimate are given."""
    sums: dict[str, tuple[float, float, int]] = defaultdict(lambda: (0.0, 0.0, 0))
    for group, work, estimated in tasks:
        all_work, all_estimated, count = sums[group]
        sums[group] = all_work + work, all_estimated + estimated, count + 1
    seen = {group: _belief(*numbers) for group, numbers in sums.items() if numbers[1] > _NOTHING}
    kinds: dict[str, list[_Belief]] = defaultdict(list)
    for group, belief in seen.items():
        kinds[_kind(group)].append(belief.spread(_CAMERA))
    together = {kind: _combined(*beliefs) for kind, beliefs in kinds.items()}
    machine = _combined(_Belief(0.0, _MACHINE**2), *(belief.spread(_KIND) for belief in together.values())).mean

    def speed(group: str) -> float:
        kind = together.get(_kind(group))
        usual = machine if kind is None else _combined(_Belief(machine, _KIND**2), kind).mean
        return math.exp(_combined(_Belief(usual, _CAMERA**2), seen[group]).mean if group in seen else usual)

    return Speeds(math.exp(machine), {group: speed(group) for group in {t.group for t in state.tasks.values()}}, pace)


def _kind(group: str) -> str:
    return group.partition(" ")[0]


def _belief(work: float, estimated: float, tasks: int) -> _Belief:
    """Return what some tasks of a group show together."""
    ratio = min(max(work / estimated, 1 / _MOST), _MOST)
    return _Belief(math.log(ratio), _TASK**2 / tasks + (_SMALL / estimated) ** 2)


def _combined(*beliefs: _Belief) -> _Belief:
    precision = sum(1 / belief.variance for belief in beliefs)
    return _Belief(sum(belief.mean / belief.variance for belief in beliefs) / precision, 1 / precision)
