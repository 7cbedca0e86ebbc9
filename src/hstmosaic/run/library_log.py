"""Log messages of Dask and its dependencies, in a file of the run."""

from __future__ import annotations

import gc
import logging
import traceback
from contextlib import contextmanager
from typing import TYPE_CHECKING

import distributed  # noqa: F401  its import gives its loggers handlers that write to standard error

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LIBRARIES = ("asyncio", "bokeh", "concurrent", "dask", "dask_jobqueue", "distributed", "tornado", "zict")
"""First parts of the names of their loggers."""
_FORM = "%(asctime)s %(levelname)s %(name)s: %(message)s"


class _FileHandler(logging.Handler):
    """Appends each message to a file, which is created with the first one."""

    def __init__(self, path: Path) -> None:
        super().__init__(logging.WARNING)
        self.path = path
        self.setFormatter(logging.Formatter(_FORM))

    def emit(self, record: logging.LogRecord) -> None:
        try:
            text = self.format(record)
        except Exception:  # arguments that do not fit the message: the message is worth keeping
            text = f"{record.name}: {record.msg}\n{traceback.format_exc()}"
        try:
            with self.path.open("a", encoding="utf-8", errors="backslashreplace") as log:
                log.write(f"{text}\n")
        except OSError:  # a full disk: the run log, in the same directory, reports that
            pass


@contextmanager
def library_log(path: Path) -> Iterator[None]:
    """Write warnings and errors of Dask and its dependencies to a file, and nowhere else.

    Parameters
    ----------
    path : pathlib.Path
        The file, which is appended to.
    """
    handler = _FileHandler(path)
    before = {logger: (logger.handlers[:], logger.propagate) for logger in _loggers()}
    for logger in before:
        outermost = logger.name in LIBRARIES
        logger.handlers[:] = [handler] if outermost else []
        logger.propagate = not outermost
    try:
        yield
    finally:
        # a failed task of asyncio reports its error when it is collected, which may be after the run
        gc.collect()
        for logger, (handlers, propagate) in before.items():
            logger.handlers[:] = handlers
            logger.propagate = propagate


def _loggers() -> list[logging.Logger]:
    known = list(logging.Logger.manager.loggerDict)
    names = {*LIBRARIES, *(name for name in known if name.partition(".")[0] in LIBRARIES)}
    return [logging.getLogger(name) for name in sorted(names)]
