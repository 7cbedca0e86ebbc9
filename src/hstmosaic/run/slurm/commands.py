"""Slurm's client commands: each call has a timeout, each answer a parser."""

from __future__ import annotations

import math
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hstmosaic.errors import ClusterError
from hstmosaic.run.profiles.walltime import parse_walltime
from hstmosaic.store.files import ENCODING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

CALL_SECONDS = 30
"""Clients hang for 45 s and more where no controller answers."""
_OF_A_JOB = ("WAIT", "ARRAY_INX", "JOB_NAME", "TIMELIMIT", "OUTPUT", "ERROR", "REQUEUE")
_OF_MEMORY = ("MEM_PER_NODE", "MEM_PER_CPU", "MEM_PER_GPU")
NOT_FOR_SBATCH = tuple(f"SBATCH_{name}" for name in (*_OF_A_JOB, *_OF_MEMORY))
"""Variables of users overrule what a script says; these would make a job another one than it is taken for."""
_CHOICES = ("ACCOUNT", "BATCH", "FULL", "INTERACTIVE", "NAME", "PARTITION", "QOS", "STATE", "USER", "WCKEY")
NOT_FOR_SCANCEL = tuple(f"SCANCEL_{name}" for name in _CHOICES)
"""These would have jobs left over, or a question asked."""
_MB_PER_MIB = 1.048576
_LIVE = ("PENDING", "CONFIGURING", "RUNNING", "COMPLETING", "SUSPENDED", "STAGE_OUT", "SIGNALING", "REQUEUE")
_FIELD = re.compile(r"(\w+)=(\S*)")
_OUT_OF_MEMORY = re.compile(r"oom[-_ ]?kill|out of memory|exceeded (job|step) memory limit", re.IGNORECASE)
_TRANSIENT = re.compile(
    r"unable to contact slurm controller|timed out|connection refused|temporarily|submit ?job ?limit|job submit limit"
    r"|unexpected message received|communications? (error|failure)|exit code: 124",
    re.IGNORECASE,
)


class SlurmSilentError(ClusterError):
    """A client command failed or had no answer in time."""


@dataclass(frozen=True)
class JobState:
    """What Slurm says of a job."""

    state: str
    """Such as ``PENDING``, ``RUNNING``, ``NODE_FAIL``; ``GONE`` if Slurm has forgotten it."""
    exit_code: str = "0:0"
    """Exit code and signal."""
    reason: str = ""
    seconds_left: float | None = None

    @property
    def ended(self) -> bool:
        """Whether nothing of the job runs any more."""
        return self.state not in _LIVE

    def for_want_of_memory(self, log: str) -> bool:
        """Whether too little memory ended it: by state, by signal, or by what its log says.

        Parameters
        ----------
        log : str
            What the job printed. Where the kernel's killer took a child only, the state says nothing.
        """
        killed = self.state == "FAILED" and (self.exit_code.endswith(":9") or self.exit_code.startswith("137:"))
        return self.state == "OUT_OF_MEMORY" or killed or _OUT_OF_MEMORY.search(log) is not None

    def __str__(self) -> str:
        code = "" if self.exit_code == "0:0" else f", exit code {self.exit_code}"
        return f"{self.state}{code}"


@dataclass(frozen=True)
class PartitionLimits:
    """What the largest node of a partition has, and for how long."""

    memory_mb: float
    """10^6 bytes."""
    cores: int
    seconds: float


def call(*command: str, seconds: float | None = None) -> str:
    """Return what a client command prints.

    Parameters
    ----------
    command : str
        Its words.
    seconds : float, optional
        How long it may take; `CALL_SECONDS` when None.

    Raises
    ------
    SlurmSilentError
        If it fails or does not answer in time; its words are in the message.
    """
    seconds = CALL_SECONDS if seconds is None else seconds
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding=ENCODING,
            errors="replace",
            timeout=seconds,
            check=False,
            env={name: value for name, value in os.environ.items() if not _changes_meaning(name)},
        )
    except FileNotFoundError as error:
        raise SlurmSilentError(f"{command[0]} not found", "run where Slurm's commands are installed") from error
    except subprocess.TimeoutExpired as error:
        raise SlurmSilentError(f"{command[0]} has not answered within {seconds:g} s") from error
    if done.returncode != 0:
        raise SlurmSilentError(f"{' '.join(command)}: {done.stderr.strip() or f'exit code {done.returncode}'}")
    return done.stdout


def _changes_meaning(variable: str) -> bool:
    # what a user wants to see of the queue is not all that there is
    return variable in (*NOT_FOR_SBATCH, *NOT_FOR_SCANCEL) or variable.startswith("SQUEUE_")


def queue(name: str, seconds: float | None = None) -> dict[str, JobState]:
    """Return the user's jobs of a name that have not ended, by id."""
    command = ("squeue", "-h", "-u", str(os.getuid()), "--name", name, "-o", "%i|%T|%r|%L")
    return parse_queue(call(*command, seconds=seconds))


