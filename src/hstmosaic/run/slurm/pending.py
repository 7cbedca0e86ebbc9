"""Reasons for which jobs wait in Slurm's queue, explained, with what to do where waiting cannot help."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hstmosaic.store.worker_events import JobsPending
from hstmosaic.text import count_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hstmosaic.store.events import EventLog


@dataclass(frozen=True)
class Wait:
    """Meaning of a reason of Slurm."""

    meaning: str
    """One clause."""
    endless: bool = False
    """True if the reason never goes away without the user or the site."""
    next_step: str = ""


_PATTERNS = (
    ("Resources", Wait("all suitable nodes are busy")),
    ("Priority", Wait("jobs of higher priority come first")),
    ("BeginTime|Dependency", Wait("they request a later start")),
    ("Licenses|BurstBuffer.*", Wait("a resource that they request is in use")),
    ("Reservation", Wait("the reservation that they request did not begin")),
    (
        "ReqNodeNotAvail|Nodes required for job are DOWN.*",
        Wait("nodes that they need are down, drained or reserved, perhaps for maintenance"),
    ),
    (
        "PartitionTimeLimit|.*MaxWall.*",
        Wait("they request more time than is allowed", True, "set a shorter walltime or max-walltime in the profile"),
    ),
    (
        "PartitionNodeLimit|.*(PerJob|PerNode|NotSatisfied)(Limit)?",
        Wait("they request more or less than a job may have", True, "correct cores and memory in the profile"),
    ),
    (
        "BadConstraints",
        Wait("no node has what they request", True, "correct memory, cores and job-extra-directives in the profile"),
    ),
    (
        "InvalidAccount|AccountNotAllowed",
        Wait("their account is not allowed", True, "set jobqueue.slurm.account in the profile"),
    ),
    (
        "InvalidQOS|QOSNotAllowed",
        Wait("their QOS is not allowed", True, "correct --qos in job-extra-directives of the profile"),
    ),
    (
        "(QOS|Assoc)Grp.*(?<!Run)Minutes.*",
        Wait("the computing time of the account is used up", True, "ask the site, or use another account"),
    ),
    ("(QOS|Assoc|MaxJobs|User).*", Wait("the limit of resources that you may use at a time is reached")),
    (
        "JobHeld(User|Admin)|.*requeued held|JobHoldMaxRequeue",
        Wait("they are held", True, "if you held them, call scontrol release; otherwise ask the site"),
    ),
    (
        "PartitionDown|PartitionInactive",
        Wait("their partition is closed", True, "name another one in jobqueue.slurm.queue of the profile"),
    ),
    (
        "DependencyNeverSatisfied|ReservationDeleted|.*Fail(ure|ed).*",
        Wait("Slurm will not start them", True, "see scontrol show job"),
    ),
)


def explain(reason: str) -> Wait:
    """Explain a reason.

    Parameters
    ----------
    reason : str
        As ``squeue`` prints it; details after a comma are ignored.
    """
    name = reason.split(",", maxsplit=1)[0].strip()
    for pattern, wait in _PATTERNS:
        if re.fullmatch(pattern, name):
            return wait
    return Wait("Slurm gives no further explanation")


class PendingWatch:
    """Reports each reason once: after a while, or at once if waiting cannot help.

    Parameters
    ----------
    events : EventLog
        Receives the events.
    after : float
        Seconds in the queue after which a reason is reported.
    """

    def __init__(self, events: EventLog, after: float) -> None:
        self._events, self._after = events, after
        self._since: dict[tuple[str, str], float] = {}
        self._reported: set[str] = set()

    def look(self, waiting: Mapping[str, str], now: float) -> tuple[float, str]:
        """Record the jobs that wait, and report new reasons.

        Parameters
        ----------
        waiting : mapping of str to str
            Slurm's reason by number of the job.
        now : float
            Monotonic seconds.

        Returns
        -------
        seconds : float
            Since when no job has a chance to start; 0 if one of them has.
        message : str
            The reason, its meaning and what to do.
        """
        self._since = {(job, reason): self._since.get((job, reason), now) for job, reason in waiting.items()}
        for reason in dict.fromkeys(waiting.values()):
            self._report(reason, [job for job, why in waiting.items() if why == reason], now)
        hopeless = [key for key in self._since if explain(key[1]).endless]
        if not hopeless or len(hopeless) < len(self._since):
            return 0.0, ""
        wait = explain(hopeless[0][1])
        seconds = min(now - self._since[key] for key in hopeless)
        return seconds, f"{hopeless[0][1]}: {wait.meaning}; {wait.next_step}"

    def _report(self, reason: str, jobs: list[str], now: float) -> None:
        wait, name = explain(reason), reason.split(",", maxsplit=1)[0]
        longest = max(now - self._since[job, reason] for job in jobs)
        if reason in ("", "None") or name in self._reported or (longest < self._after and not wait.endless):
            return
        self._reported.add(name)
        verb = "waits" if len(jobs) == 1 else "wait"
        message = f"{count_of(len(jobs), 'job')} {verb} in the queue ({reason}): {wait.meaning}"
        message += f"; {wait.next_step}" if wait.next_step else ""
        self._events.emit(JobsPending(reason, jobs), message, "warning" if wait.endless else "info")
