"""The worker's end of the process that forks tasks; see `hstmosaic.tasks.zygote` for the other end."""

from __future__ import annotations

import atexit
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from hstmosaic.run.node.losses import ZygoteEndedError, ZygoteKilledError, is_want_of_memory

if TYPE_CHECKING:
    from collections.abc import Iterator

_ENVIRONMENT = {
    # one core a task: the fan-out fills the machine
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "MPLBACKEND": "Agg",
    # drizzlepac iterates over sets of names
    "PYTHONHASHSEED": "0",
    "PYTHONUNBUFFERED": "1",
}
_UPSTREAM_SWITCHES = ("MVM_INCLUDE_SMALL", "MVM_ONLY_CTE", "MVM_QUALITY_TESTING", "DATA_PATH")


@dataclass(frozen=True)
class Ended:
    """How the process of a task ended."""

    status: int
    """Exit code, or minus the number of the signal that ended it."""
    cpu_seconds: float
    max_rss_mb: float
    """Peak resident memory, 10^6 bytes."""


class Zygote:
    """A running zygote; starts with the first task and ends with the worker.

    Raises
    ------
    ZygoteEndedError
        From `run`, if the zygote cannot start or dies; `ZygoteKilledError` where that was for want of memory.
    """

    def __init__(self) -> None:
        environment = {k: v for k, v in os.environ.items() if k not in _UPSTREAM_SWITCHES} | _ENVIRONMENT
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115
        self._process = subprocess.Popen(
            [sys.executable, "-m", "hstmosaic.tasks.zygote"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            env=environment,
            start_new_session=True,
        )
        self._lock = threading.Lock()
        self._ready = threading.Event()
        self._waiting: dict[str, tuple[threading.Event, list[Ended]]] = {}
        self.pids: dict[str, int] = {}
        self._listener = threading.Thread(target=self._listen, daemon=True, name="zygote")
        self._listener.start()

    @property
    def alive(self) -> bool:
        """Whether it can take tasks."""
        return self._process.poll() is None

    def wait(self) -> None:
        """Wait until its import is over, or it is gone."""
        self._ready.wait()

    def run(self, folder: Path, work: Path) -> Ended:
        """Run the task of a directory in a working directory of its own, and wait for its end."""
        done = threading.Event()
        answer: list[Ended] = []
        with self._lock:
            self._waiting[str(folder)] = done, answer
            self._send({"folder": str(folder), "work": str(work)})
        done.wait()
        if not answer:
            words = self._last_words()
            killed = is_want_of_memory(self._process.wait(), words.splitlines()[-1])
            kind = ZygoteKilledError if killed else ZygoteEndedError
            raise kind(f"the process that starts tasks has ended: {words}")
        return answer[0]

    def close(self) -> None:
        """End it and kill the tasks that still run."""
        for pid in list(self.pids.values()):
            # a task leads its process group; what it has started may be there when it has ended itself
            with suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)
        # a task that has just begun has asked the kernel to be killed with it
        self._process.kill()
        self._process.wait()
        self._listener.join()
        for stream in (self._process.stdin, self._process.stdout, self._errors):
            # a task that was just being sent stands in the way of closing
            with suppress(BrokenPipeError):
                if stream is not None:
                    stream.close()

    def _last_words(self) -> str:
        try:
            self._errors.seek(0)
            return self._errors.read()[-2000:].strip() or "no message"
        except ValueError:  # it is being closed
            return "the run was stopped"

    def _send(self, message: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(message) + "\n")
            self._process.stdin.flush()
        except (BrokenPipeError, ValueError):
            self._release_all()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            message = json.loads(line)
            self._ready.set()
            if "status" in message:
                with self._lock:
                    done, answer = self._waiting.pop(message["folder"])
                    self.pids.pop(message["folder"], None)
                answer.append(Ended(message["status"], message["cpu_seconds"], message["max_rss_mb"]))
                done.set()
            elif "pid" in message:
                self.pids[message["folder"]] = message["pid"]
        self._ready.set()
        with self._lock:
            self._release_all()

    def _release_all(self) -> None:
        for done, _ in self._waiting.values():
            done.set()
        self._waiting.clear()


_current: Zygote | None = None
_guard = threading.Lock()


def shared_zygote() -> Zygote:
    """Return the zygote of this worker process, starting one where there is none."""
    global _current  # noqa: PLW0603
    with _guard:
        if _current is None or not _current.alive:
            _current = Zygote()
        return _current


def close_zygote() -> None:
    """End the zygote of this process and every task in it."""
    global _current
    with _guard:
        zygote, _current = _current, None
    if zygote is not None:
        zygote.close()


def cpu_of_tasks() -> dict[str, float]:
    """Return the CPU seconds that tasks of this process's zygote have taken until now, by their names."""
    taken = {}
    for folder, pid in dict(_current.pids if _current is not None else {}).items():
        with suppress(psutil.Error):  # it has just ended
            times = psutil.Process(pid).cpu_times()
            taken[Path(folder).name] = round(times.user + times.system, 2)
    return taken


@contextmanager
def warm_zygote() -> Iterator[None]:
    """Start the zygote of this process, so that its import goes on beside other work; end it on leaving."""
    shared_zygote()
    try:
        yield
    finally:
        close_zygote()


atexit.register(close_zygote)
