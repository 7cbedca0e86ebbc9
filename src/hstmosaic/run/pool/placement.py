"""Placement of tasks on workers, and sizes of the jobs that waiting tasks need. All functions are pure."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

WORKER_MEMORY_MB = 500
"""A Dask worker and the process that forks tasks, without the tasks, 10^6 bytes; measured: 350."""
START_SECONDS = 60.0
"""From the start of a job to the start of its first task; measured: 5 s with all files in the node's page cache."""
_WALLTIME_MARGIN = 3.5


@dataclass(frozen=True)
class Need:
    """Resources that a task needs."""

    memory_mb: int
    """10^6 bytes."""
    seconds: float
    priority: float = 0.0
    """The highest is served first; among equals, the longest."""
    disk_mb: float = 0.0
    """Scratch that its job has to request, 10^6 bytes."""


@dataclass(frozen=True)
class Capacity:
    """Resources of a worker, or of a job that will become a worker, that tasks may use."""

    name: str
    slots: int
    """Tasks at a time."""
    memory_mb: int
    """For all tasks together, 10^6 bytes."""
    seconds: float = math.inf
    """Until the worker ends."""
    disk_mb: float = math.inf
    """Scratch for all tasks together, 10^6 bytes."""

    def fits(self, need: Need) -> bool:
        """Return whether there is room for a task."""
        enough = need.memory_mb <= self.memory_mb and need.disk_mb <= self.disk_mb
        return self.slots > 0 and enough and need.seconds <= self.seconds

    def minus(self, need: Need) -> Capacity:
        """Return the capacity that is left when a task runs."""
        memory_mb, disk_mb = self.memory_mb - need.memory_mb, self.disk_mb - need.disk_mb
        return replace(self, slots=self.slots - 1, memory_mb=memory_mb, disk_mb=disk_mb)


@dataclass(frozen=True)
class JobSize:
    """Resources that a job requests."""

    cores: int
    memory_mb: int
    """10^6 bytes, including that of the worker itself."""
    seconds: float
    """Walltime."""
    disk_mb: float = 0.0
    """Scratch, 10^6 bytes; 0 to request none."""

    def capacity(self, name: str) -> Capacity:
        """Return what the worker of the job has for tasks."""
        return Capacity(name, self.cores, self.memory_mb - WORKER_MEMORY_MB, self.seconds - START_SECONDS, self.disk_mb)


@dataclass(frozen=True)
class JobLimits:
    """Limits of the jobs that a run may submit."""

    shared: JobSize
    """Largest job that small tasks share."""
    max_memory_mb: float = math.inf
    """Of any job, 10^6 bytes."""
    max_seconds: float = math.inf
    """Walltime of any job."""

    def rejection(self, need: Need) -> str:
        """Return why no job can run a task, or an empty string."""
        if need.memory_mb + WORKER_MEMORY_MB > self.max_memory_mb:
            return (
                f"needs {need.memory_mb + WORKER_MEMORY_MB} MB, but the largest job allowed "
                f"has {self.max_memory_mb:.0f} MB"
            )
        if need.seconds + START_SECONDS > self.max_seconds:
            return (
                f"needs about {need.seconds + START_SECONDS:.0f} s, but the longest job allowed "
                f"has {self.max_seconds:.0f} s"
            )
        return ""

    def more_memory(self, memory_mb: int, factor: float) -> int | None:
        """Return the memory for another attempt, None if the task had as much as a job can have."""
        most = self.max_memory_mb - WORKER_MEMORY_MB
        return round(min(factor * memory_mb, most)) if memory_mb < most else None

    def walltime(self, need: Need) -> float:
        """Return the walltime of a job for a task; the machine may be three times slower than estimated."""
        return min(max(self.shared.seconds, START_SECONDS + _WALLTIME_MARGIN * need.seconds), self.max_seconds)


def in_order(needs: Sequence[Need]) -> list[int]:
    """Return the order in which tasks are served: by priority, then longest first, then largest first."""
    return sorted(range(len(needs)), key=lambda i: (-needs[i].priority, -needs[i].seconds, -needs[i].memory_mb, i))


def place(needs: Sequence[Need], capacities: Sequence[Capacity]) -> list[str | None]:
    """Choose a worker for each task, of those with room the one with the least memory left.

    Parameters
    ----------
    needs : sequence of Need
        Of the waiting tasks.
    capacities : sequence of Capacity
        Free resources of the workers.

    Returns
    -------
    list of str or None
        For each task the name of its worker, or None if it has to wait.
    """
    free = {capacity.name: capacity for capacity in capacities}
    chosen: list[str | None] = [None] * len(needs)
    for i in in_order(needs):
        fitting = [capacity for capacity in free.values() if capacity.fits(needs[i])]
        if fitting:
            tightest = min(fitting, key=lambda capacity: capacity.memory_mb)
            free[tightest.name] = tightest.minus(needs[i])
            chosen[i] = tightest.name
    return chosen


def short_of_memory(waiting: Sequence[Need], free: Sequence[Capacity]) -> Need | None:
    """Return the first waiting task that only lacks memory on some worker, None if no task does.

    Parameters
    ----------
    waiting : sequence of Need
        Of the tasks that no worker has room for.
    free : sequence of Capacity
        Free resources of the workers.
    """
    for i in in_order(waiting):
        need = waiting[i]
        if any(replace(capacity, memory_mb=need.memory_mb).fits(need) for capacity in free):
            return need
    return None


def pack(needs: Sequence[Need], limits: JobLimits, jobs: int, slots: float = math.inf) -> list[JobSize]:
    """Choose jobs for tasks that no worker has room for: small tasks share a job, a big task has its own.

    Parameters
    ----------
    needs : sequence of Need
        Of the tasks.
    limits : JobLimits
        Of the jobs.
    jobs : int
        Number of jobs at most.
    slots : float
        Cores of all jobs together at most.

    Returns
    -------
    list of JobSize
        Remaining tasks have to wait for a worker that becomes free.
    """
    shared = limits.shared
    packed: list[list[Need]] = []
    open_jobs: list[list[Need]] = []
    for i in in_order(needs):
        need = needs[i]
        if sum(map(len, packed)) >= slots:
            break
        own = need.memory_mb + WORKER_MEMORY_MB > shared.memory_mb or limits.walltime(need) > shared.seconds
        with_room = [job for job in open_jobs if len(job) < shared.cores and _memory([*job, need]) <= shared.memory_mb]
        if not own and with_room:
            with_room[0].append(need)
        elif len(packed) < jobs:
            packed.append([need])
            if not own:
                open_jobs.append(packed[-1])
    return [
        JobSize(len(job), _memory(job), max(limits.walltime(need) for need in job), sum(need.disk_mb for need in job))
        for job in packed
    ]


def _memory(job: Sequence[Need]) -> int:
    return WORKER_MEMORY_MB + sum(need.memory_mb for need in job)
