"""The stage that screens exposures: which of them can be used."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hstmosaic.plan.checks import Exclusion
from hstmosaic.run.stages.scheduler import Task
from hstmosaic.run.stages.task_inputs import file_states
from hstmosaic.store import stage_events
from hstmosaic.store.events import is_milestone, report_warnings
from hstmosaic.store.stage_events import Kept, Repaired, Screened, ScreeningRejected
from hstmosaic.store.task_names import screen_task
from hstmosaic.store.task_results import ScreenResult
from hstmosaic.store.task_specs import ScreenSpec, StubSpec
from hstmosaic.text import count_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hstmosaic.plan.exposures import Exposure
    from hstmosaic.run.stages.run_state import Run
    from hstmosaic.run.stages.scheduler import EndedTask, Pending
    from hstmosaic.store.run_directory import TaskDirectory

WITHOUT_STRICT = "see the log of its task, or omit --strict"
_USE_ANYWAY = "use it anyway with --keep {name}"
_CRASHED = "screening crashed"
_AFTER_CRASH = "see {log}, or use it without screening with --keep {name}"


@dataclass(frozen=True)
class Verdict:
    """The result of screening an exposure."""

    exposure: str
    used: bool
    """True if it will be drizzled, because it can be used or is kept by the user."""
    task: TaskDirectory
    failure: str = ""
    """Why it could not be screened, in one clause; its layer cannot be made then."""


def screen(run: Run) -> Mapping[str, Pending[Verdict]]:
    """Start to screen all exposures, those of the longest layers first.

    Parameters
    ----------
    run : Run
        The run.

    Returns
    -------
    mapping of str to Pending
        The verdicts to wait for, by name of the exposure.
    """
    layers = sorted(run.plan.layers, key=lambda layer: -layer.estimate.seconds)
    rank = {name: number for number, layer in enumerate(layers) for name in layer.exposures}
    count = _Count(len(run.plan.exposures))
    return {
        exposure.name: run.scheduler.start(_screen(run, exposure, count))
        for exposure in sorted(run.plan.exposures, key=lambda exposure: rank[exposure.name])
    }


@dataclass
class _Count:
    total: int
    done: int = 0


async def _screen(run: Run, exposure: Exposure, count: _Count) -> Verdict:
    name = screen_task(exposure.name)
    spec = StubSpec() if run.options.stub else ScreenSpec(str(exposure.path), run.options.screening)
    task = Task(name, spec, file_states([exposure]), run.plan.estimates[name])
    ended = await run.scheduler.start_task(task)
    if ended.result.ok:
        ended.directory.remove_work()
    _record(run, exposure, ended)
    count.done += 1
    if is_milestone(count.done, count.total):
        words = f"screened {count.done} of {count_of(count.total, 'exposure')}"
        run.events.emit(stage_events.Screening(count.done, count.total), words)
    return _verdict(run, exposure, ended)


def _record(run: Run, exposure: Exposure, ended: EndedTask) -> None:
    """Keep what screening found in the file of an exposure, and report faults in its pixels."""
    result, results = ended.result, run.results
    if (grave := report_warnings(exposure.name, result.warnings, run.events)) and run.options.strict:
        results.left_out.append(Exclusion(exposure.name, "; ".join(map(str, grave)), WITHOUT_STRICT))
    if not result.ok:
        return
    screened = result.read(ScreenResult)
    if screened.sha256 is not None:
        results.sha256[exposure.name] = screened.sha256
    repair = screened.repair
    if repair is not None and repair.needed:
        results.repairs[exposure.name] = repair
        level = "warning" if repair.not_finite else "info"
        run.events.emit(Repaired(exposure.name, repair), f"{exposure.name}: {repair}", level)


def _verdict(run: Run, exposure: Exposure, ended: EndedTask) -> Verdict:
    """Return the verdict on an exposure, and report it."""
    result, name, emit = ended.result, exposure.name, run.events.emit
    crash = ScreenResult(usable=False, reason=f"{_CRASHED}: {result.error}")
    screened = result.read(ScreenResult) if result.ok else crash
    reason, usable = screened.reason, screened.usable
    kept = not {name, exposure.rootname}.isdisjoint(run.options.keep)
    data = (name, ended.measured, reason, result.crashed)
    if usable and not reason:
        emit(Screened(*data), f"{name} can be used", "debug")
    elif usable:
        level = "warning" if screened.doubtful else "debug"
        emit(Screened(*data), f"{name} is used, though {reason}", level)
    elif kept:
        emit(Kept(*data), f"{name} is kept on request, though {reason}", "warning")
    elif not result.retry:
        next_step = (_AFTER_CRASH if result.crashed else _USE_ANYWAY).format(name=name, log=ended.directory.log)
        run.results.left_out.append(Exclusion(name, reason, next_step, crashed=result.crashed))
        emit(ScreeningRejected(*data), f"{name} is left out: {reason}; {next_step}", "warning")
    return Verdict(name, usable or kept, ended.directory, result.error if result.retry else "")
