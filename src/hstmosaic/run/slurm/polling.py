"""What a run asks Slurm on its way: quickly answered, or left for later, since nothing else goes on meanwhile."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

from hstmosaic.run.slurm.answers import SlurmSilentError

if TYPE_CHECKING:
    from collections.abc import Callable

    from hstmosaic.store.events import EventLog

T = TypeVar("T")

ASK_SECONDS = 10.0
"""For one answer."""
_FIRST_PAUSE, _LONGEST_PAUSE = 10.0, 60.0


class Questions:
    """Asks Slurm, and lets it alone for a while where it has not answered.

    Parameters
    ----------
    events : EventLog
        Receives an event when Slurm stops answering and when it answers again.
    """

    def __init__(self, events: EventLog) -> None:
        self.events = events
        self._pause = self._not_before = 0.0

    def ask(self, question: Callable[..., T], *words: str) -> T | None:
        """Return the answer, None where there is none now.

        Parameters
        ----------
        question : callable
            A function of `hstmosaic.run.slurm.commands` that takes ``seconds``.
        words : str
            Its arguments.
        """
        if time.monotonic() < self._not_before:
            return None
        try:
            answer = question(*words, seconds=ASK_SECONDS)
        except SlurmSilentError as error:
            level = "debug" if self._pause else "warning"
            self.events.emit(
                "silent", f"Slurm does not answer ({error.message}); the run goes on with the jobs it has", level
            )
            self._pause = min(2 * self._pause, _LONGEST_PAUSE) if self._pause else _FIRST_PAUSE
            self._not_before = time.monotonic() + self._pause
            return None
        if self._pause:
            self._pause = 0.0
            self.events.emit("answers", "Slurm answers again")
        return answer
