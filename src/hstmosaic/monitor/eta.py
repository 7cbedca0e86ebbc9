"""Time remaining: estimates, corrected by the finished tasks, scheduled over the workers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hstmosaic.monitor.schedule import makespan
from hstmosaic.monitor.speeds import ON_TOP, is_looked_at, speeds_of
from hstmosaic.monitor.state import RUNNING

if TYPE_CHECKING:
    from hstmosaic.monitor.speeds import Speeds
    from hstmosaic.monitor.state import ProgressState, Task

_PICTURES = "drawing of the pictures"
_STILL, _LATE = 60.0, 5
"""A running task is stalled after this time (seconds) without CPU time, or beyond a multiple of its
estimate."""


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
    speeds = speeds_of(state, now)
    pictures = speeds.pictures(state)
    if state.drawing_since is not None:
        drawn = now - state.drawing_since
        return max(pictures - drawn, ON_TOP * drawn)
    unfinished = {name: task for name, task in state.tasks.items() if not task.over}
    if not unfinished:
        return pictures
    if not state.slots:
        return None
    durations = {name: _rest(state, task, speeds, now) for name, task in unfinished.items()}
    return makespan(durations, unfinished, state) + pictures


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
    if state.ended is not None:
        return []
    speeds = speeds_of(state, now, with_late=False)
    if not running:
        longest = _LATE * max(speeds.pictures(state), state.pictures_seconds) + _STILL
        return [_PICTURES] if state.drawing_since is not None and now - state.drawing_since > longest else []
    return [
        name
        for name, task in running.items()
        if (
            now - task.advanced > _STILL
            if task.cpu is not None
            else now - task.started > _LATE * speeds.wall(task) + _STILL
        )
    ]


def work_done(state: ProgressState, now: float) -> dict[str, tuple[float, float]]:
    """Return the wall time that running tasks have used and the expected one, seconds, by their names."""
    speeds = speeds_of(state, now)
    running = {name: task for name, task in state.tasks.items() if task.state == RUNNING}
    return {name: (_done(state, task, speeds, now), speeds.wall(task)) for name, task in running.items()}


def pictures_done(state: ProgressState, now: float) -> tuple[float, float]:
    """Return the time for which pictures have been drawn after the last task, and the expected one, seconds."""
    since = 0.0 if state.drawing_since is None else max(now - state.drawing_since, 0.0)
    return since, speeds_of(state, now).pictures(state)


def in_words(seconds: float | None) -> str:
    """Return a time remaining as text."""
    if seconds is None:
        return "time left unknown"
    if seconds < 90:
        return f"about {max(round(seconds), 1) if seconds else 0} s left"
    minutes = round(seconds / 60)
    return f"about {minutes} min left" if minutes < 90 else f"about {minutes // 60} h {minutes % 60} min left"


def _rest(state: ProgressState, task: Task, speeds: Speeds, now: float) -> float:
    """Return the time remaining of an unfinished task."""
    if task.state != RUNNING:
        return speeds.wall(task)
    since = max(now - task.started, 0.0)
    return max(speeds.wall(task) - _done(state, task, speeds, now), ON_TOP * since)


def _done(state: ProgressState, task: Task, speeds: Speeds, now: float) -> float:
    """Return how long a task has run, as if the machine had always been as busy as now."""
    if not is_looked_at(task):
        return max(now - task.started, 0.0)
    return speeds.pace * state.pace * (task.cpu or 0.0) + max(now - task.looked_at, 0.0)
