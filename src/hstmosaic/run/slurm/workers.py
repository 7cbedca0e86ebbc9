"""The workers that Slurm jobs bring: hired as tasks need them, replaced when lost, given back when idle."""

from __future__ import annotations

import contextlib
import math
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from hstmosaic.errors import ClusterError
from hstmosaic.run.node.losses import Cause, Lost
from hstmosaic.run.pool.machine_limits import SLURM_JOB
from hstmosaic.run.pool.placement import START_SECONDS, JobLimits, JobSize, Need, Room, pack, place
from hstmosaic.run.slurm.answers import JobState, SlurmSilentError, is_transient, parse_submitted, unclear
from hstmosaic.run.slurm.commands import cancel, job_state, numbers_of, queue
from hstmosaic.run.slurm.jobs import Job, job_options
from hstmosaic.run.slurm.pending import PendingWatch
from hstmosaic.run.slurm.polling import ASK_SECONDS, Questions
from hstmosaic.run.worker import JOB, check_versions
from hstmosaic.store.files import ENCODING

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from pathlib import Path

    from hstmosaic.run.profiles.profile import Profile
    from hstmosaic.run.slurm.jobs import SizedCluster
    from hstmosaic.store.events import EventLog

_POLL_SECONDS = 10.0
_ENDING_SECONDS = 120.0
_FAILED_STARTS = 3
_FIRST_PAUSE = 5.0
_HOLD_SECONDS = 1.0
_IDLE_WHILE_OTHERS_WAIT = 3.0


