"""All starts of a run, from its log."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hstmosaic.errors import ExitCode
from hstmosaic.store.stage_events import Finished, Planned, Reused, Stopped
from hstmosaic.store.worker_events import Ended, Retrying, Skipped

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from hstmosaic.store.events import Event


@dataclass(frozen=True)
class Start:
    """One start of a run."""

    begun: float
    """Seconds since 1970."""
    seconds: float
    """From the plan to the last event."""
    exit_code: int | None
    """None if its end was not recorded."""
    tasks: int
    """Number of tasks that ended."""
    kept: int
    """Number of tasks that an earlier start had finished."""
    retries: int
    cpu_seconds: float
    """CPU time of the tasks."""

    @property
    def end(self) -> str:
        """Return its end in words."""
        if self.exit_code is None:
            return "killed, or still running"
        known = {ExitCode.OK: "finished", ExitCode.INTERRUPTED: "interrupted", ExitCode.LAYER_FAILED: "layers failed"}
        return known.get(ExitCode(self.exit_code), f"exit code {self.exit_code}")


def starts_of(events: Sequence[Event]) -> tuple[Start, ...]:
    """Return the starts that a run log records, in order."""
    begins = [i for i, event in enumerate(events) if isinstance(event.payload, Planned)]
    ends = [*begins[1:], len(events)][: len(begins)]
    return tuple(_start(events[first:last]) for first, last in zip(begins, ends, strict=True))


def _start(events: Sequence[Event]) -> Start:
    payloads = [event.payload for event in events]
    ended = [payload for payload in payloads if isinstance(payload, Ended)]
    codes = [payload.exit_code for payload in payloads if isinstance(payload, Finished | Stopped)]
    return Start(
        begun=events[0].time,
        seconds=max(event.time for event in events) - events[0].time,
        exit_code=codes[-1] if codes else None,
        tasks=len(ended),
        kept=_count(payloads, (Skipped, Reused)),
        retries=_count(payloads, (Retrying,)),
        cpu_seconds=sum(payload.measured.cpu_seconds for payload in ended if payload.measured is not None),
    )


def _count(payloads: Iterable[object], kinds: tuple[type, ...]) -> int:
    return sum(isinstance(payload, kinds) for payload in payloads)
