"""Dry run: the plan of a run with its options, its needs on the profile, and results of earlier runs."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hstmosaic.plan.build import make_plan
from hstmosaic.run.disk_space import room_needed
from hstmosaic.run.earlier_run import Comparison, compare_with_earlier
from hstmosaic.run.history import learned_for, place_of
from hstmosaic.run.pool.machine_limits import cores, usable_memory
from hstmosaic.store.run_directory import RunDirectory, run_directory
from hstmosaic.text import count_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from hstmosaic.plan.plan import Plan
    from hstmosaic.run.options import RunOptions


@dataclass(frozen=True)
class DryRun:
    """Effects of a run with some options."""

    options: RunOptions
    plan: Plan
    directory: RunDirectory
    earlier: Comparison
    """Comparison with the earlier run in the same place."""
    finished_tasks: int
    """Number of tasks with results of an earlier run."""
    disk_mb: int
    """Space that the rest of the run needs in the output directory, 10^6 bytes."""
    free_mb: int
    """Free space there, 10^6 bytes."""

    def lines(self) -> Iterator[str]:
        """Yield alignment, earlier results, disk space and workers as lines of text."""
        yield f"alignment: {self._alignment()}"
        tasks = len(self.plan.tasks(aligned=self.options.aligned))
        if self.finished_tasks:
            unchanged = "they are reused if exposures, options and software are unchanged"
            yield f"earlier results: {self.finished_tasks} of {count_of(tasks, 'task')}; {unchanged}"
        yield from (f"earlier run: {addition}" for addition in self.earlier.additions)
        if self.earlier.is_conflict:
            way = "they are, as --replace says" if self.options.replace else "a run stops without --replace"
            yield f"earlier run: {self.directory.path} {self.earlier}; {way}"
        yield f"disk: {self.disk_mb} MB needed in {self.directory.output}, {self.free_mb} MB free"
        yield from self._workers()

    def _alignment(self) -> str:
        if not self.options.aligned:
            return "none; exposures keep their WCS"
        return f"to {self.options.catalog}" if self.options.catalog else "to the catalogue service"

    def _workers(self) -> Iterator[str]:
        if self.options.profile.cluster != "local":
            yield f"workers: profile {self.options.profile.name}; --show-jobs prints the scripts of its jobs"
            return
        slots, memory = self.options.workers or cores(), usable_memory()
        estimates = self.plan.tasks(aligned=self.options.aligned).values()
        seconds = max(sum(item.seconds for item in estimates) / slots, *(item.seconds for item in estimates))
        largest = max(item.memory_mb for item in estimates)
        yield f"workers: up to {count_of(slots, 'task')} at a time in {memory}; at least {seconds:.0f} s in total"
        if largest > memory.mb:
            yield f"memory: the largest task needs {largest} MB, more than the usable {memory}"


def dry_run(options: RunOptions) -> DryRun:
    """Plan a run without starting it.

    Parameters
    ----------
    options : RunOptions
        Options of the run.

    Returns
    -------
    DryRun

    Raises
    ------
    BadInputError
        If the run would not start because of its inputs.
    """
    learned = learned_for(place_of(options.profile), enabled=options.learning)
    plan = make_plan(
        options.source,
        prefix=options.product_prefix,
        strict=options.strict,
        keep=options.keep,
        learned=learned,
        request=options.request,
        division=options.division,
    )
    directory = run_directory(options.output.absolute(), plan.prefix)
    tasks = [directory.task(name) for name in plan.tasks(aligned=options.aligned)]
    finished = sum(task.is_finished for task in tasks)
    free = shutil.disk_usage(_existing(directory.output)).free // 1_000_000
    earlier = compare_with_earlier(plan, options, directory)
    return DryRun(options, plan, directory, earlier, finished, room_needed(plan, directory, options), free)


def _existing(folder: Path) -> Path:
    return next(place for place in (folder, *folder.parents) if place.exists())
