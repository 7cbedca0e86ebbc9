"""The order of tasks: screen every exposure, then drizzle each layer as soon as its exposures are judged."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

from hstmosaic.plan.checks import Exclusion, apply_strict
from hstmosaic.products.gather import Gathered, gather_layer, move_products, product_names, still_gathered
from hstmosaic.products.header_notes import HeaderNotes
from hstmosaic.products.manifest import Failure
from hstmosaic.products.product_check import ProductError
from hstmosaic.run.stages.drizzle_tasks import drizzle_spec, listed_exposures
from hstmosaic.store.events import is_milestone, report_warnings
from hstmosaic.store.files import MadeFile
from hstmosaic.store.pixel_repair import PixelRepair
from hstmosaic.store.run_directory import RunDirectory, TaskDirectory, task_key
from hstmosaic.store.task_names import drizzle_task, screen_task
from hstmosaic.store.task_specs import ScreenSpec, StubSpec, TaskResult

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from hstmosaic.plan.estimates import Estimate
    from hstmosaic.plan.exposures import Exposure
    from hstmosaic.plan.layers import Layer
    from hstmosaic.plan.plan import Plan
    from hstmosaic.run.pool.pool import Pool
    from hstmosaic.store.events import EventLog
    from hstmosaic.store.task_specs import DrizzleSpec, TaskSpec

_OVERRULE = "use it all the same with --keep {name}"
_CRASHED = "screening crashed"
_AFTER_CRASH = "see {log}, or use it without screening with --keep {name}"
_ALL_LEFT_OUT = "screening left out all of its exposures; see the warnings above"
_WITHOUT_STRICT = "see the log of its task, or omit --strict"


@dataclass(frozen=True)
class Settings:
    """How tasks are to be done."""

    log_level: str = "info"
    keep: frozenset[str] = frozenset()
    """Names of exposures that are used whatever screening says."""
    keep_work: bool = False
    """Keep working directories of finished tasks."""
    strict: bool = False
    """Drizzle nothing if screening leaves anything out, and publish no mosaic made with a fallback."""
    stub: bool = False
    """Only pretend."""


@dataclass
class Progress:
    """What has come out so far."""

    left_out: list[Exclusion] = field(default_factory=list)
    """Exposures that screening left out."""
    failures: list[Failure] = field(default_factory=list)
    gathered: list[Gathered] = field(default_factory=list)
    sha256: dict[str, str] = field(default_factory=dict)
    """Of exposures, by name, as screening has read them."""
    repairs: dict[str, PixelRepair] = field(default_factory=dict)
    """Faults in the pixels of exposures, by name, which working copies do not have."""


class Schedule:
    """Runs the tasks of a plan in a pool.

    Parameters
    ----------
    plan : Plan
        With its exposures' chips.
    directory : RunDirectory
        Where tasks live; finished ones are not done again.
    pool : Pool
        Runs them, and tries again where that can help.
    settings : Settings
        How tasks are to be done.
    events : EventLog
        Receives the events.
    progress : Progress
        Where results are kept, as they come.
    before_drizzling : callable, optional
        Called once with the plan and the names of the exposures that will be used, when all are judged; returns the
        plan to go on with and notes for the headers of products.
    """

    def __init__(
        self,
        plan: Plan,
        directory: RunDirectory,
        pool: Pool,
        settings: Settings,
        events: EventLog,
        progress: Progress,
        before_drizzling: Callable[[Plan, list[str]], tuple[Plan, HeaderNotes]] | None = None,
    ) -> None:
        self.directory, self.pool, self.settings, self.events = directory, pool, settings, events
        self.progress = progress
        self._before_drizzling = before_drizzling
        self._notes = HeaderNotes()
        self._verdicts: dict[str, TaskResult] = {}
        self._go_on_with(plan)
        self._ended: SimpleQueue[tuple[TaskDirectory, Any]] = SimpleQueue()
        self._running: set[str] = set()

    def _go_on_with(self, plan: Plan) -> None:
        self.plan = plan
        self._waiting = sorted(plan.layers, key=lambda layer: -layer.estimate.seconds)
        self._layers = {drizzle_task(layer.name): layer for layer in plan.layers}

    def run(self) -> None:
        """Run every task that is not finished yet, and gather products as they come."""
        longest_first = {name: i for i, layer in enumerate(self._waiting) for name in layer.exposures}
        for exposure in sorted(self.plan.exposures, key=lambda e: longest_first[e.name]):
            self._start_screen(exposure)
        self._start_layers()
        while self._running:
            task, answer = self._ended.get()
            self._running.remove(task.name)
            result, measured = answer.result()
            if task.name in self._layers:
                self._end_layer(self._layers[task.name], task, result, measured)
            else:
                self._end_screen(task, result, measured)
                self._start_layers()

    def _start_screen(self, exposure: Exposure) -> None:
        task = self.directory.task(screen_task(exposure.name))
        spec = StubSpec() if self.settings.stub else ScreenSpec(path=str(exposure.path))
        key = self._key(spec, [exposure])
        finished = task.finished(key)
        if finished is not None:
            self.events.emit("skipped", f"{task.name} was finished before", "debug", task=task.name)
            self._judge(exposure, finished, task)
            return
        self._submit(task, spec, key, self.plan.estimates[task.name], priority=0)

    def _end_screen(self, task: TaskDirectory, result: TaskResult, measured: Any) -> None:
        exposure = next(e for e in self.plan.exposures if task.name == screen_task(e.name))
        if result.ok:
            task.remove_work()
        self._judge(exposure, result, task, measured)

    def _judge(self, exposure: Exposure, result: TaskResult, task: TaskDirectory, measured: Any = None) -> None:
        self._verdicts[exposure.name] = result
        if (grave := report_warnings(exposure.name, result.warnings, self.events)) and self.settings.strict:
            self.progress.left_out.append(Exclusion(exposure.name, "; ".join(map(str, grave)), _WITHOUT_STRICT))
        if "sha256" in result.data:
            self.progress.sha256[exposure.name] = result.data["sha256"]
        if "repair" in result.data:
            self._note_repair(exposure, PixelRepair.from_dict(result.data["repair"]))
        done, total = len(self._verdicts), len(self.plan.exposures)
        if is_milestone(done, total):
            self.events.emit("screening", f"screened {done} of {total} exposure(s)", done=done, total=total)
        crashed = result.crashed
        reason = result.data.get("reason", "") if result.ok else f"{_CRASHED}: {result.error}"
        kept = {exposure.name, exposure.rootname} & self.settings.keep
        told = {"exposure": exposure.name, "measured": _as_dict(measured), "reason": reason, "crashed": crashed}
        if _usable(result) and not reason:
            self.events.emit("screened", f"{exposure.name} can be used", "debug", **told)
        elif _usable(result):
            self.events.emit("screened", f"{exposure.name} is used, though {reason}", "debug", **told)
        elif kept:
            self.events.emit("kept", f"{exposure.name} is kept on request, though {reason}", "warning", **told)
        elif not result.retry:
            next_step = (_AFTER_CRASH if crashed else _OVERRULE).format(name=exposure.name, log=task.log)
            self.progress.left_out.append(Exclusion(exposure.name, reason, next_step, crashed=crashed))
            self.events.emit("left out", f"{exposure.name} is left out: {reason}; {next_step}", "warning", **told)

    def _note_repair(self, exposure: Exposure, repair: PixelRepair) -> None:
        """Report faults in the pixels of an exposure, and have its working copies repaired."""
        if not repair.needed:
            return
        self.plan = self.plan.with_repair(exposure.name)
        self.progress.repairs[exposure.name] = repair
        level = "warning" if repair.not_finite else "info"
        self.events.emit("repaired", f"{exposure.name}: {repair}", level, exposure=exposure.name, repair=asdict(repair))

    def _start_layers(self) -> None:
        if self.settings.strict or self._before_drizzling is not None:
            if len(self._verdicts) < len(self.plan.exposures):
                return
            self._when_all_are_judged()
        for layer in [layer for layer in self._waiting if self._verdicts.keys() >= set(layer.exposures)]:
            self._waiting.remove(layer)
            self._start_layer(layer)

    def _when_all_are_judged(self) -> None:
        if self.settings.strict:
            apply_strict(self.progress.left_out, "exposures were screened, nothing was drizzled")
        used = [name for layer in self.plan.layers for name in self._used(layer)]
        if self._before_drizzling is not None and used:
            plan, self._notes = self._before_drizzling(self.plan, used)
            self._go_on_with(plan)
        self._before_drizzling = None

    def _start_layer(self, layer: Layer) -> None:
        unjudged = [name for name in layer.exposures if self._verdicts[name].retry]
        if unjudged:
            task = self.directory.task(screen_task(unjudged[0]))
            cause = f"screening of {unjudged[0]} failed: {self._verdicts[unjudged[0]].error}"
            self._fail(layer, cause, task)
            return
        task = self.directory.task(drizzle_task(layer.name))
        used = self._used(layer)
        if not used:
            self._fail_without_exposures(layer)
            return
        spec = StubSpec(products=product_names(layer)) if self.settings.stub else self._drizzle_spec(layer, used)
        key = self._key(spec, listed_exposures(self.plan, layer))
        finished = task.finished(key)
        there = still_gathered(task.path, self.directory.output) if finished else None
        if finished is not None and there is not None:
            if self._fails_strictly(layer, task, finished):
                return
            self.progress.gathered += there
            self.events.emit("reused", f"{layer.name} was finished before", layer=layer.name, task=task.name)
            return
        if finished is not None and finished.files and task.whole(finished, self.directory.output):
            self.events.emit("skipped", f"{task.name} was finished before", "debug", task=task.name)
            self._end_layer(layer, task, finished, None)
            return
        self.events.emit("drizzling", f"drizzling {layer.name}: {len(used)} exposure(s)", layer=layer.name)
        self._submit(task, spec, key, layer.estimate, priority=1 + round(layer.estimate.seconds))

    def _drizzle_spec(self, layer: Layer, used: tuple[str, ...]) -> DrizzleSpec:
        progress = self.progress
        return drizzle_spec(
            self.plan, layer, used, self._notes, progress.sha256, progress.repairs, self.settings.log_level
        )

    def _fail_without_exposures(self, layer: Layer) -> None:
        """Fail a layer of which screening has left nothing; a crash is a cause, and more than a verdict."""
        crashed = [item for item in self.progress.left_out if item.crashed and item.name in layer.exposures]
        name = crashed[0].name if crashed else layer.exposures[0]
        cause = f"no exposure is left; {name}: {crashed[0].reason}" if crashed else _ALL_LEFT_OUT
        self._fail(layer, cause, self.directory.task(screen_task(name)))

    def _end_layer(self, layer: Layer, task: TaskDirectory, result: TaskResult, measured: Any) -> None:
        if not result.ok:
            self._fail(layer, result.error, task)
            return
        if self._fails_strictly(layer, task, result):
            return
        gather = move_products if self.settings.stub else gather_layer
        made = [MadeFile(**file) for file in result.data["files"]]
        try:
            gathered = gather(layer, self._used(layer), made, task.path, self.directory.output)
        except (ProductError, OSError) as error:
            self._fail(layer, str(error), task)
            return
        self.progress.gathered += gathered
        if not self.settings.keep_work:
            task.remove_work()
        took = f" in {measured.wall_seconds:.0f} s with {measured.max_rss_mb / 1000:.1f} GB" if measured else ""
        names = ", ".join(product.name for product in layer.products)
        self.events.emit("gathered", f"{names} made{took}", layer=layer.name, measured=_as_dict(measured))

    def _fails_strictly(self, layer: Layer, task: TaskDirectory, result: TaskResult) -> bool:
        """Report the fallbacks of a layer; under ``--strict`` they fail it."""
        grave = report_warnings(layer.name, result.warnings, self.events)
        if not (grave and self.settings.strict):
            return False
        self._fail(layer, f"{'; '.join(map(str, grave))}; {_WITHOUT_STRICT}", task)
        return True

    def _fail(self, layer: Layer, cause: str, task: TaskDirectory) -> None:
        failure = Failure(layer.name, cause, str(task.log))
        self.progress.failures.append(failure)
        self.events.emit("failed", f"{layer.name} failed: {cause} (log: {task.log})", "error", layer=layer.name)

    def _used(self, layer: Layer) -> tuple[str, ...]:
        keep = self.settings.keep
        return tuple(
            name
            for name in layer.exposures
            if _usable(self._verdicts[name]) or {name, self.plan.exposure(name).rootname} & keep
        )

    def _key(self, spec: TaskSpec, exposures: Iterable[Exposure]) -> str:
        inputs = {str(exposure.path): (exposure.size, exposure.mtime_ns) for exposure in exposures}
        return task_key(spec, inputs, self.plan.versions)

    def _submit(self, task: TaskDirectory, spec: TaskSpec, key: str, estimate: Estimate, priority: int) -> None:
        task.prepare(spec, key)
        self._running.add(task.name)
        answer = self.pool.submit(task.path, estimate, priority)
        answer.add_done_callback(lambda done: self._ended.put((task, done)))


def _usable(result: TaskResult) -> bool:
    return result.ok and bool(result.data["usable"])


def _as_dict(measured: Any) -> dict[str, Any] | None:
    return None if measured is None else dict(vars(measured))
