"""A run on Slurm with the driver outside: a cluster of its own behind TLS, and no job left at the end."""

from __future__ import annotations

import math
import shutil
import signal
import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import dask.config
from distributed import Client

from hstmosaic.run.dask_settings import address_note
from hstmosaic.run.pool.pool import Pool
from hstmosaic.run.slurm.answers import SlurmSilentError
from hstmosaic.run.slurm.commands import cancel, queue
from hstmosaic.run.slurm.jobs import (
    QUIET,
    QuietScheduler,
    SizedCluster,
    check_path,
    config,
    job_limits,
    job_name,
    job_options,
)
from hstmosaic.run.slurm.tls import run_keys
from hstmosaic.run.slurm.workers import SlurmStaff

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from hstmosaic.run.node.task import Workplace
    from hstmosaic.run.profiles.profile import Profile
    from hstmosaic.store.events import EventLog
    from hstmosaic.store.run_directory import RunDirectory

_GONE_SECONDS = 90.0
# the libraries that draw Dask's diagrams would be a third of what it costs to start
_SCHEDULER = {"dashboard": False, "dashboard_address": "127.0.0.1:0"}


@contextmanager
def slurm_pool(
    profile: Profile, directory: RunDirectory, events: EventLog, place: Workplace, workers: int | None = None
) -> Iterator[Pool]:
    """Run tasks in Slurm jobs that are submitted as they are needed.

    Parameters
    ----------
    profile : Profile
        Where and how large.
    directory : RunDirectory
        Seen by the nodes under the same path; keys and the jobs' logs go there.
    events : EventLog
        Receives the events.
    place : Workplace
        Where tasks work.
    workers : int, optional
        Tasks at a time at most.

    Yields
    ------
    Pool
        On leaving, however that comes about, no job of the run is left.

    Raises
    ------
    ClusterError
        If Slurm does not answer.
    ProfileError
        If the path of the run cannot be used.
    """
    check_path(directory.path)
    keys, logs = directory.keys, directory.job_logs
    with dask.config.set(QUIET | dict(profile.dask)):
        name, limits = job_name(directory), job_limits(profile)
        if note := address_note():
            events.emit("note", note, "warning")
        # a driver that was killed cannot have cleared up; and where Slurm does not answer now, there is no run
        queue(name)
        _clear(name, events)
        cluster = SizedCluster(
            **job_options(limits.shared, name, logs, profile),
            security=run_keys(keys),
            scheduler_cls=QuietScheduler,
            scheduler_options=_SCHEDULER | config("scheduler-options", {}),
            silence_logs="CRITICAL",
        )
        try:
            with Client(cluster) as client:
                staff = SlurmStaff(cluster, profile, limits, name, logs, events, workers or math.inf)
                pool = Pool(client, staff, events, place)
                try:
                    yield pool
                finally:
                    with _undisturbed():
                        pool.close()
                        _cancel_all(name)
        finally:
            with _undisturbed():
                with suppress(TimeoutError):  # what Slurm has not answered until then is told below
                    cluster.close(timeout=60)
                _clear(name, events)
                shutil.rmtree(keys, ignore_errors=True)


def _cancel_all(name: str) -> None:
    """Cancel all jobs of the run, if Slurm answers."""
    with suppress(SlurmSilentError):  # `_clear` tries again, and reports what is left
        cancel(name)


def _clear(name: str, events: EventLog) -> None:
    """Cancel all jobs of the run, and see to it that they are gone."""
    deadline = time.monotonic() + _GONE_SECONDS
    left: Mapping[str, Any]
    while True:
        try:
            left = queue(name)
            if not left:
                return
            if any(job.state != "COMPLETING" for job in left.values()):
                cancel(name)
        except SlurmSilentError as error:
            left = {error.message: None}
        if time.monotonic() > deadline:
            events.emit("jobs left", f"jobs may be left ({', '.join(left)}): scancel --name {name}", "error", name=name)
            return
        time.sleep(0.5)


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Let neither Ctrl-C nor SIGTERM nor a lost terminal interrupt clearing up."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {
        number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
