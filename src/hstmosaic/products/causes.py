"""Known causes of failures: patterns, explanations and remedies."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True)
class KnownCause:
    """A cause of failures."""

    name: str
    """For machines, one word."""
    pattern: str
    """Regular expression that finds it in an error message."""
    sentence: str
    """Explanation for users."""
    next_step: str
    """Remedy."""


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
        "The time limit of its job was reached.",
        "Raise max-walltime in the profile, or take a partition that allows more, and run the same command again.",
    ),
    KnownCause(
        "killed",
        r"SIGKILL",
        "The task's process was killed, almost always by a system that ran out of memory.",
        _MORE_MEMORY,
    ),
    KnownCause(
        "memory",
        r"MemoryError|Unable to allocate|[Cc]annot allocate memory|\[Errno 12\]"
        r"|for (?:want|lack) of memory|not enough memory|OUT_OF_MEMORY|the most that can be had",
        "The task ran out of memory.",
        _MORE_MEMORY,
    ),
    KnownCause(
        "worker",
        r"\((NODE_FAIL|BOOT_FAIL|PREEMPTED|CANCELLED.*|REVOKED)\)|worker .*was lost",
        "Its job or node was lost repeatedly.",
        "Run the same command again; if that does not help, ask the site about the jobs that the log names.",
    ),
    KnownCause(
        "input gone",
        r"\[Errno 2\]|No such file or directory|missing from current working directory",
        "A file is missing that existed when the run was planned.",
        "Do not change exposures and run directory during a run, and run the same command again.",
    ),
    KnownCause(
        "permission",
        r"\[Errno 13\]|Permission denied|\[Errno 30\]|Read-only file system",
        "Permission to read or write a file was denied.",
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
        "The check of an exposure crashed, which is not evidence against the exposure.",
        "Look at the lines and at the log; --keep NAME uses the exposure without the check.",
    ),
    KnownCause(
        "screened",
        r"screening left out all",
        "Screening rejected every exposure of this layer.",
        "Look at the reasons above; --keep NAME uses an exposure anyway.",
    ),
    KnownCause(
        "no viable data",
        r"no exposure that drizzlepac can use|Return condition 65\b",
        "drizzlepac found no usable exposure (its return code 65).",
        "Look at the exposures of this layer with `hstmosaic plan`; grism, dark and failed exposures cannot be used.",
    ),
    KnownCause(
        "header update",
        r"header could not be updated|Return condition 15\b",
        "drizzlepac could not update the header of a product (its return code 15), often because of a full disk.",
        "Check the free space of the output directory, and run the same command again.",
    ),
    KnownCause(
        "not as planned",
        r"is not as planned|its task has written",
        "A product differs from the plan, so it was not moved to the output directory.",
        "Run the same command again; if it happens again, report it with the log and the plan.json of the run.",
    ),
)
"""The more specific ones first: a full disk also causes headers that cannot be updated."""


def find_cause(messages: Iterable[str]) -> KnownCause | None:
    """Return the first known cause that any of some error messages shows."""
    text = "\n".join(messages)
    return next((known for known in KNOWN_CAUSES if re.search(known.pattern, text)), None)
