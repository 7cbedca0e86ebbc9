"""Slurm's client commands: each call has a timeout, each answer a parser."""

from __future__ import annotations

import os
import subprocess

from hstmosaic.run.slurm.answers import (
    QUEUE_FORMAT,
    JobState,
    SlurmSilentError,
    parse_job,
    parse_queue,
    parse_submitted,
    plain,
    unclear,
)

CALL_SECONDS = 30
"""Clients hang for 45 s and more where no controller answers."""
_OF_A_JOB = ("WAIT", "ARRAY_INX", "JOB_NAME", "TIMELIMIT", "OUTPUT", "ERROR", "REQUEUE")
_OF_MEMORY = ("MEM_PER_NODE", "MEM_PER_CPU", "MEM_PER_GPU")
NOT_FOR_SBATCH = tuple(f"SBATCH_{name}" for name in (*_OF_A_JOB, *_OF_MEMORY))
"""Variables of users overrule what a script says; these would make a job another one than it is taken for."""
_CHOICES = ("ACCOUNT", "BATCH", "FULL", "INTERACTIVE", "NAME", "PARTITION", "QOS", "STATE", "USER", "WCKEY")
NOT_FOR_SCANCEL = tuple(f"SCANCEL_{name}" for name in _CHOICES)
"""These would have jobs left over, or a question asked."""
PARSABLE = ("--parsable",)
"""Option of sbatch: its answer is a line with nothing but the number."""


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
            timeout=seconds,
            check=False,
            env={name: value for name, value in os.environ.items() if not _changes_meaning(name)},
        )
    except FileNotFoundError as error:
        raise SlurmSilentError(f"{command[0]} not found", "run where Slurm's commands are installed") from error
    except subprocess.TimeoutExpired as error:
        raise SlurmSilentError(f"{command[0]} has not answered within {seconds:g} s") from error
    if done.returncode != 0:
        raise SlurmSilentError(f"{command[0]}: {plain(done.stderr).strip() or f'exit code {done.returncode}'}")
    return plain(done.stdout)


def _changes_meaning(variable: str) -> bool:
    # what a user wants to see of the queue is not all that there is
    return variable in (*NOT_FOR_SBATCH, *NOT_FOR_SCANCEL) or variable.startswith("SQUEUE_")


def queue(name: str, seconds: float | None = None) -> dict[str, JobState]:
    """Return the user's jobs of a name that have not ended, by number."""
    command = ("squeue", *own_jobs(name), "-o", QUEUE_FORMAT)
    return parse_queue(call(*command, seconds=seconds), name)


def job_state(number: str, seconds: float | None = None) -> JobState:
    """Ask for the state of a job, also of one that has ended a while ago."""
    try:
        return parse_job(call("scontrol", "show", "job", "-o", number, seconds=seconds), number)
    except SlurmSilentError as error:
        if "Invalid job id" in error.message:
            return JobState("GONE")
        raise


def numbers_of(name: str, *candidates: str, seconds: float | None = None) -> list[str]:
    """Return those of some numbers that are jobs of a name."""
    return [number for number in candidates if job_state(number, seconds).name == name]


def submit(script: str, name: str) -> str:
    """Submit a job, and return its number.

    Parameters
    ----------
    script : str
        Path of the script.
    name : str
        Of the job; no other job has it.

    Raises
    ------
    SlurmSilentError
        If it cannot be submitted, or no number that sbatch printed is that of a job of this name.
    """
    answer = call("sbatch", *PARSABLE, script)
    numbers = numbers_of(name, *parse_submitted(answer))
    if len(numbers) != 1:
        raise unclear("sbatch", answer)
    return numbers[0]


def cancel(name: str, number: str | None = None, seconds: float | None = None) -> None:
    """Cancel the user's jobs of a name, all of them or the one with a number."""
    call("scancel", *own_jobs(name), *([number] if number else []), seconds=seconds)


def own_jobs(name: str) -> tuple[str, ...]:
    """Return the options by which squeue and scancel choose the user's jobs of a name."""
    return ("-u", str(os.getuid()), "--name", name)
