"""Paths of a run directory, which holds all state of a run, and of its tasks; its lock; keys of finished tasks."""

from __future__ import annotations

import fcntl
import hashlib
import json
import math
import os
import platform
import shutil
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TextIO

from hstmosaic.errors import OutputError, RunBusyError
from hstmosaic.store.files import ENCODING, sha256
from hstmosaic.store.measured import Measured, read_measured
from hstmosaic.store.result_files import TaskResult, read_result
from hstmosaic.store.spec_files import spec_to_json
from hstmosaic.store.task_specs import LOG_FILE, SPEC_FILE, WORK_FOLDER, TaskSpec

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

RUN_FOLDER = "_run"
"""Suffix of a run directory; its name begins with the prefix of the products."""
_KEY_FILE = "key.txt"
_OTHERS_WRITE = 0o022
"""Bits of a mode by which group and others may write."""
_LOCK_SECONDS = 1.0
_BLOCK = 512
"""Bytes in a block of `os.stat`."""


@dataclass(frozen=True)
class TaskDirectory:
    """The folder of one task: spec.json, work/, log.txt, result.json."""

    path: Path

    @property
    def work(self) -> Path:
        """Working directory of the task's process."""
        return self.path / WORK_FOLDER

    @property
    def log(self) -> Path:
        """Output of the task."""
        return self.path / LOG_FILE

    @property
    def measured_file(self) -> Path:
        """Wall time, CPU time and memory of the last attempt."""
        return self.path / "measured.json"

    @property
    def name(self) -> str:
        """Name of the task."""
        return self.path.name

    @property
    def is_finished(self) -> bool:
        """Return whether the task has a result, whatever it was made from."""
        result = read_result(self.path)
        return result is not None and result.ok

    def finished(self, key: str) -> TaskResult | None:
        """Return the result of a finished task if it was for the same key, else None."""
        try:
            same = (self.path / _KEY_FILE).read_text(ENCODING) == key
        except FileNotFoundError:
            return None
        result = read_result(self.path) if same else None
        return result if result is not None and result.ok else None

    def is_intact(self, result: TaskResult, moved_to: Path | None = None) -> bool:
        """Return whether all files of a finished task are unchanged.

        Parameters
        ----------
        result : TaskResult
            Of the task.
        moved_to : pathlib.Path, optional
            Where they may have been moved.
        """
        for name, checksum in result.files.items():
            places = [folder / name for folder in (self.work, moved_to) if folder is not None]
            if not any(place.is_file() and sha256(place) == checksum for place in places):
                return False
        return True

    def held_mb(self, moved_to: Path) -> float:
        """Return the disk space that a task takes already, 10^6 bytes; infinite if it needs no more.

        Parameters
        ----------
        moved_to : pathlib.Path
            Where files of a finished task may have been moved.
        """
        result = read_result(self.path)
        if result is not None and result.ok:
            if all((self.work / name).exists() or (moved_to / name).exists() for name in result.files):
                return math.inf
            return 0.0
        # the remains of an attempt are removed before the next one
        return sum(path.lstat().st_blocks for path in self.work.rglob("*")) * _BLOCK / 1e6

    def prepare(self, spec: TaskSpec, key: str) -> None:
        """Empty the folder and write the specification of the task."""
        shutil.rmtree(self.path, ignore_errors=True)
        self.path.mkdir(parents=True)
        (self.path / SPEC_FILE).write_text(spec_to_json(spec), ENCODING)
        (self.path / _KEY_FILE).write_text(key, ENCODING)

    def read_measured(self) -> Measured | None:
        """Return what the task took; None if that was not recorded."""
        return read_measured(self.measured_file)

    def remove_work(self) -> None:
        """Delete the working copies."""
        shutil.rmtree(self.work, ignore_errors=True)


