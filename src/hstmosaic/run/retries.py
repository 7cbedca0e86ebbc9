"""Why a task has not ended well, and whether trying again can help."""

from __future__ import annotations

import signal
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hstmosaic.plan.specs import TaskResult

_MEMORY_ERRORS = ("MemoryError", "_ArrayMemoryError", "OSError: [Errno 12]")


class Cause(Enum):
    """What took a task down; errors in the data are none of these and are never tried again."""

    MEMORY = "memory"
    """Too little memory: again with more."""
    WALLTIME = "walltime"
    """The time of its job was over: again, with more time."""
    WORKER = "worker"
    """Its worker, node or process was lost: again."""


@dataclass(frozen=True)
class Lost:
    """How a task was lost."""

    cause: Cause
    words: str
    """The same for people, one clause."""
    seconds: float = 0.0
    """Walltime that has not sufficed."""


def cause_of(result: TaskResult) -> Cause | None:
    """Return why a task that has answered may be tried again, None if it succeeded or its data are at fault."""
    if result.ok:
        return None
    if result.data.get("status") == -signal.SIGKILL or result.error.startswith(_MEMORY_ERRORS):
        return Cause.MEMORY
    return Cause.WORKER if result.retry else None


def last_line(error: BaseException | None) -> str:
    """Return the last line of what an error says."""
    lines = str(error).strip().splitlines() if error is not None else []
    return lines[-1] if lines else ""
