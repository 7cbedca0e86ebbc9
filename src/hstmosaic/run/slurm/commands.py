"""Calls of Slurm's client commands, each with a timeout and a parser of its output."""

from __future__ import annotations

import os
import subprocess

from hstmosaic.run.slurm.answers import (
    QUEUE_FORMAT,
    JobState,
    SlurmCommandError,
    parse_job,
    parse_queue,
    parse_submitted,
    plain,
    unexpected_output,
)

CALL_SECONDS = 30
"""Without a controller, clients hang for 45 s and more."""
_OF_A_JOB = ("WAIT", "ARRAY_INX", "JOB_NAME", "TIMELIMIT", "OUTPUT", "ERROR", "REQUEUE")
_OF_MEMORY = ("MEM_PER_NODE", "MEM_PER_CPU", "MEM_PER_GPU")
NOT_FOR_SBATCH = tuple(f"SBATCH_{name}" for name in (*_OF_A_JOB, *_OF_MEMORY))
"""For sbatch, variables override the script; these would change what the driver decides."""
_CHOICES = ("ACCOUNT", "BATCH", "FULL", "INTERACTIVE", "NAME", "PARTITION", "QOS", "STATE", "USER", "WCKEY")
NOT_FOR_SCANCEL = tuple(f"SCANCEL_{name}" for name in _CHOICES)
"""With these, scancel would skip jobs or prompt."""
PARSABLE = ("--parsable",)
"""Option of sbatch: print a line with the number alone."""


def call(*command: str, seconds: float | None = None) -> str:
    """Return the output of a client command.

    Parameters
    ----------
    command : str
        Name and arguments.
    seconds : float, optional
        Timeout; `CALL_SECONDS` when None.

    Raises
    ------
    SlurmCommandError
        If it fails or times out; its output is in the message.
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
        raise SlurmCommandError(f"{command[0]} not found", "run on a host that has Slurm's commands") from error
    except subprocess.TimeoutExpired as error:
        raise SlurmCommandError(f"{command[0]} did not answer within {seconds:g} s") from error
    if done.returncode != 0:
        raise SlurmCommandError(f"{command[0]}: {plain(done.stderr).strip() or f'exit code {done.returncode}'}")
    return plain(done.stdout)


def _changes_meaning(variable: str) -> bool:
    # a user may hide a part of the queue
    return variable in (*NOT_FOR_SBATCH, *NOT_FOR_SCANCEL) or variable.startswith("SQUEUE_")


def queue(name: str, seconds: float | None = None) -> dict[str, JobState]:
    """Return the user's jobs with a name that have not ended, by number."""
    command = ("squeue", *own_jobs(name), "-o", QUEUE_FORMAT)
    return parse_queue(call(*command, seconds=seconds), name)


def job_state(number: str, seconds: float | None = None) -> JobState:
    """Ask Slurm for the state of a job, which may have ended."""
    try:
        return parse_job(call("scontrol", "show", "job", "-o", number, seconds=seconds), number)
    except SlurmCommandError as error:
        if "Invalid job id" in error.message:
            return JobState("GONE")
        raise


def numbers_of(name: str, *candidates: str, seconds: float | None = None) -> list[str]:
    """Return the candidates that are numbers of jobs with a name."""
    return [number for number in candidates if job_state(number, seconds).name == name]


def submit(script: str, name: str) -> str:
    """Submit a job and return its number.

    Parameters
    ----------
    script : str
        Path of the script.
    name : str
        Of the job, which no other job has.

    Raises
    ------
    SlurmCommandError
        If sbatch fails, or printed no number of a job with this name.
    """
    answer = call("sbatch", *PARSABLE, script)
    numbers = numbers_of(name, *parse_submitted(answer))
    if len(numbers) != 1:
        raise unexpected_output("sbatch", answer)
    return numbers[0]


def cancel(name: str, number: str | None = None, seconds: float | None = None) -> None:
    """Cancel the user's jobs with a name: all, or the one with a number."""
    call("scancel", *own_jobs(name), *([number] if number else []), seconds=seconds)


def own_jobs(name: str) -> tuple[str, ...]:
    """Return the options of squeue and scancel that select the user's jobs with a name."""
    return ("-u", str(os.getuid()), "--name", name)
