"""How far a run is: what its events add up to, the same for who watches it and for who asks from another shell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from hstmosaic.plan.tasks import ALIGN_TASK, STAGES, drizzle_task, screen_task, sources_task, stage_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from hstmosaic.run.events import Event

WAITING, RUNNING, DONE, FAILED, DROPPED = "waiting", "running", "done", "failed", "dropped"
_OVER = frozenset({DONE, FAILED, DROPPED})
_KEPT_WARNINGS = 200


@dataclass(frozen=True)
class Task:
    """A task of a run."""

    seconds: float
    """What it was estimated to take."""
    memory_mb: int
    """The same; what it claims while it runs."""
    group: str
    """Tasks that are alike."""
    after: tuple[str, ...] = ()
    """Tasks that must be over before it can start."""
    state: str = WAITING
    """``waiting``, ``running``, ``done``, ``failed``, or ``dropped`` where nobody needs it any more."""
    worker: str = ""
    started: float = 0.0
    """When it was handed to its worker, seconds since 1970."""
    took: float | None = None
    """Wall time in seconds, where it has run in this run and was measured."""
    cpu: float | None = None
    """The same of CPU time; of a running task, what it had taken when it was looked at."""
    looked_at: float = 0.0
    """When that was."""
    attempt: int = 1

    @property
    def over(self) -> bool:
        """Whether nothing is to be done for it any more."""
        return self.state in _OVER


@dataclass(frozen=True)
class ProgressState:
    """How far a run is."""

    tasks: Mapping[str, Task] = field(default_factory=dict)
    """By name, in the order of the stages."""
    layers: Mapping[str, str] = field(default_factory=dict)
    """What became of each layer: ``waiting``, ``running``, ``done`` or ``failed``; done when its products are out."""
    pace: float = 1.0
    """Wall time that the estimates reckon with for a second of CPU time."""
    begun: float = 0.0
    """When the plan was made, seconds since 1970."""
    ended: float | None = None
    exit_code: int | None = None
    workers: int = 0
    slots: int = 0
    """Tasks at a time."""
    memory_mb: int = 0
    """What tasks may claim together."""
    jobs: tuple[str, ...] = ()
    """Numbers of the jobs that were submitted."""
    retries: int = 0
    pending: str = ""
    """Why jobs wait, in the words that were told last; empty once a task runs."""
    last: str = ""
    """What was told last."""
    warnings: tuple[str, ...] = ()

    def stages(self) -> dict[str, list[Task]]:
        """Return the tasks of each stage, in the order of the stages."""
        found: dict[str, list[Task]] = {name: [] for name in STAGES.values()}
        for name, task in self.tasks.items():
            found[stage_of(name)].append(task)
        return {stage: tasks for stage, tasks in found.items() if tasks}

    @property
    def claimed_mb(self) -> int:
        """Memory that the running tasks claim, 10^6 bytes."""
        return sum(task.memory_mb for task in self.tasks.values() if task.state == RUNNING)


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
    screens = tuple(task for task in given if task.startswith("screen-"))
    sources = tuple(task for task in given if task.startswith("sources-"))
    before_drizzling = (ALIGN_TASK,) if ALIGN_TASK in given else None
    tasks = {}
    for name, (seconds, memory_mb, group) in given.items():
        after: tuple[str, ...] = ()
        if name == ALIGN_TASK:
            after = sources
        elif name.startswith("sources-"):
            after = screens
        elif name.startswith("drizzle-"):
            after = before_drizzling or tuple(screen_task(exposure) for exposure in layers[_layer(name)])
        tasks[name] = Task(seconds, memory_mb, group, after)
    pace = event.data.get("pace", 1.0)
    return ProgressState(tasks=tasks, layers=dict.fromkeys(layers, WAITING), pace=pace, begun=event.time)


def _running(state: ProgressState, event: Event) -> ProgressState:
    told = event.data
    changed = {"state": RUNNING, "worker": told["worker"], "started": event.time, "attempt": told["attempt"]}
    state = replace(_with(state, told["task"], **changed, cpu=None), pending="")
    layer = _layer(told["task"])
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
    return _drop(state, [task for task in state.tasks if task == ALIGN_TASK or task.startswith("sources-")])


def _gathered(state: ProgressState, event: Event) -> ProgressState:
    return _layer_is(state, event.data["layer"], DONE)


def _failed(state: ProgressState, event: Event) -> ProgressState:
    layer = str(event.data.get("layer"))
    if layer not in state.layers:
        return state
    return _layer_is(_drop(state, [drizzle_task(layer)]), layer, FAILED)


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
    looked_at = {name: replace(task, cpu=cpu[name], looked_at=now) for name, task in running.items()}
    return replace(state, tasks={**state.tasks, **looked_at})


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


def _layer(task: str) -> str:
    return task.removeprefix("drizzle-")


def _layer_is(state: ProgressState, layer: str, what: str) -> ProgressState:
    return replace(state, layers={**state.layers, layer: what})
