"""A process that has drizzlepac imported and forks once per task, so that the import is paid once.

Its messages are lines of JSON. It reads ``{"folder": "...", "work": "..."}`` on standard input and ends with it. It
writes on the file descriptor whose number is its argument: ``{"ready": true}`` after the import, ``{"folder": ...,
"pid": ...}`` when a task starts, and the same with ``status`` (as of `os.waitstatus_to_exitcode`), ``cpu_seconds`` and
``max_rss_mb`` when it has ended.
"""

from __future__ import annotations

import ctypes
import json
import os
import selectors
import signal
import sys
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from hstmosaic.store.files import ENCODING
from hstmosaic.store.task_specs import LOG_FILE
from hstmosaic.tasks.deferred_imports import defer_unneeded_imports

if TYPE_CHECKING:
    from collections.abc import Callable

_PR_SET_PDEATHSIG = 1


def _say(answers: IO[str], **message: Any) -> None:
    answers.write(json.dumps(message) + "\n")
    answers.flush()


def _child(execute: Callable[[Path, Path], bool], folder: Path, work: Path, parent: int, answers: IO[str]) -> None:
    """Become the task: its own process group, its own log, gone when the zygote is gone."""
    os.setsid()
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
    # the worker waits for its end after the zygote's, and processes of the task's may go on after both
    os.close(answers.fileno())
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGCHLD, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    log = os.open(folder / LOG_FILE, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(log, 1)
    os.dup2(log, 2)
    from hstmosaic.tasks.upstream.dependencies import keep_paths_relative

    status = 1
    try:
        keep_paths_relative()
        status = 0 if execute(folder, work) else 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _reap(children: dict[int, str], answers: IO[str]) -> None:
    while children:
        pid, status, usage = os.wait4(-1, os.WNOHANG)
        if pid == 0:
            return
        _say(
            answers,
            folder=children.pop(pid),
            pid=pid,
            status=os.waitstatus_to_exitcode(status),
            cpu_seconds=usage.ru_utime + usage.ru_stime,
            max_rss_mb=usage.ru_maxrss * 1024 / 1e6,
        )


def main() -> None:
    """Serve until standard input ends; tasks still running then are killed."""
    # before drizzlepac, which comes with the tasks
    defer_unneeded_imports()
    from hstmosaic.tasks.execute import execute

    number = int(sys.argv[1])
    os.set_inheritable(number, False)
    answers = os.fdopen(number, "w", encoding=ENCODING)
    wake_read, wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(wake_write)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    selector = selectors.DefaultSelector()
    selector.register(0, selectors.EVENT_READ)
    selector.register(wake_read, selectors.EVENT_READ)
    children: dict[int, str] = {}
    pending = b""
    _say(answers, ready=True)
    while True:
        for key, _ in selector.select():
            chunk = os.read(key.fd, 65536)
            if key.fd == wake_read:
                _reap(children, answers)
                continue
            if not chunk:
                for pid in children:
                    os.killpg(pid, signal.SIGKILL)
                return
            *lines, pending = (pending + chunk).split(b"\n")
            for line in lines:
                message = json.loads(line)
                folder = message["folder"]
                parent = os.getpid()
                pid = os.fork()
                if pid == 0:
                    _child(execute, Path(folder), Path(message["work"]), parent, answers)
                children[pid] = folder
                _say(answers, folder=folder, pid=pid)


if __name__ == "__main__":
    main()
