"""Files that drizzlepac and its libraries open many times, looked into once."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

from stsci.tools import fileutil


def file_state(path: str | Path) -> tuple[int, int, int]:
    """Return numbers that change with the content of a file.

    Raises
    ------
    OSError
        If there is no such file.
    """
    found = Path(path).stat()
    return found.st_ino, found.st_mtime_ns, found.st_size


def remember_file_types() -> None:
    """Let `stsci.tools.fileutil` look once whether a file is a FITS file with extensions, until the file changes.

    It does so whenever it opens one, and reads the headers of all extensions for it.
    """
    original = fileutil.isFits
    known: dict[tuple[str, tuple[int, int, int]], tuple[bool, str | None]] = {}

    @functools.wraps(original)
    def is_fits(file: Any) -> tuple[bool, str | None]:
        try:
            key = (file, file_state(file)) if isinstance(file, str) else None
        except OSError:
            key = None
        if key is None:
            found: tuple[bool, str | None] = original(file)
            return found
        if key not in known:
            known[key] = original(file)
        return known[key]

    fileutil.isFits = is_fits
