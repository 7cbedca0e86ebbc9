"""Which task runs where, and which jobs are wanted for it: decisions only, nothing is done here."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

WORKER_MEMORY_MB = 500
"""A Dask worker and the process that forks tasks, 10^6 bytes, beside what tasks take; measured: 350."""
START_SECONDS = 60.0
"""From the start of a job until its first task runs; measured: 5, with everything in the page cache of the node."""
_WALLTIME_MARGIN = 2.0


@dataclass(frozen=True)
class Need:
    """What a task needs."""

    memory_mb: int
    """10^6 bytes."""
    seconds: float
    priority: float = 0.0
    """The highest is served first; among equals, the longest."""
    disk_mb: float = 0.0
    """Scratch that its job has to be asked for with, 10^6 bytes."""


@dataclass(frozen=True)
class Room:
    """What a worker, or a job that will become one, can take."""

    name: str
    slots: int
    """Tasks at a time."""
    memory_mb: int
    """For all tasks together, 10^6 bytes."""
    seconds: float = math.inf
    """Until it ends."""
    disk_mb: float = math.inf
    """Scratch for all tasks together, 10^6 bytes."""

    def takes(self, need: Need) -> bool:
        """Whether there is room for a task."""
        enough = need.memory_mb <= self.memory_mb and need.disk_mb <= self.disk_mb
        return self.slots > 0 and enough and need.seconds <= self.seconds

    def less(self, need: Need) -> Room:
        """Return what is left beside a task."""
        left = self.memory_mb - need.memory_mb, self.disk_mb - need.disk_mb
        return replace(self, slots=self.slots - 1, memory_mb=left[0], disk_mb=left[1])


@dataclass(frozen=True)
class JobSize:
    """What a job is asked for with."""

    cores: int
    memory_mb: int
    """10^6 bytes, the worker's own included."""
    seconds: float
    """Walltime."""
    disk_mb: float = 0.0
    """Scratch, 10^6 bytes; 0 where none is asked for."""

    def room(self, name: str) -> Room:
        """Return what tasks find in it."""
        return Room(name, self.cores, self.memory_mb - WORKER_MEMORY_MB, self.seconds - START_SECONDS, self.disk_mb)


@dataclass(frozen=True)
class JobLimits:
    """The jobs that may be asked for."""

    shared: JobSize
    """At most so large is a job that small tasks share."""
    max_memory_mb: float = math.inf
    """Of any job, 10^6 bytes."""
    max_seconds: float = math.inf
    """Walltime of any job."""

    def refusal(self, need: Need) -> str:
        """Return why no job can take a task, or nothing."""
        if need.memory_mb + WORKER_MEMORY_MB > self.max_memory_mb:
            return (
                f"needs {need.memory_mb + WORKER_MEMORY_MB} MB, but the largest job that may be asked for "
                f"has {self.max_memory_mb:.0f} MB"
            )
        if need.seconds + START_SECONDS > self.max_seconds:
            return (
                f"needs about {need.seconds + START_SECONDS:.0f} s, but the longest job that may be asked for "
                f"has {self.max_seconds:.0f} s"
            )
        return ""

    def more_memory(self, memory_mb: int, factor: float) -> int | None:
        """Return the memory for another attempt of a task that had too little, None if it has had all there is."""
        most = self.max_memory_mb - WORKER_MEMORY_MB
        return round(min(factor * memory_mb, most)) if memory_mb < most else None

    def walltime(self, need: Need) -> float:
        """Return the walltime of a job for a task: estimates may be wrong by a factor of two."""
        return min(max(self.shared.seconds, START_SECONDS + _WALLTIME_MARGIN * need.seconds), self.max_seconds)


def in_order(needs: Sequence[Need]) -> list[int]:
    """Return the order in which tasks are served: by priority, then longest first, then largest first."""
    return sorted(range(len(needs)), key=lambda i: (-needs[i].priority, -needs[i].seconds, -needs[i].memory_mb, i))


def place(needs: Sequence[Need], rooms: Sequence[Room]) -> list[str | None]:
    """Choose a room for each task, the tightest that takes it.

    Parameters
    ----------
    needs : sequence of Need
        What waits.
    rooms : sequence of Room
        What is free.

    Returns
    -------
    list of str or None
        For each task the name of its room, or None where it has to wait.
    """
    free = {room.name: room for room in rooms}
    chosen: list[str | None] = [None] * len(needs)
    for i in in_order(needs):
        fitting = [room for room in free.values() if room.takes(needs[i])]
        if fitting:
            room = min(fitting, key=lambda room: room.memory_mb)
            free[room.name] = room.less(needs[i])
            chosen[i] = room.name
    return chosen


def short_of_memory(waiting: Sequence[Need], free: Sequence[Room]) -> Need | None:
    """Return the first waiting task that some room could take if it had more memory, None if there is none.

    Parameters
    ----------
    waiting : sequence of Need
        Tasks that have no room.
    free : sequence of Room
        What the others have left.
    """
    for i in in_order(waiting):
        need = waiting[i]
        if any(replace(room, memory_mb=need.memory_mb).takes(need) for room in free):
            return need
    return None


def pack(needs: Sequence[Need], limits: JobLimits, jobs: int, slots: float = math.inf) -> list[JobSize]:
    """Choose jobs for tasks that fit nowhere: small ones share a job, big ones get their own.

    Parameters
    ----------
    needs : sequence of Need
        What waits and has no room.
    limits : JobLimits
        The jobs that may be asked for.
    jobs : int
        How many at most.
    slots : float
        Cores of all of them together at most.

    Returns
    -------
    list of JobSize
        Tasks that are left over will have to wait for a worker that becomes free.
    """
    shared = limits.shared
    packed: list[list[Need]] = []
    open_for_more: list[list[Need]] = []
    for i in in_order(needs):
        need = needs[i]
        if sum(map(len, packed)) >= slots:
            break
        own = need.memory_mb + WORKER_MEMORY_MB > shared.memory_mb or limits.walltime(need) > shared.seconds
        with_room = [
            job for job in open_for_more if len(job) < shared.cores and _memory([*job, need]) <= shared.memory_mb
        ]
        if not own and with_room:
            with_room[0].append(need)
        elif len(packed) < jobs:
            packed.append([need])
            if not own:
                open_for_more.append(packed[-1])
    return [
        JobSize(len(job), _memory(job), max(limits.walltime(need) for need in job), sum(need.disk_mb for need in job))
        for job in packed
    ]


def _memory(job: Sequence[Need]) -> int:
    return WORKER_MEMORY_MB + sum(need.memory_mb for need in job)
