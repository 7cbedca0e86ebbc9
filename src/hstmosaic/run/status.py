"""How a run is doing, read from its directory by whoever may read it."""

from __future__ import annotations

import fcntl
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hstmosaic.errors import OutputError
from hstmosaic.plan.plan import Plan, plan_from_json
from hstmosaic.plan.specs import LOG_FILE, read_result

if TYPE_CHECKING:
    from pathlib import Path

_SCREEN_SECONDS = 5.0
"""Of one exposure; the plan in the run directory has no chips to estimate it by."""


@dataclass(frozen=True)
class Stage:
    """One kind of task."""

    name: str
    planned: int
    finished: int
    failed: int
    running: int
    seconds_left: float
    """Sum of the estimates of what is not finished."""


@dataclass(frozen=True)
class Status:
    """How a run is doing."""

    driver: str
    """Who works on it; empty where nobody does."""
    stages: tuple[Stage, ...]
    jobs: tuple[str, ...]
    """Numbers of the jobs that the last driver has submitted."""
    retries: int
    last: str
    """What was told last."""
    warnings: tuple[str, ...]

    def __str__(self) -> str:
        whole = all(stage.finished == stage.planned for stage in self.stages)
        idle = "none, the run is finished" if whole else "none; the same hstmosaic command goes on where it stopped"
        lines = [f"driver: {self.driver or idle}"]
        for stage in self.stages:
            lines.append(
                f"{stage.name:<10} {stage.finished:>5} of {stage.planned} finished, {stage.running} running, "
                f"{stage.failed} failed"
            )
        at_a_time = max(1, sum(stage.running for stage in self.stages))
        left = sum(stage.seconds_left for stage in self.stages) / at_a_time
        lines.append(f"time left  about {left / 60:.0f} min" if left else "time left  none")
        lines.append(f"jobs       {len(self.jobs)} submitted, {self.retries} task(s) started again")
        lines += [f"warning    {words}" for words in self.warnings]
        return "\n".join([*lines, f"last       {self.last}"])


def read_status(run: Path) -> Status:
    """Read how a run is doing.

    Parameters
    ----------
    run : pathlib.Path
        The run directory.

    Raises
    ------
    OutputError
        If it is none.
    """
    try:
        plan = plan_from_json((run / "plan.json").read_text())
        told = [json.loads(line) for line in (run / "logs" / "run.jsonl").read_text().splitlines()]
    except OSError as error:
        raise OutputError(f"{run} is no run directory: {error.strerror}", "it ends in _run") from error
    driver = _driver(run)
    last_start = max((i for i, event in enumerate(told) if event["kind"] == "planned"), default=0)
    told = told[last_start:]
    return Status(
        driver=driver,
        stages=(
            _stage("screening", run, _screens(plan), alive=bool(driver)),
            _stage("drizzling", run, _layers(plan), alive=bool(driver)),
        ),
        jobs=tuple(event["job"] for event in told if event["kind"] == "job"),
        retries=sum(event["kind"] == "retrying" for event in told),
        last=told[-1]["message"] if told else "nothing yet",
        warnings=tuple(event["message"] for event in told if event["level"] in ("warning", "error")),
    )


def _screens(plan: Plan) -> dict[str, float]:
    return {f"screen-{exposure.name.removesuffix('.fits')}": _SCREEN_SECONDS for exposure in plan.exposures}


def _layers(plan: Plan) -> dict[str, float]:
    return {f"drizzle-{layer.name}": layer.estimate.seconds for layer in plan.layers}


def _stage(name: str, run: Path, tasks: dict[str, float], *, alive: bool) -> Stage:
    results: dict[str, Any] = {task: read_result(run / "tasks" / task) for task in tasks}
    unfinished = {task for task, result in results.items() if result is None}
    running = {task for task in unfinished if alive and (run / "tasks" / task / LOG_FILE).exists()}
    return Stage(
        name=name,
        planned=len(tasks),
        finished=sum(result is not None and result.ok for result in results.values()),
        failed=sum(result is not None and not result.ok for result in results.values()),
        running=len(running),
        seconds_left=sum(tasks[task] for task in unfinished),
    )


def _driver(run: Path) -> str:
    """Return what the lock says while somebody holds it."""
    try:
        lock = (run / "lock").open("r+")
    except FileNotFoundError:
        return ""
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return lock.read().strip()
        return ""
