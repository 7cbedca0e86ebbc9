"""The tasks of the alignment stage."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hstmosaic.plan.alignment import fit_order
from hstmosaic.plan.estimates import estimate_sources
from hstmosaic.store import task_names
from hstmosaic.store.event_payloads import Skipped
from hstmosaic.store.run_directory import task_key
from hstmosaic.store.task_specs import SourcesSpec, TaskResult

if TYPE_CHECKING:
    from collections.abc import Iterable
    from concurrent.futures import Future
    from pathlib import Path

    from hstmosaic.plan.estimates import Estimate
    from hstmosaic.plan.exposures import Exposure
    from hstmosaic.plan.plan import Plan
    from hstmosaic.run.pool.pool import Answer, Pool
    from hstmosaic.store.run_directory import RunDirectory, TaskDirectory
    from hstmosaic.store.task_specs import TaskSpec

_AFTER_SCREENING = -1
"""Priority: that of screening is 0."""


@dataclass(frozen=True)
class SourcesTask:
    """The search for sources in one exposure, as `Pool.submit` and `TaskDirectory.prepare` need it."""

    name: str
    spec: SourcesSpec
    key: str
    estimate: Estimate


def sources_task(plan: Plan, exposure: Exposure) -> SourcesTask:
    """Return the task that finds the sources of an exposure.

    Parameters
    ----------
    plan : Plan
        Gives the versions that the result depends on.
    exposure : Exposure
        With its chips.
    """
    spec = SourcesSpec(str(exposure.path), exposure.instrument, exposure.detector)
    key = task_key(spec, file_states([exposure]), plan.versions)
    return SourcesTask(task_names.sources_task(exposure.name), spec, key, estimate_sources(exposure, plan.learned))


class Stage:
    """Runs the tasks of the stage in a pool; finished ones are not done again."""

    def __init__(self, plan: Plan, directory: RunDirectory, pool: Pool) -> None:
        self.plan, self.directory, self.pool = plan, directory, pool
        self._ahead: dict[tuple[str, str], tuple[TaskDirectory, TaskResult | Future[Answer]]] = {}

    def start_ahead(self) -> None:
        """Start the search for sources in all exposures, for when screening leaves a core free.

        Where screening then rejects an exposure, its result is not used.
        """
        for exposure in fit_order(self.plan.exposures):
            wanted = sources_task(self.plan, exposure)
            started = self.start(wanted.name, wanted.spec, wanted.key, wanted.estimate, priority=_AFTER_SCREENING)
            self._ahead[wanted.name, wanted.key] = started

    def start(
        self, name: str, spec: TaskSpec, key: str, estimate: Estimate, priority: int | None = None
    ) -> tuple[TaskDirectory, TaskResult | Future[Answer]]:
        """Return a task's directory and its result, or where it is still to be done, the future of it."""
        if (name, key) in self._ahead:
            return self._ahead[name, key]
        task = self.directory.task(name)
        finished = task.finished(key)
        if finished is not None and task.work.is_dir() and task.whole(finished):
            self.pool.events.emit(Skipped(name), f"{name} was finished before", "debug")
            return task, finished
        task.prepare(spec, key)
        return task, self.pool.submit(task.path, estimate, round(estimate.seconds) if priority is None else priority)

    @staticmethod
    def result(answer: TaskResult | Future[Answer]) -> TaskResult:
        """Wait for a task."""
        return answer if isinstance(answer, TaskResult) else answer.result()[0]


def file_states(exposures: Iterable[Exposure]) -> dict[str, tuple[int, int]]:
    """Return size and time of change of exposures, as `task_key` wants them."""
    return {str(exposure.path): (exposure.size, exposure.mtime_ns) for exposure in exposures}


def content_state(path: Path) -> tuple[int, int]:
    """Size and checksum: a reply fetched again is the same input if it says the same."""
    content = path.read_bytes()
    return len(content), zlib.crc32(content)
