"""Pool of workers in Slurm jobs, with the driver outside of them; no job is left at its end."""

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
from hstmosaic.run.slurm.answers import SlurmCommandError
from hstmosaic.run.slurm.cluster import SETTINGS, QuietScheduler, SizedCluster
from hstmosaic.run.slurm.commands import cancel, queue
from hstmosaic.run.slurm.jobs import check_path, config, job_limits, job_name, job_options
from hstmosaic.run.slurm.tls import run_keys
from hstmosaic.run.slurm.workers import SlurmWorkers
from hstmosaic.store.stage_events import Note
from hstmosaic.store.worker_events import JobsLeft

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from hstmosaic.run.node.task import TaskOptions
    from hstmosaic.run.profiles.profile import Profile
    from hstmosaic.run.slurm.polling import Timing
    from hstmosaic.store.events import EventLog
    from hstmosaic.store.run_directory import RunDirectory

_GONE_SECONDS = 90.0
# importing the libraries that draw Dask's diagrams is a third of the time to start
_SCHEDULER = {"dashboard": False, "dashboard_address": "127.0.0.1:0"}


@contextmanager
def slurm_pool(
    profile: Profile,
    directory: RunDirectory,
    events: EventLog,
    options: TaskOptions,
    workers: int | None = None,
    timing: Timing | None = None,
) -> Iterator[Pool]:
    """Run tasks in Slurm jobs that are submitted on demand.

    Parameters
    ----------
    profile : Profile
        Sizes and number of jobs.
    directory : RunDirectory
        Holds keys and the output of jobs; nodes see it under the same path.
    events : EventLog
        Receives the events.
    options : TaskOptions
        How workers run tasks.
    workers : int, optional
        Tasks at a time at most.
    timing : Timing, optional
        Times of polling.

    Yields
    ------
    Pool
        On leaving, also by an error, no job of the run is left.

    Raises
    ------
    ClusterError
        If Slurm does not answer.
    ProfileError
        If the path of the run cannot be used.
    """
    check_path(directory.path)
    keys, logs = directory.keys, directory.job_logs
    with dask.config.set({**SETTINGS, **profile.dask}):
        name, limits = job_name(directory), job_limits(profile)
        if note := address_note():
            events.emit(Note(), note, "warning")
        queue(name)  # raises if Slurm does not answer
        _cancel_and_wait(name, events)  # jobs that a killed driver left
        cluster = SizedCluster(
            **job_options(limits.shared, name, logs, profile),
            security=run_keys(keys),
            scheduler_cls=QuietScheduler,
            scheduler_options=_SCHEDULER | config("scheduler-options", {}),
            silence_logs="CRITICAL",
        )
        try:
            with Client(cluster) as client:
                source = SlurmWorkers(cluster, profile, limits, name, logs, events, workers or math.inf, timing)
                pool = Pool(client, source, events, options)
                try:
                    yield pool
                finally:
                    with _ignoring_signals():
                        pool.close()
                        _cancel_all(name)
        finally:
            with _ignoring_signals():
                with suppress(TimeoutError):  # `_cancel_and_wait` cancels and reports what is left
                    cluster.close(timeout=60)
                _cancel_and_wait(name, events)
                shutil.rmtree(keys, ignore_errors=True)


def _cancel_all(name: str) -> None:
    """Cancel all jobs of the run, if Slurm answers."""
    with suppress(SlurmCommandError):  # `_cancel_and_wait` tries again, and reports what is left
        cancel(name)


def _cancel_and_wait(name: str, events: EventLog) -> None:
    """Cancel all jobs of the run, and wait until they are gone."""
    deadline = time.monotonic() + _GONE_SECONDS
    left: Mapping[str, Any]
    while True:
        try:
            left = queue(name)
            if not left:
                return
            if any(job.state != "COMPLETING" for job in left.values()):
                cancel(name)
        except SlurmCommandError as error:
            left = {error.message: None}
        if time.monotonic() > deadline:
            message = f"jobs may be left ({', '.join(left)}); cancel them with: scancel --name {name}"
            events.emit(JobsLeft(name), message, "error")
            return
        time.sleep(0.5)


@contextmanager
def _ignoring_signals() -> Iterator[None]:
    """Ignore Ctrl-C, SIGTERM and the loss of the terminal while jobs are cancelled."""
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
