"""Why jobs wait in Slurm's queue, in plain words, and whether waiting can help."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hstmosaic.store.events import EventLog

PENDING_SECONDS = 30.0
"""A wait of that length is worth a line."""


@dataclass(frozen=True)
class Wait:
    """What a reason of Slurm's means."""

    words: str
    """One clause."""
    for_ever: bool = False
    """Whether it never goes away by itself."""
    next_step: str = ""


_PATTERNS = (
    ("Resources", Wait("the nodes that could take them are busy")),
    ("Priority", Wait("jobs of higher priority come first")),
    ("BeginTime|Dependency", Wait("they were asked to begin later")),
    ("Licenses|BurstBuffer.*", Wait("something that they were asked for with is in use")),
    ("Reservation", Wait("the reservation that they were asked for with has not begun")),
    (
        "ReqNodeNotAvail|Nodes required for job are DOWN.*",
        Wait("nodes that they need are down, drained or reserved, perhaps for maintenance"),
    ),
    (
        "PartitionTimeLimit|.*MaxWall.*",
        Wait("they ask for more time than is allowed", True, "set a shorter walltime or max-walltime in the profile"),
    ),
    (
        "PartitionNodeLimit|.*(PerJob|PerNode|NotSatisfied)(Limit)?",
        Wait("they ask for more, or less, than a job may have here", True, "mend cores and memory in the profile"),
    ),
    (
        "BadConstraints",
        Wait("no node has what they ask for", True, "mend memory, cores and job-extra-directives in the profile"),
    ),
    (
        "InvalidAccount|AccountNotAllowed",
        Wait("their account is not allowed here", True, "set jobqueue.slurm.account in the profile"),
    ),
    (
        "InvalidQOS|QOSNotAllowed",
        Wait("their QOS is not allowed here", True, "mend --qos in job-extra-directives of the profile"),
    ),
    (
        "(QOS|Assoc)Grp.*(?<!Run)Minutes.*",
        Wait("the computing time of the account is used up", True, "ask the site, or use another account"),
    ),
    ("(QOS|Assoc|MaxJobs|User).*", Wait("what you may have running at a time is running already")),
    (
        "JobHeld(User|Admin)|.*requeued held|JobHoldMaxRequeue",
        Wait("they are held", True, "scontrol release lets them go, if it was you who held them; else ask the site"),
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
    """Say what a reason means.

    Parameters
    ----------
    reason : str
        As ``squeue`` prints it; details after a comma do not matter.
    """
    name = reason.split(",", maxsplit=1)[0].strip()
    for pattern, wait in _PATTERNS:
        if re.fullmatch(pattern, name):
            return wait
    return Wait("Slurm says no more")


class PendingWatch:
    """Tells each reason once, when jobs have waited for a while; at once where they will wait for ever.

    Parameters
    ----------
    events : EventLog
        Receives the events.
    """

    def __init__(self, events: EventLog) -> None:
        self._events = events
        self._since: dict[tuple[str, str], float] = {}
        self._told: set[str] = set()

    def look(self, waiting: Mapping[str, str], now: float) -> tuple[float, str]:
        """Take note of the jobs that wait.

        Parameters
        ----------
        waiting : mapping of str to str
            Slurm's reason by number of the job.
        now : float
            Monotonic time.

        Returns
        -------
        seconds : float
            For how long all of them have waited for something that will not come; 0 if one of them has hope.
        words : str
            What it is.
        """
        known = {(job, reason): self._since.get((job, reason), now) for job, reason in waiting.items()}
        self._since = known
        for reason in dict.fromkeys(waiting.values()):
            jobs = [job for job, why in waiting.items() if why == reason]
            wait = explain(reason)
            longest = max(now - known[job, reason] for job in jobs)
            name = reason.split(",")[0]
            if reason in ("", "None") or name in self._told or (longest < PENDING_SECONDS and not wait.for_ever):
                continue
            self._told.add(name)
            words = f"{len(jobs)} job(s) wait in the queue ({reason}): {wait.words}"
            words += f"; {wait.next_step}" if wait.next_step else ""
            self._events.emit("pending", words, "warning" if wait.for_ever else "info", reason=reason, jobs=jobs)
        lost = [key for key in known if explain(key[1]).for_ever]
        if not lost or len(lost) < len(known):
            return 0.0, ""
        wait = explain(lost[0][1])
        return min(now - known[key] for key in lost), f"{lost[0][1]}: {wait.words}; {wait.next_step}"
