"""What a pool wants of its workers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from hstmosaic.run.node.losses import Cause, Lost
    from hstmosaic.run.pool.placement import Need, Room


class Staff(Protocol):
    """The workers of a pool: those that a machine has, or those that jobs bring."""

    period: float
    """Seconds between two looks."""
    attempts: int
    """How often a task is started at most."""
    memory_limit: str
    """Name of what limits the memory of workers."""

    @property
    def largest_mb(self) -> int | None:
        """Memory of the largest worker, 10^6 bytes, None where larger ones can be had; who claims it is alone."""

    def rooms(self) -> dict[str, tuple[str, Room]]:
        """Return address and capacity of the workers that are there, by name."""

    def adjust(self, need: Need) -> Need:
        """Return a need as it will be served.

        Raises
        ------
        ClusterError
            If no worker that can be had is large enough.
        """

    def attempts_for(self, cause: Cause) -> int:
        """Return how often a task is started at most that was lost for a cause."""

    def more_memory(self, memory_mb: int) -> int | None:
        """Return the memory for another attempt, None if there is no more."""

    def more_time(self, seconds: float) -> float:
        """Return an estimate of time within what can be had."""

    def ending(self, name: str, since: float) -> Lost | None:
        """Return how a worker that is gone has ended, None while that is not known."""

    def discard(self, name: str) -> bool:
        """Give up a worker that cannot run tasks, and tell whether others are there or can be had."""

    def tend(self, waiting: Sequence[Need], busy: Collection[str]) -> None:
        """Get workers for what waits, give back those that have nothing to do.

        Raises
        ------
        ClusterError
            If there is no hope.
        """
