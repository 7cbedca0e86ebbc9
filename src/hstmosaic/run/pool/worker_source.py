"""Interface between a pool and the workers of a cluster."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from hstmosaic.run.node.losses import Cause, Loss
    from hstmosaic.run.pool.placement import Capacity, Need


@dataclass(frozen=True)
class Worker:
    """A worker that is connected to the scheduler."""

    address: str
    """Of the worker, for Dask."""
    capacity: Capacity
    """Slots, memory and time for tasks."""


class WorkerSource(Protocol):
    """The workers of a pool: a fixed set, or workers in jobs that are submitted on demand."""

    period: float
    """Seconds between two steps of the pool."""
    attempts: int
    """Attempts of a task at most."""
    memory_limit: str
    """Name of what limits the memory of workers."""

    @property
    def largest_mb(self) -> int | None:
        """Memory of the largest worker, 10^6 bytes; None where larger workers can be had."""

    def workers(self) -> Mapping[str, Worker]:
        """Return the connected workers by name, as `refresh` found them."""

    def refresh(self) -> None:
        """Ask the scheduler which workers are connected, and register new ones.

        Raises
        ------
        ClusterError
            If the scheduler is gone, or the versions of a worker differ from those of the driver.
        """

    def adjust(self, need: Need) -> Need:
        """Return a need as it will be served.

        Raises
        ------
        ClusterError
            If no worker that can be had is large enough.
        """

    def attempts_for(self, cause: Cause) -> int:
        """Return the largest number of attempts of a task that is tried again for a cause."""

    def more_memory(self, memory_mb: int) -> int | None:
        """Return the memory for another attempt, 10^6 bytes; None if there is no more."""

    def more_time(self, seconds: float) -> float:
        """Return an estimate of time, limited to what can be had."""

    def find_loss(self, name: str, since: float) -> Loss | None:
        """Find out how a worker was lost that is not connected any more.

        A worker whose end stays unknown is ended, since it may still run its tasks.

        Parameters
        ----------
        name : str
            Of the worker.
        since : float
            Seconds since it was missed.

        Returns
        -------
        Loss or None
            None while the end of the worker is not known.
        """

    def discard(self, name: str) -> bool:
        """Give up a worker that cannot run tasks, and return whether others are connected or can be had."""

    def scale(self, waiting: Sequence[Need], busy: Collection[str]) -> None:
        """Get workers for waiting tasks and release idle ones.

        Parameters
        ----------
        waiting : sequence of Need
            Tasks that no connected worker has room for.
        busy : collection of str
            Names of the workers that have tasks.

        Raises
        ------
        ClusterError
            If waiting cannot help.
        """
