"""Why a task has not ended well, and whether trying again can help."""

from __future__ import annotations

import errno
import re
import signal
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from hstmosaic.errors import ClusterError, HstMosaicError
from hstmosaic.store.task_specs import STATUS

if TYPE_CHECKING:
    from hstmosaic.store.task_specs import TaskResult

_MEMORY_ERRORS = ("MemoryError", "_ArrayMemoryError", "OSError: [Errno 12]")
_MEMORY_LINE = re.compile(
    r"^(?:[\w.]*MemoryError\b|OSError: \[Errno 12\]|.*Cannot allocate memory|.*std::bad_alloc).*", re.MULTILINE
)
SHORT_OF_MEMORY = "short_of_memory"
"""Key of a result's data: its task's log shows a lack of memory, whatever drizzlepac made of it."""
_LASTING = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM)
"""What the file system of the run refuses to one worker it refuses to all."""

UNABLE_STEP = "hstmosaic doctor --self-test tries it out here; see docs/problems.md about the environment"


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


class ZygoteEndedError(ClusterError):
    """The process that starts tasks has ended, and with it those that ran.

    Parameters
    ----------
    message : str
        What happened, with the last words of the process.
    ready : bool
        Whether it could ever start tasks.
    """

    def __init__(self, message: str, *, ready: bool = True) -> None:
        super().__init__(message, "" if ready else UNABLE_STEP)
        self.ready = ready


class ZygoteKilledError(ZygoteEndedError):
    """It ended for want of memory."""


def is_want_of_memory(status: int | None, words: str) -> bool:
    """Whether too little memory ended a process, by its exit code (or minus its signal) or its last words."""
    return status == -signal.SIGKILL or words.startswith(_MEMORY_ERRORS)


def memory_line(log: str) -> str:
    """Return the first line of a task's log that shows a lack of memory, or nothing."""
    found = _MEMORY_LINE.search(log)
    return found.group().strip() if found else ""


def cause_of(result: TaskResult) -> Cause | None:
    """Return why a task that has answered may be tried again, None if it succeeded or its data are at fault."""
    if result.ok:
        return None
    if SHORT_OF_MEMORY in result.data or is_want_of_memory(result.data.get(STATUS), result.error):
        return Cause.MEMORY
    return Cause.WORKER if result.retry else None


def lost_by(error: BaseException | None) -> Lost | None:
    """Return how a task is lost whose worker has raised an error, None if trying again cannot help.

    Parameters
    ----------
    error : BaseException or None
        None where Dask does not say any.
    """
    if isinstance(error, ZygoteKilledError) or (error is not None and is_want_of_memory(None, in_words(error))):
        # whom a system short of memory kills is the process that forks the tasks
        return Lost(Cause.MEMORY, last_line(error))
    if error is None or isinstance(error, ZygoteEndedError):
        return Lost(Cause.WORKER, last_line(error))
    if isinstance(error, OSError) and error.errno not in _LASTING:
        return Lost(Cause.WORKER, in_words(error))
    return None


def in_words(error: BaseException) -> str:
    """Return kind and words of an error, in one line."""
    return f"{type(error).__name__}: {last_line(error)}"


def last_line(error: BaseException | None) -> str:
    """Return the last line of what an error says."""
    words = error.message if isinstance(error, HstMosaicError) else str(error or "")
    lines = words.strip().splitlines()
    return lines[-1] if lines else ""
