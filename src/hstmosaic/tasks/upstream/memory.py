"""Repair of memory errors that drizzlepac catches: they end the task instead of changing its result."""

from __future__ import annotations

import functools
from typing import Any

from drizzlepac import sky


class OutOfMemoryError(BaseException):
    """A MemoryError of a step that drizzlepac goes on without; not an `Exception`, so that drizzlepac lets it pass."""


def end_on_memory_error_in_sky() -> None:
    """Let a MemoryError end sky matching and the task; drizzlepac would subtract each exposure's own sky instead."""
    original = sky.skymatch

    @functools.wraps(original)
    def skymatch(*args: Any, **kwargs: Any) -> Any:
        try:
            return original(*args, **kwargs)
        except MemoryError as error:
            raise OutOfMemoryError(str(error)) from error

    sky.skymatch = skymatch
