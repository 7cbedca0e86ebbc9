"""What the events of a run add up to, the same for who watches it and for who asks from another shell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from hstmosaic.monitor.state import DONE, DROPPED, FAILED, RUNNING, WAITING, ProgressState, Task
from hstmosaic.store.task_names import Stage, dependencies, layer_of, sources_task, stage_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from hstmosaic.store.events import Event

_KEPT_WARNINGS = 200
_RECENT_SECONDS = 30.0


def advance(state: ProgressState, event: Event) -> ProgressState:
    """Return how far a run is after an event."""
    change = _CHANGES.get(event.kind)
    if change is not None:
        state = change(state, event)
    if event.level in ("warning", "error"):
        state = replace(state, warnings=(*state.warnings, event.message)[-_KEPT_WARNINGS:])
    return state if event.level == "debug" else replace(state, last=event.message)


def add_up(events: Iterable[Event]) -> ProgressState:
    """Return how far a run is after all its events."""
    state = ProgressState()
    for event in events:
        state = advance(state, event)
    return state


def _planned(_: ProgressState, event: Event) -> ProgressState:
    layers: dict[str, list[str]] = event.data.get("layers", {})
    given: dict[str, list[Any]] = event.data.get("tasks", {})
    after = dependencies(given, layers)
    tasks = {name: Task(seconds, memory_mb, group, after[name]) for name, (seconds, memory_mb, group) in given.items()}
    return ProgressState(
        tasks=tasks,
        layers=dict.fromkeys(layers, WAITING),
        pace=event.data.get("pace", 1.0),
        pictures_seconds=event.data.get("pictures_s", 0.0),
        begun=event.time,
    )


def _running(state: ProgressState, event: Event) -> ProgressState:
    told = event.data
    changed = {"state": RUNNING, "worker": told["worker"], "started": event.time, "attempt": told["attempt"]}
    state = replace(_with(state, told["task"], **changed, cpu=None), pending="")
    layer = layer_of(told["task"])
    return _layer_is(state, layer, RUNNING) if layer in state.layers else state


def _ended(state: ProgressState, event: Event) -> ProgressState:
    measured = event.data["measured"]
    took, cpu = (measured[key] if measured else None for key in ("wall_seconds", "cpu_seconds"))
    return _with(state, event.data["task"], state=DONE if event.data["ok"] else FAILED, took=took, cpu=cpu)


def _skipped(state: ProgressState, event: Event) -> ProgressState:
    return _with(state, event.data["task"], state=DONE)


def _reused(state: ProgressState, event: Event) -> ProgressState:
    return _layer_is(_skipped(state, event), event.data["layer"], DONE)


def _retrying(state: ProgressState, event: Event) -> ProgressState:
    state = _with(state, event.data["task"], state=WAITING, worker="", memory_mb=event.data["memory_mb"])
    return replace(state, retries=state.retries + 1)


def _left_out(state: ProgressState, event: Event) -> ProgressState:
    exposure = event.data.get("exposure")
    return _drop(state, [sources_task(exposure)] if exposure else [])


def _alignment_is_over(state: ProgressState, event: Event) -> ProgressState:
    if "exposure" in event.data:
        return state
    return _drop(state, [task for task in state.tasks if stage_of(task) in (Stage.FIND_SOURCES, Stage.ALIGN)])


def _gathered(state: ProgressState, event: Event) -> ProgressState:
    return _layer_is(state, event.data["layer"], DONE)


def _failed(state: ProgressState, event: Event) -> ProgressState:
    layer = str(event.data.get("layer"))
    if layer not in state.layers:
        return state
    tasks = [task for task in state.tasks if stage_of(task) is Stage.DRIZZLE and layer_of(task) == layer]
    return _layer_is(_drop(state, tasks), layer, FAILED)


def _workers(state: ProgressState, event: Event) -> ProgressState:
    return replace(state, **{key: event.data[key] for key in ("workers", "slots", "memory_mb")})


def _job(state: ProgressState, event: Event) -> ProgressState:
    return replace(state, jobs=(*state.jobs, str(event.data["job"])))


def _pending(state: ProgressState, event: Event) -> ProgressState:
    return replace(state, pending=event.message)


def _progress(state: ProgressState, event: Event) -> ProgressState:
    return with_cpu(state, event.data.get("cpu", {}), event.time)


def with_cpu(state: ProgressState, cpu: Mapping[str, float], now: float) -> ProgressState:
    """Return a state in which running tasks have taken so much CPU time, by their names."""
    running = {name: state.tasks[name] for name in cpu if name in state.tasks and state.tasks[name].state == RUNNING}
    again = {name: task for name, task in running.items() if task.cpu is not None and task.looked_at > task.started}
    wall, work = state.recent
    if again:
        between = now - max(task.looked_at for task in again.values())
        kept = 0.5 ** (max(between, 0.0) / _RECENT_SECONDS)
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


def _drawing(state: ProgressState, event: Event) -> ProgressState:
    return replace(state, drawing_since=event.time)


def _finished(state: ProgressState, event: Event) -> ProgressState:
    return replace(state, ended=event.time, exit_code=event.data.get("exit_code"), workers=0, slots=0, pending="")


_CHANGES: Mapping[str, Callable[[ProgressState, Event], ProgressState]] = {
    "planned": _planned,
    "running": _running,
    "ended": _ended,
    "skipped": _skipped,
    "reused": _reused,
    "retrying": _retrying,
    "left out": _left_out,
    "aligned": _alignment_is_over,
    "not aligned": _alignment_is_over,
    "gathered": _gathered,
    "failed": _failed,
    "workers": _workers,
    "job": _job,
    "pending": _pending,
    "progress": _progress,
    "drawing": _drawing,
    "finished": _finished,
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


def _layer_is(state: ProgressState, layer: str, what: str) -> ProgressState:
    return replace(state, layers={**state.layers, layer: what})
