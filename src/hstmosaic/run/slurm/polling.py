"""Queries of Slurm during a run: each has a short timeout, and a failed one is followed by a pause."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from hstmosaic.run.slurm.answers import SlurmCommandError
from hstmosaic.store.worker_events import SlurmAnswers, SlurmSilent

if TYPE_CHECKING:
    from collections.abc import Callable

    from hstmosaic.store.events import EventLog

T = TypeVar("T")


@dataclass(frozen=True)
class Timing:
    """Times of a run on Slurm, all in seconds."""

    poll: float = 10.0
    """Between two looks at the queue."""
    query: float = 10.0
    """Timeout of a query; the pool's only thread waits for it."""
    first_pause: float = 10.0
    """After a failed query; twice as long after each further one."""
    longest_pause: float = 60.0
    lost_worker: float = 120.0
    """Until the job of a lost worker is taken for lost if Slurm still lists it as running."""
    hold: float = 1.0
    """From the first waiting task to the submission of jobs, so that tasks that come one by one share jobs."""
    idle_while_tasks_wait: float = 3.0
    """Until an idle job is given back if no waiting task fits it."""
    pending: float = 30.0
    """Until the reason of a job's wait in the queue is reported."""
    start_failures: int = 3
    """Number of jobs in a row that end before their workers start, after which the run ends."""


class SlurmQueries:
    """Queries Slurm, and pauses after a query that failed.

    Parameters
    ----------
    events : EventLog
        Receives an event when queries begin to fail, and when they work again.
    timing : Timing
        Timeout and pauses.
    clock : callable
        Returns monotonic seconds.
    """

    def __init__(
        self, events: EventLog, timing: Timing | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._events, self._timing, self._clock = events, timing or Timing(), clock
        self._pause = self._not_before = 0.0

    def call(self, query: Callable[..., T], *arguments: str) -> T | None:
        """Return the result of a query, None if it failed or if a pause is not over.

        Parameters
        ----------
        query : callable
            A function of `hstmosaic.run.slurm.commands` with an argument ``seconds``.
        arguments : str
            Its other arguments.
        """
        if self._clock() < self._not_before:
            return None
        try:
            answer = query(*arguments, seconds=self._timing.query)
        except SlurmCommandError as error:
            level = "debug" if self._pause else "warning"
            message = f"Slurm does not answer ({error.message}); the run continues with the jobs it has"
            self._events.emit(SlurmSilent(), message, level)
            timing = self._timing
            self._pause = min(2 * self._pause, timing.longest_pause) if self._pause else timing.first_pause
            self._not_before = self._clock() + self._pause
            return None
        if self._pause:
            self._pause = 0.0
            self._events.emit(SlurmAnswers(), "Slurm answers again")
        return answer