class SlurmStaff:
    """Jobs of one run.

    Parameters
    ----------
    cluster : SizedCluster
        Of Dask.
    profile : Profile
        How many jobs, and how patient.
    limits : JobLimits
        How large.
    name : str
        Of the jobs.
    logs : pathlib.Path
        Where their output goes.
    events : EventLog
        Receives the events.
    slots : float
        Tasks at a time at most.
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
    ) -> None:
        self.cluster, self.profile, self.limits = cluster, profile, limits
        self.name, self.logs, self.events, self.slots = name, logs, events, slots
        self.attempts = profile.attempts
        self.jobs: dict[str, Job] = {}
        self._there: Collection[str] = ()
        self._hired = self._failed_starts = 0
        self._polled = self._wanted_since = time.monotonic()
        self._not_before = 0.0
        self._pause, self._refused_since = _FIRST_PAUSE, 0.0
        self._pending, self._questions = PendingWatch(events), Questions(events)

    def rooms(self) -> dict[str, tuple[str, Room]]:
        """Return address and capacity of the workers that are there, by name."""
        now = time.monotonic()
        found = {}
        for name, worker in self.cluster.staff().items():
            job = self.jobs.get(name)
            if job is None:
                continue
            if job.came is None:
                known = worker.identity()
                check_versions(known)
                if known.get(JOB) and known[JOB] != job.number:  # sbatch is slower than the job
                    self._has_number(job, known[JOB])
                job.came = job.idle_since = now
                job.until = now + job.size.seconds - START_SECONDS
                self._failed_starts = 0
            found[job.name] = worker.address, replace(job.size.room(job.name), seconds=job.until - now)
        self._there = found.keys()
        return found

    def adjust(self, need: Need) -> Need:
        """Return the need as jobs are asked for it, or raise `ClusterError` if no job is large enough."""
        refusal = self.limits.refusal(need)
        if refusal:
            raise ClusterError(f"a task {refusal}", "name a larger partition or larger limits in the profile")
        return need if self.profile.scratch_option else replace(need, disk_mb=0)

    def attempts_for(self, cause: Cause) -> int:
        """Return how often a task is started at most."""
        return self.attempts

    def more_memory(self, memory_mb: int) -> int | None:
        """Return the memory for another attempt, None if there is no more."""
        return self.limits.more_memory(memory_mb, self.profile.memory_growth)

    def more_time(self, seconds: float) -> float:
        """Return an estimate of time within the longest job that may be asked for."""
        return min(seconds, self.limits.max_seconds - START_SECONDS)

    def ending(self, name: str, since: float) -> Lost | None:
        """Return how a worker that is gone has ended, None while that is not known."""
        job = self.jobs.get(name)
        if job is None:
            return Lost(Cause.WORKER, "its worker was lost")
        state = self._ended(job)
        if state is None:
            if since > _ENDING_SECONDS / 2:
                self.cluster.dismiss(
                    name, job.number
                )  # it may still run the task, which must not be done twice at a time
            if since < _ENDING_SECONDS:
                return None
            state = JobState("RUNNING", reason="worker lost")
        words = f"its job {job.number} has ended ({state})"
        if not state.ended:
            words = f"the worker of its job {job.number} was lost"
        if state.for_want_of_memory(self._log(job)):
            return Lost(Cause.MEMORY, f"{words} for want of memory")
        if state.state == "TIMEOUT":
            return Lost(Cause.WALLTIME, words, job.size.seconds)
        return Lost(Cause.WORKER, words)

    def discard(self, name: str) -> bool:
        """End the job of a worker; another one can be submitted."""
        job = self.jobs.get(name)
        if job is not None:
            self._dismiss(job)
        return True

    def tend(self, waiting: Sequence[Need], busy: Collection[str]) -> None:
        """Hire for what waits, dismiss what is over or idle."""
        now = time.monotonic()
        self._hear_sbatch(now)
        if now - self._polled > _POLL_SECONDS:
            self._poll(busy)
        # an idle worker has room for nothing that waits
        idle = min(self.profile.idle, _IDLE_WHILE_OTHERS_WAIT) if waiting else self.profile.idle
        for job in list(self.jobs.values()):
            if job.name in busy:
                job.idle_since = now
            elif job.came is not None and (job.name not in self._there or now - job.idle_since > idle):
                self._dismiss(job)
        coming = [job for job in self.jobs.values() if job.came is None]
        placed = place(waiting, [job.size.room(job.name) for job in coming])
        wanted = [need for need, name in zip(waiting, placed, strict=True) if name is None]
        if not wanted:
            self._wanted_since = now
        # tasks that come one after the other are to share jobs
        elif now >= max(self._not_before, self._wanted_since + _HOLD_SECONDS):
            slots = self.slots - sum(job.size.cores for job in self.jobs.values())
            for size in pack(wanted, self.limits, self.profile.max_jobs - len(self.jobs), slots):
                self._hire(size)

    def _hire(self, size: JobSize) -> None:
        self._hired += 1
        job = Job(f"{self.name}-{self._hired}", size)
        self.jobs[job.name] = job
        self.cluster.hire(job.name, job_options(size, self.name, self.logs, self.profile))

    def _dismiss(self, job: Job) -> None:
        del self.jobs[job.name]
        self.cluster.dismiss(job.name, job.number)

    def _hear_sbatch(self, now: float) -> None:
        for job in [job for job in self.jobs.values() if not job.number]:
            submitted = self.cluster.job(job.name)
            if submitted is None:
                continue
            if submitted.answer is not None:
                self._find_number(job, submitted.answer)
            elif submitted.refusal:
                self._dismiss(job)
                self._refused(submitted.refusal, now)

    def _find_number(self, job: Job, answer: str) -> None:
        """Take the number that is that of a job of this run; what else a site prints may look like a number."""
        taken = {other.number for other in self.jobs.values()}
        candidates = [number for number in parse_submitted(answer) if number not in taken]
        found = self._questions.ask(numbers_of, self.name, *candidates)
        if found is None:
            return
        if len(found) != 1:
            raise unclear("sbatch", answer)
        self._has_number(job, found[0])

    def _has_number(self, job: Job, number: str) -> None:
        job.number, size = number, job.size
        self._pause, self._refused_since = _FIRST_PAUSE, 0.0
        what = f"{size.cores} core(s), {size.memory_mb} MB, {size.seconds / 60:.0f} min"
        self.events.emit("job", f"job {number} submitted ({what})", "debug", job=number, memory_mb=size.memory_mb)

    def _refused(self, words: str, now: float) -> None:
        self._refused_since = self._refused_since or now
        hopeless = now - self._refused_since > self.profile.patience and not self.jobs
        if not is_transient(words) or hopeless:
            raise ClusterError(f"sbatch refuses the run's jobs: {words}", "mend the profile, or ask the site")
        if now >= self._not_before:
            level = "warning" if self._pause == _FIRST_PAUSE else "debug"
            self.events.emit("refused", f"sbatch takes no job now: {words}; trying again", level, words=words)
            self._polled = -math.inf  # it may have been submitted all the same
            self._not_before = now + self._pause
            self._pause = min(2 * self._pause, 60.0)

    def _poll(self, busy: Collection[str]) -> None:
        known = self._questions.ask(queue, self.name)
        now = self._polled = time.monotonic()
        if known is None:
            return
        self._cancel_strays(known)
        self._look_at_queue(known, now)
        for job in [job for job in self.jobs.values() if job.number]:
            state = known.get(job.number)
            if state is not None and state.seconds_left is not None and job.came is not None:
                job.until = now + state.seconds_left
            elif state is None and job.came is None and job.name not in busy:
                self._lost_before_it_worked(job)

    def _cancel_strays(self, known: Mapping[str, JobState]) -> None:
        """Cancel what was submitted all the same when sbatch was given up."""
        numbers = {job.number for job in self.jobs.values()}
        strays = [number for number, job in known.items() if number not in numbers and job.state != "COMPLETING"]
        # the number of a job that is just being submitted is not known yet
        for number in strays if "" not in numbers else ():
            self.events.emit("stray", f"cancelling job {number}, which is not used", "debug", job=number)
            with contextlib.suppress(SlurmSilentError):  # what is left then, the next look will find
                cancel(self.name, number, seconds=ASK_SECONDS)

    def _look_at_queue(self, known: Mapping[str, JobState], now: float) -> None:
        coming = [job.number for job in self.jobs.values() if job.number in known and job.came is None]
        waiting = {number: known[number].reason for number in coming if known[number].state == "PENDING"}
        seconds, words = self._pending.look(waiting, now)
        # where some work and others never will, those that work do it
        if seconds > self.profile.patience and len(waiting) == len(self.jobs):
            raise ClusterError(f"the run's jobs will never start ({words.partition(';')[0]})", words.partition("; ")[2])

    def _lost_before_it_worked(self, job: Job) -> None:
        state = self._ended(job)
        if state is None:
            return
        said = self._log(job).strip().splitlines()
        self._dismiss(job)
        self._failed_starts += 1
        words = f"job {job.number} has ended ({state}) before its worker came up" + (f": {said[-1]}" if said else "")
        if self._failed_starts >= _FAILED_STARTS:
            raise ClusterError(f"{words}; so did {_FAILED_STARTS - 1} before it", f"see the logs in {self.logs}")
        self.events.emit("job lost", f"{words}; submitting another", "warning", job=job.number)

    def _ended(self, job: Job) -> JobState | None:
        state = self._questions.ask(job_state, job.number)
        return state if state is not None and state.ended else None

    def _log(self, job: Job) -> str:
        files = self.logs.glob(f"*-{job.number}.err") if job.number else ()
        return "".join(file.read_text(ENCODING, errors="replace") for file in files)