def parse_queue(text: str) -> dict[str, JobState]:
    """Read what ``squeue -o "%i|%T|%r|%L"`` prints."""
    jobs = {}
    for line in text.splitlines():
        number, state, reason, left = line.split("|")
        try:
            seconds: float | None = parse_walltime(left)
        except ValueError:  # INVALID or NOT_SET, of a job that does not run
            seconds = None
        jobs[number] = JobState(state, reason=reason, seconds_left=seconds)
    return jobs


def job_state(number: str, seconds: float | None = None) -> JobState:
    """Ask for the state of a job, also of one that has ended a while ago."""
    try:
        return parse_job(call("scontrol", "show", "job", "-o", number, seconds=seconds))
    except SlurmSilentError as error:
        if "Invalid job id" in error.message:
            return JobState("GONE")
        raise


def parse_job(text: str) -> JobState:
    """Read what ``scontrol show job -o`` prints."""
    found = dict(re.findall(r"\b(JobState|ExitCode|Reason)=(\S*)", text))
    return JobState(found["JobState"], found.get("ExitCode", "0:0"), found.get("Reason", ""))


def cancel(name: str, number: str | None = None, seconds: float | None = None) -> None:
    """Cancel the user's jobs of a name, all of them or the one with a number."""
    call("scancel", "-u", str(os.getuid()), "--name", name, *([number] if number else []), seconds=seconds)


def partition_of(profile: str | None) -> str | None:
    """Return the partition that jobs go to: sbatch lets the user's variable overrule what the profile says."""
    return os.environ.get("SBATCH_PARTITION") or profile


def partition_limits(partition: str | None) -> PartitionLimits | None:
    """Ask what a partition has to give; None if there is no such partition.

    Parameters
    ----------
    partition : str or None
        Name, or names with commas between; the default one when None.
    """
    wanted = partition.split(",") if partition else None
    chosen = parse_partitions(call("scontrol", "show", "partition", "-o"), wanted)
    return parse_nodes(call("scontrol", "show", "node", "-o"), chosen) if chosen else None


def partition_names() -> list[str]:
    """Return the names of all partitions."""
    text = call("scontrol", "show", "partition", "-o")
    return sorted(_fields(line)["PartitionName"] for line in text.splitlines() if line)


def parse_partitions(text: str, wanted: Sequence[str] | None) -> dict[str, PartitionLimits]:
    """Read what ``scontrol show partition -o`` prints.

    Parameters
    ----------
    text : str
        A line for each partition.
    wanted : sequence of str or None
        Names; the default one when None.

    Returns
    -------
    dict
        What a job may have by name of partition, whatever its nodes have.
    """
    found = {}
    for said in map(_fields, text.splitlines()):
        name = said.get("PartitionName", "")
        if not name or not (name in wanted if wanted else said.get("Default") == "YES"):
            continue
        memory, cores = (said.get(key, "UNLIMITED") for key in ("MaxMemPerNode", "MaxCPUsPerNode"))
        found[name] = PartitionLimits(
            memory_mb=float(memory) * _MB_PER_MIB if memory.isdigit() and int(memory) else math.inf,
            cores=int(cores) if cores.isdigit() and int(cores) else sys.maxsize,
            seconds=parse_walltime(said["MaxTime"]),
        )
    return found


def parse_nodes(text: str, partitions: Mapping[str, PartitionLimits]) -> PartitionLimits | None:
    """Read what ``scontrol show node -o`` prints.

    Parameters
    ----------
    text : str
        A line for each node.
    partitions : mapping of str to PartitionLimits
        As `parse_partitions` returns them.

    Returns
    -------
    PartitionLimits or None
        The most that a node gives in one of the partitions; None if they have no node.
    """
    given = []
    for said in map(_fields, text.splitlines()):
        for name in partitions.keys() & said.get("Partitions", "").split(","):
            limits = partitions[name]
            memory = min(float(said["RealMemory"]) * _MB_PER_MIB, limits.memory_mb)
            given.append(PartitionLimits(memory, min(int(said["CPUTot"]), limits.cores), limits.seconds))
    if not given:
        return None
    return PartitionLimits(
        memory_mb=max(node.memory_mb for node in given),
        cores=max(node.cores for node in given),
        seconds=max(node.seconds for node in given),
    )


def _fields(line: str) -> dict[str, str]:
    # the first of a name counts: remarks at the end of a line may look like fields
    return dict(reversed(_FIELD.findall(line)))


def refusal_words(error: str) -> str:
    """Return what sbatch said, out of the error of dask-jobqueue that quotes it."""
    said = error.partition("stderr:\n")[2].strip()
    return " ".join(said.split()) if said else " ".join(error.split())


def is_transient(error: str) -> bool:
    """Whether waiting may help against an error of sbatch."""
    return _TRANSIENT.search(error) is not None
