"""Known causes of failures: by which words they show, what they mean, and what helps."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True)
class KnownCause:
    """One cause of failures."""

    name: str
    """For machines, one word."""
    pattern: str
    """Regular expression that finds it in an error message."""
    sentence: str
    """What has happened, for people."""
    next_step: str
    """What they can do."""


_MORE_MEMORY = (
    "Close other programs, raise the limit of the container or shell, or take a machine with more memory, "
    "and run the same command again; on Slurm raise max-memory in the profile."
)
KNOWN_CAUSES = (
    KnownCause(
        "disk",
        r"\[Errno 28\]|No space left on device|\[Errno 122\]|[Qq]uota exceeded|\[Errno 27\]|File too large"
        r"|Not enough space on disk|requested and -?\d+ written",
        "The disk with the output directory was full, or a quota was reached.",
        "Free some space and run the same command again, or choose another --output-dir.",
    ),
    KnownCause(
        "walltime",
        r"\((TIMEOUT|DEADLINE)\)|DUE TO TIME LIMIT",
        "The time of its job was over before it was done.",
        "Raise max-walltime in the profile, or take a partition that allows more, and run the same command again.",
    ),
    KnownCause(
        "killed",
        r"SIGKILL",
        "The task's process was killed; nearly always that is the system, short of memory.",
        _MORE_MEMORY,
    ),
    KnownCause(
        "memory",
        r"MemoryError|Unable to allocate|[Cc]annot allocate memory|\[Errno 12\]|for want of memory|OUT_OF_MEMORY"
        r"|the most that can be had",
        "There was too little memory.",
        _MORE_MEMORY,
    ),
    KnownCause(
        "worker",
        r"\((NODE_FAIL|BOOT_FAIL|PREEMPTED|CANCELLED.*|REVOKED)\)|worker .*was lost",
        "The job or the node that it ran on was lost, again and again.",
        "Run the same command again; if that does not help, ask the site about the jobs that the log names.",
    ),
    KnownCause(
        "input gone",
        r"\[Errno 2\]|No such file or directory|missing from current working directory",
        "A file was gone that was there when the run was planned.",
        "Leave the exposures and the run directory alone while a run goes on, and run the same command again.",
    ),
    KnownCause(
        "permission",
        r"\[Errno 13\]|Permission denied|\[Errno 30\]|Read-only file system",
        "A file could not be read or written for want of permission.",
        "Check the permissions of the file that the lines name, also on the node where the task ran.",
    ),
    KnownCause(
        "input/output",
        r"\[Errno 5\]|Input/output error|\[Errno 116\]|Stale file handle",
        "The file system had an error.",
        "Run the same command again; if that does not help, ask the site about the file system.",
    ),
    KnownCause(
        "truncated",
        r"may have been truncated|Empty or corrupt FITS|Header missing END card|buffer is too small|No SIMPLE card"
        r"|Extension \(.*\) not found",
        "An exposure is damaged: its file ends too early, or extensions are missing.",
        "Fetch the exposures of this layer again, and run the same command again.",
    ),
    KnownCause(
        "no pixels",
        r"Not enough data points to compute statistics|All-NaN|no valid pixels",
        "An exposure has no usable pixel: all are NaN or out of range.",
        "Look at the exposures of this layer, take the empty one out of the list, and run again.",
    ),
    KnownCause(
        "screening crashed",
        r"screening crashed",
        "The check of an exposure crashed, so that nothing is known against it.",
        "Look at the lines and at the log; --keep NAME uses the exposure without the check.",
    ),
    KnownCause(
        "screened",
        r"screening left out all",
        "Screening left out every exposure of this layer.",
        "Look at the reasons above; --keep NAME uses an exposure all the same.",
    ),
    KnownCause(
        "no viable data",
        r"no exposure that drizzlepac can use|Return condition 65\b",
        "drizzlepac found no exposure that it can use (its return code 65).",
        "Look at the exposures of this layer with `hstmosaic plan`; grism, dark and failed exposures cannot be used.",
    ),
    KnownCause(
        "header update",
        r"header could not be updated|Return condition 15\b",
        "drizzlepac could not update the header of a product (its return code 15); often that is a full disk.",
        "See that there is space in the output directory, and run the same command again.",
    ),
    KnownCause(
        "not as planned",
        r"is not as planned|its task has written",
        "What drizzlepac made is not what was planned, so it was not handed out.",
        "Run the same command again; if it happens again, report it with the log and the plan.json of the run.",
    ),
)
"""The more telling ones first: a full disk shows itself as a header that could not be updated, too."""


def find_cause(messages: Iterable[str]) -> KnownCause | None:
    """Return the first known cause that any of some error messages shows."""
    text = "\n".join(messages)
    return next((known for known in KNOWN_CAUSES if re.search(known.pattern, text)), None)
