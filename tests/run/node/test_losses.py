"""Causes for which a task is tried again, by the errors of workers, the results of tasks and their logs."""

import errno
import pickle

import pytest

from hstmosaic.run.node.losses import Cause, ZygoteEndedError, ZygoteKilledError, loss_of, memory_line, retry_cause
from hstmosaic.store.result_files import TaskResult


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (None, Cause.WORKER),
        (ZygoteKilledError("it has ended"), Cause.MEMORY),
        (ZygoteEndedError("it has ended"), Cause.WORKER),
        (MemoryError(), Cause.MEMORY),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), Cause.MEMORY),
        (OSError(errno.ESTALE, "Stale file handle"), Cause.WORKER),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), None),
        (PermissionError(errno.EACCES, "Permission denied"), None),
        (TypeError("a mistake"), None),
    ],
)
def test_errors_of_workers(error, cause):
    # as Dask brings them
    lost = loss_of(pickle.loads(pickle.dumps(error)))
    assert (lost and lost.cause) == cause


@pytest.mark.parametrize(
    ("result", "cause"),
    [
        (TaskResult(ok=True), None),
        (TaskResult(ok=False, error="no stars"), None),
        (TaskResult(ok=False, error="killed", retry=True, data={"status": -9}), Cause.MEMORY),
        (TaskResult(ok=False, error="MemoryError: no message"), Cause.MEMORY),
        (TaskResult(ok=False, error="_ArrayMemoryError: Unable to allocate 17.3 GiB"), Cause.MEMORY),
        (TaskResult(ok=False, error="ended", retry=True, data={"status": -15}), Cause.WORKER),
    ],
)
def test_causes_of_results(result, cause):
    assert retry_cause(result) is cause


@pytest.mark.parametrize(
    ("log", "line"),
    [
        ("starting\nTraceback (most recent call last):\nMemoryError\n", "MemoryError"),
        ("a.b._ArrayMemoryError: Unable to allocate 3 GiB\n", "a.b._ArrayMemoryError: Unable to allocate 3 GiB"),
        ("OSError: [Errno 12] Cannot allocate memory\n", "OSError: [Errno 12] Cannot allocate memory"),
        ("end\n  what():  std::bad_alloc\n", "what():  std::bad_alloc"),
        ("no MemoryError here\nOSError: [Errno 28] No space left on device\n", ""),
    ],
)
def test_lines_that_show_a_lack_of_memory(log, line):
    assert memory_line(log) == line
