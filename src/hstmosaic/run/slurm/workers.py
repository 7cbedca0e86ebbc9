"""Workers in Slurm jobs: submitted for waiting tasks, replaced when lost, cancelled when idle."""

from __future__ import annotations

import contextlib
import math
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from hstmosaic.errors import ClusterError
from hstmosaic.run.node.losses import Cause, Loss
from hstmosaic.run.pool.machine_limits import SLURM_JOB
from hstmosaic.run.pool.placement import START_SECONDS, JobLimits, JobSize, Need, pack, place
from hstmosaic.run.pool.worker_source import Worker
from hstmosaic.run.slurm.answers import JobState, SlurmCommandError, is_transient, parse_submitted, unexpected_output
from hstmosaic.run.slurm.cluster import Job
from hstmosaic.run.slurm.commands import cancel, job_state, numbers_of, queue
from hstmosaic.run.slurm.jobs import job_options
from hstmosaic.run.slurm.pending import PendingWatch
from hstmosaic.run.slurm.polling import SlurmQueries, Timing
from hstmosaic.run.worker import JOB, VERSIONS, check_versions
from hstmosaic.store.files import ENCODING
from hstmosaic.store.worker_events import JobLost, JobRefused, JobSubmitted, StrayJob
from hstmosaic.text import count_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from pathlib import Path

    from hstmosaic.run.profiles.profile import Profile
    from hstmosaic.run.slurm.cluster import SizedCluster
    from hstmosaic.store.events import EventLog

_FIRST_SUBMIT_PAUSE, _LONGEST_SUBMIT_PAUSE = 5.0, 60.0


