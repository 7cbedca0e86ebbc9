"""Reasons for which the attempt of a task failed, and whether another attempt can help."""

from __future__ import annotations

import errno
import re
import signal
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from hstmosaic.errors import ClusterError, HstMosaicError

if TYPE_CHECKING:
    from hstmosaic.store.result_files import TaskResult

_MEMORY_ERRORS = ("MemoryError", "_ArrayMemoryError", "OSError: [Errno 12]")
_MEMORY_LINE = re.compile(
    r"^(?:[\w.]*MemoryError\b|OSError: \[Errno 12\]|.*Cannot allocate memory|.*std::bad_alloc).*", re.MULTILINE
)
_LASTING_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM)
"""The file system of the run is shared, so another worker would meet the same error."""

START_FAILURE_STEP = "check with: hstmosaic doctor --self-test; see docs/problems.md about the environment"


class Cause(Enum):
    """Causes for which a task is tried again; errors in the data are never tried again."""

    MEMORY = "memory"
    """Not enough memory: again with more."""
    WALLTIME = "walltime"
    """The walltime of its job ended: again with more time."""
    WORKER = "worker"
    """Its worker, node or process was lost: again."""


@dataclass(frozen=True)
class Loss:
    """The end of an attempt for a reason other than its data."""

    cause: Cause
    message: str
    """One clause for people."""
    seconds: float = 0.0
    """Walltime that was not enough."""


class ZygoteEndedError(ClusterError):
    """The process that forks tasks ended, and with it the tasks that ran.

    Parameters
    ----------
    message : str
        What happened, with the last output of the process.
    ready : bool
        Whether the process was ever able to start tasks.
    """

    def __init__(self, message: str, *, ready: bool = True) -> None:
        super().__init__(message, "" if ready else START_FAILURE_STEP)
        self.ready = ready


class ZygoteKilledError(ZygoteEndedError):
    """The process that forks tasks was killed for lack of memory."""


def is_memory_error(status: int | None, message: str) -> bool:
    """Return whether lack of memory ended a process, by its exit code (or minus its signal) or its last output."""
    return status == -signal.SIGKILL or message.startswith(_MEMORY_ERRORS)


def memory_line(log: str) -> str:
    """Return the first line of a task's log that shows a lack of memory, or an empty string."""
    found = _MEMORY_LINE.search(log)
    return found.group().strip() if found else ""


def retry_cause(result: TaskResult) -> Cause | None:
    """Return why a task with a result may be tried again, None if it succeeded or its data are at fault."""
    if result.ok:
        return None
    if result.ran_out_of_memory or is_memory_error(result.status, result.error):
        return Cause.MEMORY
    return Cause.WORKER if result.retry else None


def loss_of(error: BaseException | None) -> Loss | None:
    """Return the loss that an error of a worker means, None if another attempt cannot help.

    Parameters
    ----------
    error : BaseException or None
        None where Dask reports no error, for example for a cancelled task.
    """
    if isinstance(error, ZygoteKilledError) or (error is not None and is_memory_error(None, describe_error(error))):
        # a system short of memory kills the process that forks the tasks
        return Loss(Cause.MEMORY, last_line(error))
    if error is None or isinstance(error, ZygoteEndedError):
        return Loss(Cause.WORKER, last_line(error))
    if isinstance(error, OSError) and error.errno not in _LASTING_ERRORS:
        return Loss(Cause.WORKER, describe_error(error))
    return None


def describe_error(error: BaseException) -> str:
    """Return type and message of an error in one line."""
    return f"{type(error).__name__}: {last_line(error)}"


def last_line(error: BaseException | None) -> str:
    """Return the last line of the message of an error."""
    message = error.message if isinstance(error, HstMosaicError) else str(error or "")
    lines = message.strip().splitlines()
    return lines[-1] if lines else ""
