"""States of the files that tasks read, which are part of their keys, and of those that they made."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from hstmosaic.plan.exposures import Exposure
    from hstmosaic.store.result_files import TaskResult
    from hstmosaic.store.run_directory import TaskDirectory


def file_states(exposures: Iterable[Exposure]) -> dict[str, tuple[int, int]]:
    """Return size and time of change of exposures, by path."""
    return {str(exposure.path): (exposure.size, exposure.mtime_ns) for exposure in exposures}


def content_state(path: Path) -> tuple[int, int]:
    """Return size and checksum of a file: the same content is the same input, whenever it was written."""
    content = path.read_bytes()
    return len(content), zlib.crc32(content)


def work_is_intact(directory: TaskDirectory, result: TaskResult) -> bool:
    """Return whether the working directory of a finished task still has all files of its result."""
    return directory.work.is_dir() and directory.is_intact(result)