@dataclass(frozen=True)
class RunDirectory:
    """Paths of a run."""

    path: Path
    """The run directory."""

    @property
    def output(self) -> Path:
        """The output directory, in which the products are."""
        return self.path.parent

    @property
    def prefix(self) -> str:
        """Prefix of the products."""
        return self.path.name.removesuffix(RUN_FOLDER)

    @property
    def plan_file(self) -> Path:
        """The plan."""
        return self.path / "plan.json"

    @property
    def plan_key_file(self) -> Path:
        """Digest of everything that the plan was made from; missing where it was made from standard input."""
        return self.path / "plan_key.txt"

    @property
    def options_file(self) -> Path:
        """Options of the last start that determine the products."""
        return self.path / "options.json"

    @property
    def outlines_file(self) -> Path:
        """Outlines of the exposures on the sky."""
        return self.path / "footprints.json"

    @property
    def alignment_file(self) -> Path:
        """Results of the alignment."""
        return self.path / "alignment.json"

    @property
    def pictures_file(self) -> Path:
        """List of the pictures, and what was measured while they were drawn."""
        return self.path / "pictures.json"

    @property
    def pictures(self) -> Path:
        """Folder of pictures that only the report uses."""
        return self.path / "pictures"

    @property
    def catalogs(self) -> Path:
        """Folder of replies of the catalogue service."""
        return self.path / "catalogs"

    @property
    def tasks(self) -> Path:
        """Folder of the tasks."""
        return self.path / "tasks"

    @property
    def job_logs(self) -> Path:
        """Folder of the logs of Slurm jobs."""
        return self.path / "logs" / "jobs"

    @property
    def keys(self) -> Path:
        """Folder of the certificates and keys of this run's Dask scheduler."""
        return self.path / "tls"

    @property
    def lock_file(self) -> Path:
        """The file that the driver locks while it works."""
        return self.path / "lock"

    @property
    def log_file(self) -> Path:
        """The run log: one JSON object a line."""
        return self.path / "logs" / "run.jsonl"

    @property
    def library_log(self) -> Path:
        """Warnings and errors that Dask logs in the driver; created with the first one."""
        return self.path / "logs" / "dask.log"

    @property
    def failures_file(self) -> Path:
        """Failures of the last run and their remedies; missing if nothing failed."""
        return self.path / "failures.txt"

    @property
    def contents(self) -> tuple[Path, ...]:
        """All files and folders that runs make in the run directory."""
        files = (self.plan_file, self.plan_key_file, self.options_file, self.outlines_file, self.alignment_file)
        folders = (self.pictures, self.catalogs, self.tasks, self.keys, self.log_file.parent)
        return (*files, self.pictures_file, self.failures_file, self.lock_file, *folders)

    def task(self, name: str) -> TaskDirectory:
        """Return the directory of a task."""
        return TaskDirectory(self.tasks / name)

    def create(self) -> None:
        """Make the folders, which others can read as the umask allows, but not change.

        Raises
        ------
        OutputError
            If they cannot be made, or belong to another user.
        """
        try:
            self.path.mkdir(mode=0o777 & ~_OTHERS_WRITE, parents=True, exist_ok=True)
            # users who can write here control the run; this fails if the directory belongs to another user
            self.path.chmod(self.path.stat().st_mode & ~_OTHERS_WRITE)
            self.tasks.mkdir(exist_ok=True)
            self.log_file.parent.mkdir(exist_ok=True)
        except OSError as error:
            raise OutputError(f"{self.path}: {error.strerror}", "choose another --output-dir") from error

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Lock the run directory against other drivers.

        Raises
        ------
        RunBusyError
            If another driver holds the lock; the message names it.
        OutputError
            If the file system does not support locks.
        """
        with self.lock_file.open("a+", encoding=ENCODING) as lock:
            try:
                _lock(lock)
            except BlockingIOError as error:
                lock.seek(0)
                raise RunBusyError(
                    f"{self.path}: another driver uses this run directory ({lock.read().strip()})",
                    "wait for it, stop it, or choose another --output-dir or prefix",
                ) from error
            except OSError as error:
                raise OutputError(
                    f"{lock.name}: cannot be locked ({error.strerror})",
                    "choose an --output-dir on a file system with locks, such as Lustre that is mounted with -o flock",
                ) from error
            lock.truncate(0)
            job = os.environ.get("SLURM_JOB_ID")
            lock.write(f"host {platform.node()}, process {os.getpid()}" + (f", job {job}" if job else ""))
            lock.flush()
            os.fsync(lock.fileno())  # a network file system would publish it only when the file is closed
            yield


def write_for_owner_alone() -> int:
    """Let other users change no file that this process and its children make from now on; return the earlier umask."""
    before = os.umask(0o077)
    os.umask(before | _OTHERS_WRITE)
    return before


@contextmanager
def written_by_owner_alone() -> Iterator[None]:
    """Let other users change no file that this process and its children make meanwhile."""
    before = write_for_owner_alone()
    try:
        yield
    finally:
        os.umask(before)


def _lock(file: TextIO) -> None:
    """Lock a file, with retries: `hstmosaic status` holds the lock for a moment to check for a driver."""
    deadline = time.monotonic() + _LOCK_SECONDS
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise
        time.sleep(0.02)


def run_directory(output: Path, prefix: str) -> RunDirectory:
    """Return the run directory that belongs to a prefix in an output directory."""
    return RunDirectory(output / f"{prefix}{RUN_FOLDER}")


def task_key(spec: TaskSpec, inputs: Mapping[str, tuple[int, int]], versions: Mapping[str, str]) -> str:
    """Return the digest of everything that the result of a task depends on.

    Parameters
    ----------
    spec : TaskSpec
        Specification of the task.
    inputs : mapping of str to tuple of int
        Size in bytes and time of change in nanoseconds of every file that the task reads.
    versions : mapping of str to str
        Versions of the packages that determine pixels.
    """
    text = json.dumps([spec_to_json(spec), sorted(inputs.items()), sorted(versions.items())])
    return hashlib.sha256(text.encode()).hexdigest()


def is_run_directory(path: Path) -> bool:
    """Return whether a folder is a run directory."""
    return path.name.endswith(RUN_FOLDER) and RunDirectory(path).plan_file.is_file()
