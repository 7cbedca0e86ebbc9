"""The retry policy: whether a lost attempt of a task is followed by another one, and with what need."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from hstmosaic.run.node.losses import Cause

if TYPE_CHECKING:
    from hstmosaic.run.node.losses import Loss
    from hstmosaic.run.pool.placement import Need
    from hstmosaic.run.pool.worker_source import WorkerSource


def next_need(need: Need, attempt: int, loss: Loss, workers: WorkerSource) -> Need | None:
    """Return the need of the next attempt of a task, None if it failed.

    A task whose attempt was lost is tried again on any worker,

    - with more memory, if it had too little and more can be had,
    - in a job with twice the time at least, if the walltime of its job ended,
    - with the same need, if its worker, node or process was lost,

    until it has had the number of attempts that the workers allow for the cause. Errors in the data are not losses.

    Parameters
    ----------
    need : Need
        Of the lost attempt.
    attempt : int
        Its number, from 1.
    loss : Loss
        How it was lost.
    workers : WorkerSource
        Their limits.
    """
    memory_mb: int | None = need.memory_mb
    seconds = need.seconds
    if loss.cause is Cause.MEMORY:
        memory_mb = workers.more_memory(need.memory_mb)
    if loss.cause is Cause.WALLTIME:
        seconds = workers.more_time(max(2 * seconds, loss.seconds))
    if memory_mb is None or attempt >= workers.attempts_for(loss.cause):
        return None
    return replace(need, memory_mb=memory_mb, seconds=seconds)


def limit_reached(need: Need, attempt: int, loss: Loss, workers: WorkerSource) -> str:
    """Return the end of the error of a task that is not tried again; parameters as of `next_need`."""
    if loss.cause is Cause.MEMORY and workers.more_memory(need.memory_mb) is None:
        return f" with {need.memory_mb} MB, the most that can be had"
    return f" (attempt {attempt})" if workers.attempts_for(loss.cause) > 1 else ""