class SlurmWorkers:
    """Workers in the Slurm jobs of one run.

    Parameters
    ----------
    cluster : SizedCluster
        Of Dask.
    profile : Profile
        Number of jobs, patience, attempts.
    limits : JobLimits
        Sizes of jobs.
    name : str
        Of the jobs.
    logs : pathlib.Path
        Directory of their output.
    events : EventLog
        Receives the events.
    slots : float
        Tasks at a time at most.
    timing : Timing, optional
        Times of polling.
    clock : callable
        Returns monotonic seconds.
    """

    period = 0.5
    largest_mb = None
    memory_limit = SLURM_JOB

    def __init__(
        self,
        cluster: SizedCluster,
        profile: Profile,
        limits: JobLimits,
        name: str,
        logs: Path,
        events: EventLog,
        slots: float = math.inf,
        timing: Timing | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.cluster, self.profile, self.limits = cluster, profile, limits
        self.name, self.logs, self.events, self.slots = name, logs, events, slots
        self.attempts = profile.attempts
        self.jobs: dict[str, Job] = {}
        self._timing, self._clock = timing or Timing(), clock
        self._connected: dict[str, Worker] = {}
        self._submitted = self._start_failures = 0
        self._polled = self._waiting_since = clock()
        self._not_before = 0.0
        self._pause, self._rejected_since = _FIRST_SUBMIT_PAUSE, 0.0
        self._pending = PendingWatch(events, self._timing.pending)
        self._queries = SlurmQueries(events, self._timing, clock)

    def workers(self) -> Mapping[str, Worker]:
        """Return the connected workers by name, as `refresh` found them."""
        return self._connected

    def refresh(self) -> None:
        """Find the connected workers, and register those that connected since.

        Raises
        ------
        ClusterError
            If the versions of a worker differ from those of the driver.
        """
        now = self._clock()
        self._connected = {}
        for name, worker in self.cluster.connected().items():
            job = self.jobs.get(name)
            if job is None:
                continue
            if job.connected_at is None:
                record = worker.identity()
                check_versions(record.get(VERSIONS, {}))
                if record.get(JOB) and record[JOB] != job.number:  # sbatch may be slower than the job
                    self._set_number(job, record[JOB])
                job.connected_at = job.idle_since = now
                job.ends_at = now + job.size.seconds - START_SECONDS
                self._start_failures = 0
            capacity = replace(job.size.capacity(name), seconds=job.ends_at - now)
            self._connected[name] = Worker(worker.address, capacity)

    def adjust(self, need: Need) -> Need:
        """Return the need as jobs request it, or raise `ClusterError` if no job is large enough."""
        rejection = self.limits.rejection(need)
        if rejection:
            raise ClusterError(f"a task {rejection}", "name a larger partition or larger limits in the profile")
        return need if self.profile.scratch_option else replace(need, disk_mb=0)

    def attempts_for(self, cause: Cause) -> int:
        """Return the largest number of attempts of a task."""
        return self.attempts

    def more_memory(self, memory_mb: int) -> int | None:
        """Return the memory for another attempt, None if there is no more."""
        return self.limits.more_memory(memory_mb, self.profile.memory_growth)

    def more_time(self, seconds: float) -> float:
        """Return an estimate of time, limited to that of the longest job allowed."""
        return min(seconds, self.limits.max_seconds - START_SECONDS)

    def find_loss(self, name: str, since: float) -> Loss | None:
        """Find out how a lost worker ended; cancel its job if Slurm does not report an end."""
        job = self.jobs.get(name)
        if job is None:
            return Loss(Cause.WORKER, "its worker was lost")
        state = self._end_of(job)
        if state is None:
            if since > self._timing.lost_worker / 2:  # it may still run the task, which must not run twice at a time
                self.cluster.remove_job(name, job.number)
            if since < self._timing.lost_worker:
                return None
            state = JobState("RUNNING", reason="worker lost")
        message = f"its job {job.number} ended ({state})"
        if not state.ended:
            message = f"the worker of its job {job.number} was lost"
        if state.ran_out_of_memory(self._log(job)):
            return Loss(Cause.MEMORY, f"{message}: not enough memory")
        if state.state == "TIMEOUT":
            return Loss(Cause.WALLTIME, message, job.size.seconds)
        return Loss(Cause.WORKER, message)

    def discard(self, name: str) -> bool:
        """Cancel the job of a worker; another one can be submitted."""
        job = self.jobs.get(name)
        if job is not None:
            self._remove(job)
        return True

    def scale(self, waiting: Sequence[Need], busy: Collection[str]) -> None:
        """Submit jobs for waiting tasks; cancel jobs that are idle or whose workers are lost."""
        now = self._clock()
        self._read_answers_of_sbatch(now)
        if now - self._polled > self._timing.poll:
            self._poll_queue(busy)
        # an idle worker has no room for any waiting task
        idle = min(self.profile.idle, self._timing.idle_while_tasks_wait) if waiting else self.profile.idle
        for job in list(self.jobs.values()):
            if job.name in busy:
                job.idle_since = now
            elif job.connected_at is not None and (job.name not in self._connected or now - job.idle_since > idle):
                self._remove(job)
        starting = [job for job in self.jobs.values() if job.connected_at is None]
        names = place(waiting, [job.size.capacity(job.name) for job in starting])
        unplaced = [need for need, name in zip(waiting, names, strict=True) if name is None]
        if not unplaced:
            self._waiting_since = now
        elif now >= max(self._not_before, self._waiting_since + self._timing.hold):
            slots = self.slots - sum(job.size.cores for job in self.jobs.values())
            for size in pack(unplaced, self.limits, self.profile.max_jobs - len(self.jobs), slots):
                self._submit(size)

    def _submit(self, size: JobSize) -> None:
        self._submitted += 1
        job = Job(f"{self.name}-{self._submitted}", size)
        self.jobs[job.name] = job
        self.cluster.submit_job(job.name, job_options(size, self.name, self.logs, self.profile))

    def _remove(self, job: Job) -> None:
        del self.jobs[job.name]
        self.cluster.remove_job(job.name, job.number)

    def _read_answers_of_sbatch(self, now: float) -> None:
        for job in [job for job in self.jobs.values() if not job.number]:
            submitted = self.cluster.job(job.name)
            if submitted is None:
                continue
            if submitted.answer is not None:
                self._identify(job, submitted.answer)
            elif submitted.rejection:
                self._remove(job)
                self._handle_rejection(submitted.rejection, now)

    def _identify(self, job: Job, answer: str) -> None:
        """Set the number of a job: of all numbers that the site printed, the one that is a job of this run."""
        taken = {other.number for other in self.jobs.values()}
        candidates = [number for number in parse_submitted(answer) if number not in taken]
        found = self._queries.call(numbers_of, self.name, *candidates)
        if found is None:
            return
        if len(found) != 1:
            raise unexpected_output("sbatch", answer)
        self._set_number(job, found[0])

    def _set_number(self, job: Job, number: str) -> None:
        job.number, size = number, job.size
        self._pause, self._rejected_since = _FIRST_SUBMIT_PAUSE, 0.0
        resources = f"{count_of(size.cores, 'core')}, {size.memory_mb} MB, {size.seconds / 60:.0f} min"
        self.events.emit(JobSubmitted(number, size.memory_mb), f"job {number} submitted ({resources})", "debug")

    def _handle_rejection(self, reason: str, now: float) -> None:
        self._rejected_since = self._rejected_since or now
        hopeless = now - self._rejected_since > self.profile.patience and not self.jobs
        if not is_transient(reason) or hopeless:
            raise ClusterError(f"sbatch rejects the jobs of this run: {reason}", "correct the profile, or ask the site")
        if now >= self._not_before:
            level = "warning" if self._pause == _FIRST_SUBMIT_PAUSE else "debug"
            self.events.emit(JobRefused(reason), f"sbatch accepts no job now: {reason}; trying again", level)
            self._polled = -math.inf  # the job may have been submitted anyway
            self._not_before = now + self._pause
            self._pause = min(2 * self._pause, _LONGEST_SUBMIT_PAUSE)

    def _poll_queue(self, busy: Collection[str]) -> None:
        listed = self._queries.call(queue, self.name)
        now = self._polled = self._clock()
        if listed is None:
            return
        self._cancel_strays(listed)
        self._check_pending(listed, now)
        for job in [job for job in self.jobs.values() if job.number]:
            state = listed.get(job.number)
            if state is not None and state.seconds_left is not None and job.connected_at is not None:
                job.ends_at = now + state.seconds_left
            elif state is None and job.connected_at is None and job.name not in busy:
                self._remove_failed_start(job)

    def _cancel_strays(self, listed: Mapping[str, JobState]) -> None:
        """Cancel jobs that were submitted by calls of sbatch that were given up."""
        numbers = {job.number for job in self.jobs.values()}
        strays = [number for number, job in listed.items() if number not in numbers and job.state != "COMPLETING"]
        # the number of a job that is being submitted is not known
        for number in strays if "" not in numbers else ():
            self.events.emit(StrayJob(number), f"cancelling job {number}, which is not used", "debug")
            with contextlib.suppress(SlurmCommandError):  # the next poll finds what is left
                cancel(self.name, number, seconds=self._timing.query)

    def _check_pending(self, listed: Mapping[str, JobState], now: float) -> None:
        starting = [job.number for job in self.jobs.values() if job.number in listed and job.connected_at is None]
        waiting = {number: listed[number].reason for number in starting if listed[number].state == "PENDING"}
        seconds, message = self._pending.look(waiting, now)
        # jobs that run can do the tasks of those that never start
        if seconds > self.profile.patience and len(waiting) == len(self.jobs):
            reason, _, step = message.partition("; ")
            raise ClusterError(f"the jobs of this run will never start ({reason})", step)

    def _remove_failed_start(self, job: Job) -> None:
        state = self._end_of(job)
        if state is None:
            return
        log = self._log(job).strip().splitlines()
        self._remove(job)
        self._start_failures += 1
        message = f"job {job.number} ended ({state}) before its worker started" + (f": {log[-1]}" if log else "")
        if self._start_failures >= self._timing.start_failures:
            others = self._timing.start_failures - 1
            raise ClusterError(
                f"{message}; so did the {count_of(others, 'job')} before", f"see the logs in {self.logs}"
            )
        self.events.emit(JobLost(job.number), f"{message}; submitting another", "warning")

    def _end_of(self, job: Job) -> JobState | None:
        state = self._queries.call(job_state, job.number)
        return state if state is not None and state.ended else None

    def _log(self, job: Job) -> str:
        files = self.logs.glob(f"*-{job.number}.err") if job.number else ()
        return "".join(file.read_text(ENCODING, errors="replace") for file in files)
