"""The process that imports drizzlepac, kept for the next run of a test process that would start the same one."""

import os
import resource
from pathlib import Path

from hstmosaic.run.node import zygote
from hstmosaic.run.node.zygote import Zygote

_LIMITS = (resource.RLIMIT_AS, resource.RLIMIT_DATA, resource.RLIMIT_FSIZE, resource.RLIMIT_NOFILE)
_spare = None


class KeptZygote(Zygote):
    """A zygote that is kept when it is closed, unless it ended or has tasks."""

    def __init__(self):
        self.surroundings = _surroundings()
        super().__init__()

    def close(self):
        """Keep the zygote for the next run, or end it and the tasks that still run."""
        global _spare  # noqa: PLW0603
        with self._lock:
            idle = self.alive and not self._over and not self._waiting and not self.pids
        if idle and _spare is None and self._ready.is_set():
            _spare = self
        else:
            super().close()


def take_zygote():
    """Return the kept zygote if a new one would be the same, else a new one."""
    global _spare
    kept, _spare = _spare, None
    if kept is None:
        return KeptZygote()
    if kept.alive and kept.surroundings == _surroundings():
        return kept
    Zygote.close(kept)
    return KeptZygote()


def end_kept_zygote():
    """End the kept zygote."""
    global _spare
    kept, _spare = _spare, None
    if kept is not None:
        Zygote.close(kept)


def _surroundings():
    """Return all that a process inherits which may change what it does."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"}
    (mask,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("Umask")]
    return environment, Path.cwd(), mask, [resource.getrlimit(limit) for limit in _LIMITS], zygote._PROGRAM
