"""Connection of a worker to the process that forks tasks (the zygote, `hstmosaic.tasks.zygote`)."""

from __future__ import annotations

import atexit
import json
import os
import signal
import subprocess
import tempfile
import threading
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from hstmosaic.child import child_environment, module_command
from hstmosaic.run.node.losses import ZygoteEndedError, ZygoteKilledError, is_memory_error
from hstmosaic.store.files import ENCODING

if TYPE_CHECKING:
    from collections.abc import Iterator

_ENVIRONMENT = {
    # one core per task, since other tasks use the other cores
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    # drizzlepac iterates over sets of names
    "PYTHONHASHSEED": "0",
    # drizzlepac prints paths, which may have bytes that are not UTF-8
    "PYTHONIOENCODING": "utf-8:backslashreplace",
    "PYTHONUNBUFFERED": "1",
}
_PROGRAM = "hstmosaic.tasks.zygote"
_TAIL_LENGTH = 2000
_UPSTREAM_SWITCHES = ("MVM_INCLUDE_SMALL", "MVM_ONLY_CTE", "MVM_QUALITY_TESTING", "DATA_PATH")


@dataclass(frozen=True)
class Ended:
    """End of the process of a task."""

    status: int
    """Exit code, or minus the number of the signal that ended it."""
    cpu_seconds: float
    max_rss_mb: float
    """Peak resident memory, 10^6 bytes."""


class Zygote:
    """A zygote that runs as a child of this process.

    Raises
    ------
    ZygoteEndedError
        If the zygote cannot start; from `run` also if it dies. `ZygoteKilledError` if that was for lack of memory.
    """

    def __init__(self) -> None:
        try:
            with ExitStack() as undo:
                self._errors = undo.enter_context(tempfile.TemporaryFile("w+", encoding=ENCODING, errors="replace"))
                # the child's imports may print on standard output, so answers have a pipe of their own
                answers, writing = os.pipe()
                undo.callback(os.close, writing)
                self._answers = undo.enter_context(os.fdopen(answers, encoding=ENCODING))
                self._process = self._start(writing)
                undo.pop_all()
                os.close(writing)
        except OSError as error:
            raise ZygoteEndedError(f"the process that runs tasks cannot start: {error}", ready=False) from error
        self._lock = threading.Lock()
        self._ready = threading.Event()
        self._was_ready = self._over = False
        self._waiting: dict[str, tuple[threading.Event, list[Ended]]] = {}
        self.pids: dict[str, int] = {}
        self._listener = threading.Thread(target=self._listen, daemon=True, name="zygote")
        self._listener.start()

    def _start(self, answers: int) -> subprocess.Popen[str]:
        environment = {k: v for k, v in child_environment().items() if k not in _UPSTREAM_SWITCHES} | _ENVIRONMENT
        return subprocess.Popen(
            module_command(_PROGRAM, str(answers)),
            stdin=subprocess.PIPE,
            stdout=self._errors,
            stderr=self._errors,
            encoding=ENCODING,
            env=environment,
            start_new_session=True,
            pass_fds=(answers,),
        )

    @property
    def alive(self) -> bool:
        """Return whether the zygote runs."""
        return self._process.poll() is None

    def wait(self) -> None:
        """Wait until the zygote has imported drizzlepac or has ended."""
        self._ready.wait()

    def run(self, folder: Path, work: Path) -> Ended:
        """Run the task of a directory in a working directory, and wait for its end."""
        done = threading.Event()
        answer: list[Ended] = []
        with self._lock:
            # a process that ends may close its answers before its standard input; a task sent then would be lost
            if not self._over:
                self._waiting[str(folder)] = done, answer
                self._send({"folder": str(folder), "work": str(work)})
            else:
                done.set()
        done.wait()
        if not answer:
            tail = self._stderr_tail()
            killed = is_memory_error(self._process.wait(), tail.splitlines()[-1])
            kind = ZygoteKilledError if killed else ZygoteEndedError
            what = "ended" if self._was_ready else "cannot start"
            raise kind(f"the process that runs tasks {what}: {tail}", ready=self._was_ready)
        return answer[0]

    def close(self) -> None:
        """End the zygote and kill the tasks that still run."""
        for pid in list(self.pids.values()):
            # a task leads its process group; its children may outlive it
            with suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)
        # a task that started just now is killed by the kernel together with its parent
        self._process.kill()
        self._process.wait()
        self._listener.join()
        for stream in (self._process.stdin, self._answers, self._errors):
            # closing flushes a task that was not sent completely
            with suppress(BrokenPipeError):
                if stream is not None:
                    stream.close()

    def _stderr_tail(self) -> str:
        try:
            self._errors.seek(0)
            status = self._process.wait()
            return self._errors.read()[-_TAIL_LENGTH:].strip() or _describe_exit(status)
        except ValueError:  # the file was closed by `close`
            return "the run was stopped"

    def _send(self, message: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(message) + "\n")
            self._process.stdin.flush()
        except (BrokenPipeError, ValueError):
            self._release_all()

    def _listen(self) -> None:
        try:
            for line in self._answers:
                message = json.loads(line)
                self._was_ready = True
                self._ready.set()
                if "status" in message:
                    with self._lock:
                        done, answer = self._waiting.pop(message["folder"])
                        self.pids.pop(message["folder"], None)
                    answer.append(Ended(message["status"], message["cpu_seconds"], message["max_rss_mb"]))
                    done.set()
                elif "pid" in message:
                    self.pids[message["folder"]] = message["pid"]
        finally:
            with self._lock:
                self._over = True
                self._release_all()
            self._ready.set()

    def _release_all(self) -> None:
        for done, _ in self._waiting.values():
            done.set()
        self._waiting.clear()


def _describe_exit(status: int) -> str:
    return f"exit code {status}" if status >= 0 else f"ended by signal {-status}"


_current: Zygote | None = None
_guard = threading.Lock()


def shared_zygote() -> Zygote:
    """Return the zygote of this process; start one if none runs."""
    global _current  # noqa: PLW0603
    with _guard:
        if _current is None or not _current.alive:
            _current = Zygote()
        return _current


def close_zygote() -> None:
    """End the zygote of this process and its tasks."""
    global _current
    with _guard:
        zygote, _current = _current, None
    if zygote is not None:
        zygote.close()


def cpu_of_tasks() -> dict[str, float]:
    """Return the CPU seconds that the running tasks of this process have used, by name of the task."""
    taken = {}
    for folder, pid in dict(_current.pids if _current is not None else {}).items():
        with suppress(psutil.Error):  # the task ended meanwhile
            times = psutil.Process(pid).cpu_times()
            taken[Path(folder).name] = round(times.user + times.system, 2)
    return taken


@contextmanager
def warm_zygote() -> Iterator[None]:
    """Start the zygote of this process, so that its import runs next to other work; end it on leaving."""
    shared_zygote()
    try:
        yield
    finally:
        close_zygote()


atexit.register(close_zygote)
