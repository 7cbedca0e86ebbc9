"""The tasks of the alignment stage."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hstmosaic.plan.alignment import estimate_sources
from hstmosaic.plan.specs import SourcesSpec, TaskResult
from hstmosaic.run.cluster import MEMORY
from hstmosaic.run.directory import task_key
from hstmosaic.run.work import run_task

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from distributed import Client, Future

    from hstmosaic.plan.estimates import Estimate
    from hstmosaic.plan.exposures import Exposure
    from hstmosaic.plan.plan import Plan
    from hstmosaic.plan.specs import TaskSpec
    from hstmosaic.run.directory import RunDirectory, TaskDirectory


@dataclass(frozen=True)
class SourcesTask:
    """The search for sources in one exposure, as `Client.submit` and `TaskDirectory.prepare` need it."""

    name: str
    spec: SourcesSpec
    key: str
    estimate: Estimate


def sources_task(plan: Plan, exposure: Exposure, first: Exposure, fwhm: float | None) -> SourcesTask:
    """Return the task that finds the sources of an exposure.

    Parameters
    ----------
    plan : Plan
        Gives the versions that the result depends on.
    exposure : Exposure
        With its chips.
    first : Exposure
        The first one of the fit; ``fit_order(plan.exposures)[0]`` may be searched before screening has ended.
    fwhm : float or None
        What the first exposure's result says, arcsec; None for the first itself.
    """
    spec = SourcesSpec(str(exposure.path), first.instrument, first.detector, fwhm)
    name = f"sources-{exposure.name.removesuffix('.fits')}"
    return SourcesTask(name, spec, task_key(spec, file_states([exposure]), plan.versions), estimate_sources(exposure))


class Stage:
    """Runs the tasks of the stage on a Dask cluster; finished ones are not done again."""

    def __init__(self, plan: Plan, directory: RunDirectory, client: Client) -> None:
        self.plan, self.directory, self.client = plan, directory, client

    def start(
        self, name: str, spec: TaskSpec, key: str, estimate: Estimate
    ) -> tuple[TaskDirectory, TaskResult | Future[Any]]:
        """Return a task's directory and its result, or where it is still to be done, the future of it."""
        task = self.directory.task(name)
        finished = task.finished(key)
        if finished is not None and task.work.is_dir():
            return task, finished
        task.prepare(spec, key)
        capacity = min(w["resources"][MEMORY] for w in self.client.scheduler_info()["workers"].values())
        future = self.client.submit(
            run_task,
            str(task.path),
            key=name,
            pure=False,
            priority=round(estimate.seconds),
            resources={MEMORY: min(estimate.memory_mb, capacity)},
        )
        return task, future

    @staticmethod
    def result(answer: TaskResult | Future[Any]) -> TaskResult:
        """Wait for a task; one whose worker is lost has failed and may be tried again."""
        if isinstance(answer, TaskResult):
            return answer
        try:
            result: TaskResult = answer.result()[0]
        except Exception as error:  # a lost worker raises whatever it died of
            result = TaskResult(ok=False, error=str(error), retry=True)
        answer.release()
        return result


def file_states(exposures: Iterable[Exposure]) -> dict[str, tuple[int, int]]:
    """Return size and time of change of exposures, as `task_key` wants them."""
    return {str(exposure.path): (exposure.size, exposure.mtime_ns) for exposure in exposures}


def content_state(path: Path) -> tuple[int, int]:
    """Size and checksum: a reply fetched again is the same input if it says the same."""
    content = path.read_bytes()
    return len(content), zlib.crc32(content)
