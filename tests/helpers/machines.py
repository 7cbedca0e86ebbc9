"""Runs on pretended machines: the events that the driver would log, without a task that works."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from helpers.events import event_of, reported_again
from helpers.pointed_exposures import Aim, aimed
from hstmosaic.plan.estimates import (
    Estimate,
    estimate_boxes,
    estimate_drizzle,
    estimate_fit,
    estimate_pictures,
    estimate_screen,
    estimate_sources,
)
from hstmosaic.plan.limits import Grid
from hstmosaic.run.heartbeat import interval
from hstmosaic.store.task_names import ALIGN_TASK, dependencies, layer_tasks, screen_task, sources_task

_BEGUN = 1000.0
_IMPORT, _BETWEEN = 0.5, 0.05
"""CPU time before the first tasks begin, and wall time between two tasks, seconds."""


@dataclass(frozen=True)
class Layer:
    """A layer of full frames of a camera."""

    camera: str
    exposures: int
    megapixels: float = 30.0
    """Of its mosaic."""
    boxes: int = 1


@dataclass(frozen=True)
class Work:
    """Tasks of a run, as planned with nothing learned."""

    tasks: Mapping[str, Estimate]
    layers: Mapping[str, list[str]]
    pictures: float


def work_of(*layers: Layer, align: bool) -> Work:
    """Return the tasks that make some layers."""
    before: dict[str, Estimate] = {}
    searches: dict[str, Estimate] = {}
    drizzles: dict[str, Estimate] = {}
    names, everything, grids = {}, [], []
    for number, layer in enumerate(layers):
        full = aimed(Aim(180.0, 26.0, camera=layer.camera, shape=None))
        members = [replace(full, name=f"e{number}x{i}.fits") for i in range(layer.exposures)]
        side = round((layer.megapixels * 1e6) ** 0.5)
        own = [Grid(0.04, (side, side), (0, 0), (0, 0))]
        name, names[f"layer{number}"] = f"layer{number}", [member.name for member in members]
        before |= {screen_task(member.name): estimate_screen(member) for member in members}
        searches |= {sources_task(member.name): estimate_sources(member) for member in members}
        parts = layer_tasks(name, layer.boxes)
        if layer.boxes == 1:
            drizzles[parts[0]] = estimate_drizzle(members, own)
        else:
            prepare, box, assemble = estimate_boxes(members, own, layer.boxes)
            drizzles |= dict.fromkeys(parts, box) | {parts[0]: prepare, parts[-1]: assemble}
        everything += members
        grids.append(own)
    aligning = searches | {ALIGN_TASK: estimate_fit(everything)} if align else {}
    return Work(before | aligning | drizzles, names, max(estimate_pictures(own, alone=False) for own in grids))


@dataclass(frozen=True)
class Machine:
    """What tasks take on a machine."""

    factor: float = 1.0
    """CPU time as a multiple of the estimates."""
    slots: int = 2
    kinds: Mapping[str, float] = field(default_factory=dict)
    """The same for kinds of tasks and for ``pictures``, on top of the factor."""
    scatter: float = 0.03
    """Standard deviation of its logarithm for single tasks."""
    busy: float = 1.0
    """Wall time for a second of CPU time."""
    sees_cpu: bool = True
    """Whether the driver sees what running tasks take: not those on other nodes."""

    def takes(self, name: str, estimate: float, chance: random.Random) -> float:
        """Return the CPU time of a task, seconds."""
        return self.factor * self.kinds.get(name, 1.0) * estimate * chance.lognormvariate(0.0, self.scatter)


def run_on(machine: Machine, work: Work, seed: int = 0) -> list:
    """Return the events of a run, with the progress that the driver reports."""
    return list(reported_again(_events(machine, work, random.Random(seed))))


def _events(machine, work, chance):
    planned = {name: [task.seconds, task.memory_mb, task.group] for name, task in work.tasks.items()}
    after = dependencies(work.tasks, work.layers)
    needs = {name: machine.takes(task.group.split()[0], task.seconds, chance) for name, task in work.tasks.items()}
    now, started, over, report = _BEGUN, {}, set(), _BEGUN + interval(0.0)
    free = now + machine.factor * _IMPORT
    yield event_of("planned", "", data={"tasks": planned, "layers": work.layers, "pictures_s": work.pictures}, time=now)
    yield event_of("workers", "", "debug", {"workers": 1, "slots": machine.slots, "memory_mb": 10**6}, now)
    while len(over) < len(needs):
        ready = [name for name in needs if name not in over and name not in started and over.issuperset(after[name])]
        for name in sorted(ready, key=lambda name: (not name.startswith("drizzle"), -work.tasks[name].seconds)):
            if len(started) < machine.slots:
                yield event_of("running", "", "debug", {"task": name, "worker": "0", "attempt": 1}, now)
                started[name] = max(now + _BETWEEN, free)
        ends = {name: began + machine.busy * needs[name] for name, began in started.items()}
        first = min(ends, key=ends.__getitem__)
        while report < ends[first]:
            cpu = {name: max(report - began, 0.0) / machine.busy for name, began in started.items()}
            yield event_of("progress", "", "debug", {"cpu": cpu if machine.sees_cpu else {}}, report)
            report += interval(report - _BEGUN)
        now = ends[first]
        took = {"wall_seconds": now - started.pop(first), "cpu_seconds": needs[first], "max_rss_mb": 1.0}
        over.add(first)
        ended = {"task": first, "ok": True, "measured": took | {"host": "", "started": 0.0}}
        yield event_of("ended", "", "debug", ended, now)
    yield event_of("drawing", "", "debug", {}, now)
    drawn = machine.busy * machine.takes("pictures", work.pictures, chance)
    while report < now + drawn:
        yield event_of("progress", "", "debug", {}, report)
        report += interval(report - _BEGUN)
    yield event_of("finished", "", data={"exit_code": 0, "warnings": []}, time=now + drawn)
