"""Share of a run that is done: moved by the time that passes and the time remaining."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from hstmosaic.monitor.eta import in_words, pictures_done, stalled, time_left, work_done
from hstmosaic.monitor.state import DONE, FAILED, RUNNING
from hstmosaic.store.task_names import Stage, layer_of, stage_of
from hstmosaic.store.worker_events import Progress

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hstmosaic.monitor.state import ProgressState

_MOST = 99
"""Largest percentage that is shown before a run ends."""
_ALMOST = 0.999
"""Largest share before a run ends."""
_RESERVE = 0.2
"""Smallest time remaining that moves the share, as a fraction of the time since the first task began."""
_SILENT = 20.0
"""Time after a report for which the share goes on, seconds; a driver without reports may have been killed."""
_LINEAR = 0.7
"""Share of the estimated work of a task up to which the share that is done is proportional to it."""


def progress_report(state: ProgressState, cpu: Mapping[str, float], now: float) -> Progress:
    """Return the progress that the driver reports regularly.

    Parameters
    ----------
    state : ProgressState
        How far the run is, with the CPU times below.
    cpu : Mapping
        CPU time of the running tasks of this node by name, seconds.
    now : float
        Seconds since 1970.
    """
    left, done = time_left(state, now), sum(task.over for task in state.tasks.values())
    share = round(share_done(state, now), 4)
    return Progress(done, len(state.tasks), share, None if left is None else round(left, 1), dict(cpu))


def share_done(state: ProgressState, now: float) -> float:
    """Return the estimated fraction of a run that is done.

    The rest shrinks as the time remaining does: in a time t after the last report, it is multiplied by T / (T + t),
    where T is the reported time remaining. A wrong T changes only the speed, so the fraction never shrinks. It
    stands still only while the time remaining is unknown. It is 1 only after the end of a run without failures.

    Parameters
    ----------
    state : ProgressState
        How far it is.
    now : float
        Seconds since 1970.
    """
    if state.ended is not None and state.exit_code == 0:
        return 1.0
    if not state.tasks:
        return 0.0
    if state.ended is not None:
        return min(max(state.share, _work_share(state, now)), _ALMOST)
    if state.report is None:
        return min(_first_share(state, now), _ALMOST)
    left = _least_left(state)
    # nothing is reported while pictures are drawn
    longest = _SILENT if state.drawing_since is None else math.inf
    since = min(max(now - state.report.time, 0.0), longest)
    return min(state.share + (1 - state.share) * _moved(since, left), _ALMOST)


def _first_share(state: ProgressState, now: float) -> float:
    """Return the share before the first report, from the plan and the finished tasks."""
    finished = sum(task.seconds for task in state.tasks.values() if task.over)
    left = (_work(state) - finished - state.pictures_seconds) / max(state.slots, 1) + state.pictures_seconds
    since = min(max(now - state.begun, 0.0), _SILENT)
    share = finished / _work(state) if _work(state) else 0.0
    return share + (1 - share) * _moved(since, left)


def _moved(since: float, left: float | None) -> float:
    """Return the fraction of the rest that is done in a time after the time remaining was known."""
    if left is None or not since:
        return 0.0
    return since / left if since < left / 2 else 1 - left / (4 * since)


def _work(state: ProgressState) -> float:
    """Return the estimated work of a run, seconds."""
    return sum(task.seconds for task in state.tasks.values()) + state.pictures_seconds


def _work_share(state: ProgressState, now: float) -> float:
    """Return the fraction of the estimated work that is done."""
    tasks = zip(state.tasks.values(), _shares(state, now), strict=True)
    done = sum(task.seconds * share for task, share in tasks) + state.pictures_seconds * drawing_share(state, now)
    return done / _work(state) if _work(state) else 0.0


def _least_left(state: ProgressState) -> float | None:
    """Return the time remaining at the last report, but at least that of the present speed; None if it is unknown."""
    report = state.report
    if report is None or report.seconds_left is None:
        return None
    first = min((task.started for task in report.tasks.values() if task.started), default=report.time)
    work_left = 1 - _work_share(replace(state, tasks=report.tasks), report.time)
    return max(report.seconds_left, max(work_left, _RESERVE) * (report.time - first))


def layer_shares(state: ProgressState, now: float) -> dict[str, float]:
    """Return the fractions of the running layers that are done, by their names.

    Parameters
    ----------
    state : ProgressState
        How far the run is.
    now : float
        Seconds since 1970.
    """
    sums = {layer: (0.0, 0.0) for layer, what in state.layers.items() if what == RUNNING}
    for (name, task), share in zip(state.tasks.items(), _shares(state, now), strict=True):
        if stage_of(name) is Stage.DRIZZLE and layer_of(name) in sums:
            done, wanted = sums[layer_of(name)]
            sums[layer_of(name)] = done + task.seconds * share, wanted + task.seconds
    return {layer: done / wanted if wanted else 0.0 for layer, (done, wanted) in sums.items()}


def drawing_share(state: ProgressState, now: float) -> float:
    """Return the fraction of the pictures that is drawn."""
    if state.ended is not None or state.drawing_since is None:
        return float(state.drawing == DONE)
    return _part(*pictures_done(state, now))


def _shares(state: ProgressState, now: float) -> list[float]:
    """Return the fraction of each task that is done; running tasks count by their CPU time, where it is known."""
    running = work_done(state, now)
    return [
        _part(*running[name]) if name in running else float(task.over and (task.state != FAILED or state.ended is None))
        for name, task in state.tasks.items()
    ]


def _part(done: float, wanted: float) -> float:
    """Return a fraction that goes on growing, ever more slowly, where the work is larger than estimated."""
    share = max(done, 0.0) / wanted if wanted > 0 else 0.0
    if share <= _LINEAR:
        return share
    return 1 - (1 - _LINEAR) / (1 + math.log1p((share - _LINEAR) / (1 - _LINEAR)))


def progress_words(state: ProgressState, now: float) -> str:
    """Return the progress and the time remaining of a run as text."""
    # 100 % would promise that the run has ended
    share = min(int(100 * share_done(state, now)), _MOST)
    names = stalled(state, now)
    if not names:
        return f"{share} % done, {in_words(time_left(state, now))}"
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    verb = "do" if more else "does"
    return f"{share} % done, {in_words(None)}: {names[0]}{more} {verb} not advance"
