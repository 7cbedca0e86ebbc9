"""Progress of a run from its events, the same in the driver and for ``hstmosaic status``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from hstmosaic.monitor.state import DONE, DROPPED, FAILED, RUNNING, WAITING, ProgressState, Report, Task
from hstmosaic.store.alignment_events import Aligned, NotAligned
from hstmosaic.store.payload import Payload
from hstmosaic.store.stage_events import (
    Drawing,
    FailureDigested,
    Finished,
    Gathered,
    LayerFailed,
    Planned,
    Reused,
    ScreeningRejected,
)
from hstmosaic.store.task_names import Stage, dependencies, layer_of, sources_task, stage_of
from hstmosaic.store.worker_events import (
    Ended,
    JobsPending,
    JobSubmitted,
    Progress,
    Retrying,
    Running,
    Skipped,
    Workers,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from hstmosaic.store.events import Event

_KEPT_WARNINGS = 200
_RECENT_LEAST, _RECENT_PART, _RECENT_SECONDS = 4.0, 1 / 8, 30.0
"""Time in which the weight of observed CPU time falls to a half: a part of that of the run, within limits, seconds."""


def advance(state: ProgressState, event: Event) -> ProgressState:
    """Return the progress of a run after an event."""
    change = _CHANGES.get(type(event.payload))
    if change is not None:
        state = _end_of_tasks(change(state, event.payload, event), event)
    if event.level in ("warning", "error"):
        state = replace(state, warnings=(*state.warnings, event.message)[-_KEPT_WARNINGS:])
    return state if event.level == "debug" else replace(state, last=event.message)


def add_up(events: Iterable[Event]) -> ProgressState:
    """Return the progress of a run after all its events."""
    state = ProgressState()
    for event in events:
        state = advance(state, event)
    return state


def _planned(_: ProgressState, planned: Planned, event: Event) -> ProgressState:
    after = dependencies(planned.tasks, planned.layers)
    return ProgressState(
        tasks={name: Task(*estimate, after[name]) for name, estimate in planned.tasks.items()},
        layers=dict.fromkeys(planned.layers, WAITING),
        pace=planned.pace,
        pictures_seconds=planned.pictures_s,
        begun=event.time,
    )


def _running(state: ProgressState, running: Running, event: Event) -> ProgressState:
    changed = {"state": RUNNING, "worker": running.worker, "started": event.time, "attempt": running.attempt}
    state = replace(_with(state, running.task, **changed, cpu=None), pending="")
    layer = layer_of(running.task)
    return _layer_is(state, layer, RUNNING) if layer in state.layers else state


def _ended(state: ProgressState, ended: Ended, _: Event) -> ProgressState:
    took, cpu = (ended.measured.wall_seconds, ended.measured.cpu_seconds) if ended.measured else (None, None)
    return _with(state, ended.task, state=DONE if ended.ok else FAILED, took=took, cpu=cpu)


def _skipped(state: ProgressState, skipped: Skipped, _: Event) -> ProgressState:
    return _with(state, skipped.task, state=DONE)


def _reused(state: ProgressState, reused: Reused, _: Event) -> ProgressState:
    return _layer_is(_drop(_with(state, reused.task, state=DONE), _parts(state, reused.layer)), reused.layer, DONE)


def _retrying(state: ProgressState, retrying: Retrying, _: Event) -> ProgressState:
    state = _with(state, retrying.task, state=WAITING, worker="", memory_mb=retrying.memory_mb)
    return replace(state, retries=state.retries + 1)


def _left_out(state: ProgressState, rejected: ScreeningRejected, _: Event) -> ProgressState:
    return _drop(state, [sources_task(rejected.exposure)])


def _alignment_is_over(state: ProgressState, _: Aligned | NotAligned, __: Event) -> ProgressState:
    return _drop(state, [task for task in state.tasks if stage_of(task) in (Stage.FIND_SOURCES, Stage.ALIGN)])


def _gathered(state: ProgressState, gathered: Gathered, _: Event) -> ProgressState:
    return _layer_is(_drop(state, _parts(state, gathered.layer)), gathered.layer, DONE)


def _failed(state: ProgressState, failed: LayerFailed | FailureDigested, _: Event) -> ProgressState:
    if failed.layer not in state.layers:
        return state
    return _layer_is(_drop(state, _parts(state, failed.layer)), failed.layer, FAILED)


def _workers(state: ProgressState, workers: Workers, _: Event) -> ProgressState:
    return replace(state, **vars(workers))


def _job(state: ProgressState, job: JobSubmitted, _: Event) -> ProgressState:
    return replace(state, jobs=(*state.jobs, job.job))


def _pending(state: ProgressState, _: JobsPending, event: Event) -> ProgressState:
    return replace(state, pending=event.message)


def _progress(state: ProgressState, progress: Progress, event: Event) -> ProgressState:
    state = with_cpu(state, progress.cpu, event.time)
    report = Report(event.time, progress.seconds_left, state.tasks)
    return replace(state, share=max(state.share, progress.share), report=report)


def with_cpu(state: ProgressState, cpu: Mapping[str, float], now: float) -> ProgressState:
    """Return a state in which running tasks have used some CPU time, by name."""
    running = {name: state.tasks[name] for name in cpu if name in state.tasks and state.tasks[name].state == RUNNING}
    again = {name: task for name, task in running.items() if task.cpu is not None and task.looked_at > task.started}
    wall, work = state.recent
    if again:
        between = now - max(task.looked_at for task in again.values())
        recent = min(max(_RECENT_PART * (now - state.begun), _RECENT_LEAST), _RECENT_SECONDS)
        kept = 0.5 ** (max(between, 0.0) / recent)
        wall = kept * wall + sum(max(now - task.looked_at, 0.0) for task in again.values())
        work = kept * work + sum(max(cpu[name] - (task.cpu or 0.0), 0.0) for name, task in again.items())
    looked_at = {
        name: replace(
            task,
            cpu=cpu[name],
            looked_at=now,
            advanced=now if task.cpu is None or cpu[name] > task.cpu else task.advanced,
        )
        for name, task in running.items()
    }
    return replace(state, tasks={**state.tasks, **looked_at}, recent=(wall, work))


def _end_of_tasks(state: ProgressState, event: Event) -> ProgressState:
    """Let the last stage begin with the end of the last task: registration is measured before pictures are drawn."""
    if not state.pictures_seconds or state.drawing_since is not None or state.ended is not None:
        return state
    over = state.tasks and all(task.over for task in state.tasks.values())
    return replace(state, drawing_since=event.time) if over else state


def _drawing(state: ProgressState, _: Drawing, event: Event) -> ProgressState:
    return replace(state, drawing_since=event.time if state.drawing_since is None else state.drawing_since)


def _finished(state: ProgressState, finished: Finished, event: Event) -> ProgressState:
    return replace(state, ended=event.time, exit_code=finished.exit_code, workers=0, slots=0, pending="")


_CHANGES: Mapping[type[Payload], Callable[[ProgressState, Any, Event], ProgressState]] = {
    Planned: _planned,
    Running: _running,
    Ended: _ended,
    Skipped: _skipped,
    Reused: _reused,
    Retrying: _retrying,
    ScreeningRejected: _left_out,
    Aligned: _alignment_is_over,
    NotAligned: _alignment_is_over,
    Gathered: _gathered,
    LayerFailed: _failed,
    FailureDigested: _failed,
    Workers: _workers,
    JobSubmitted: _job,
    JobsPending: _pending,
    Progress: _progress,
    Drawing: _drawing,
    Finished: _finished,
}


def _with(progress: ProgressState, name: str, /, **changed: Any) -> ProgressState:
    if name not in progress.tasks:
        return progress
    return replace(progress, tasks={**progress.tasks, name: replace(progress.tasks[name], **changed)})


def _drop(state: ProgressState, names: Iterable[str]) -> ProgressState:
    dropped = {
        name: replace(state.tasks[name], state=DROPPED)
        for name in names
        if name in state.tasks and not state.tasks[name].over
    }
    return replace(state, tasks={**state.tasks, **dropped})


def _parts(state: ProgressState, layer: str) -> list[str]:
    """Return the tasks that drizzle a layer."""
    return [task for task in state.tasks if stage_of(task) is Stage.DRIZZLE and layer_of(task) == layer]


def _layer_is(state: ProgressState, layer: str, what: str) -> ProgressState:
    return replace(state, layers={**state.layers, layer: what})
