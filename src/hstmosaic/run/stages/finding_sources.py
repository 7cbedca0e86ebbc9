"""The stage that finds the sources of exposures, which the alignment fits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hstmosaic.errors import FallbackError
from hstmosaic.plan.alignment import fit_order
from hstmosaic.plan.estimates import estimate_sources
from hstmosaic.run.stages.scheduler import Task
from hstmosaic.run.stages.task_inputs import file_states, work_is_intact
from hstmosaic.store.events import report_warnings
from hstmosaic.store.result_files import TaskWarning
from hstmosaic.store.task_names import Stage, sources_task
from hstmosaic.store.task_results import SourcesResult
from hstmosaic.store.task_specs import SourcesSpec

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hstmosaic.plan.exposures import Exposure
    from hstmosaic.plan.plan import Plan
    from hstmosaic.run.stages.run_state import Run
    from hstmosaic.run.stages.scheduler import EndedTask, Pending
    from hstmosaic.store.result_files import TaskResult

_AFTER_SCREENING = -1
"""Priority: that of screening is 0."""


@dataclass(frozen=True)
class FoundSources:
    """The sources of an exposure."""

    tables: tuple[str, ...] = ()
    """Paths of the tables, by chip; empty for a chip without sources. No table if the search failed."""
    error: str = ""
    """Cause of the failure."""
    retry: bool = False
    """True if the search failed for a reason other than the data."""


def find_sources(run: Run) -> Mapping[str, Pending[EndedTask]]:
    """Start to find the sources of all exposures, for when screening leaves a core idle.

    The sources of exposures that screening rejects are not used.

    Parameters
    ----------
    run : Run
        The run.

    Returns
    -------
    mapping of str to Pending
        The tasks to wait for, by name of the exposure.
    """
    return {
        exposure.name: run.scheduler.start_task(search(run.plan, exposure))
        for exposure in fit_order(run.plan.exposures)
    }


def search(plan: Plan, exposure: Exposure) -> Task:
    """Return the task that finds the sources of an exposure.

    Parameters
    ----------
    plan : Plan
        Its plan.
    exposure : Exposure
        With its chips.
    """
    return Task(
        name=sources_task(exposure.name),
        spec=SourcesSpec(str(exposure.path), exposure.instrument, exposure.detector),
        inputs=file_states([exposure]),
        estimate=estimate_sources(exposure, plan.learned),
        priority=_AFTER_SCREENING,
        is_intact=work_is_intact,
    )


def sources_of(run: Run, name: str, ended: EndedTask) -> FoundSources:
    """Return the sources of an exposure, and report fallbacks.

    Parameters
    ----------
    run : Run
        The run.
    name : str
        Name of the exposure.
    ended : EndedTask
        Its task.

    Raises
    ------
    FallbackError
        With ``--strict``, if a library used a fallback or the search crashed.
    """
    result = ended.result
    report_fallbacks(run, name, result)
    if not result.ok:
        return FoundSources(error=result.error, retry=result.retry)
    tables = result.read(SourcesResult).tables
    return FoundSources(tuple(str(ended.directory.work / table) if table else "" for table in tables))


def report_fallbacks(run: Run, name: str, result: TaskResult) -> None:
    """Report the fallbacks of libraries in a task of the alignment, and a crash.

    Raises
    ------
    FallbackError
        With ``--strict``, if there are any.
    """
    step = Stage.FIND_SOURCES
    crash = (TaskWarning(step.value, f"{step.label} crashed: {result.error}"),) if result.crashed else ()
    grave = report_warnings(name, (*result.warnings, *crash), run.events)
    if grave and run.options.strict:
        raise FallbackError(f"{name}: {'; '.join(map(str, grave))}", "see the log of the task, or omit --strict")
