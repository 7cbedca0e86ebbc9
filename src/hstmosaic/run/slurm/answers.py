"""Parsers of the output of Slurm's commands, to which sites may add lines."""

from __future__ import annotations

import re
from dataclasses import dataclass

from hstmosaic.errors import ClusterError
from hstmosaic.run.profiles.walltime import parse_walltime

TIMED_OUT = "no answer in time"
QUEUE_FORMAT = "hstmosaic|%i|%T|%L|%j|%r|end"
"""Of ``squeue -o``. No line of a site has this form. The heading shows that squeue answered."""
_HEADING = "hstmosaic|JOBID|STATE|TIME_LEFT|NAME|REASON|end"
_QUEUED = re.compile(r"hstmosaic\|(\d[^|\s]*)\|([A-Z_]+)\|([^|\s]*)\|([^|]*)\|(.*)\|end")
_SUBMITTED = re.compile(r"^[ \t]*(\d+)(?:;[\w.-]+)?[ \t]*$", re.MULTILINE)
_VERSION = re.compile(r"^[ \t]*(slurm\S* \d+\.\d+\S*)[ \t]*$", re.MULTILINE)
_JOB_NAME = re.compile(r" JobName=(.*?) UserId=")
_FIELD = re.compile(r"(?<!\S)(\w+)=(\S*)")
_ESCAPE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[()][A-Z0-9]|[=>A-Z])")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_SBATCH_ERROR = re.compile(r"sbatch: (?:error|fatal): .*")
_TIMEOUT_CODES = (124, 137)
"""Exit codes of ``timeout``."""
_LIVE = ("PENDING", "CONFIGURING", "RUNNING", "COMPLETING", "SUSPENDED", "STAGE_OUT", "SIGNALING", "REQUEUE")
_OUT_OF_MEMORY = re.compile(r"oom[-_ ]?kill|out of memory|exceeded (job|step) memory limit", re.IGNORECASE)
_TRANSIENT = re.compile(
    r"unable to contact slurm controller|timed out|connection refused|temporarily|submit ?job ?limit|job submit limit"
    rf"|unexpected message received|communications? (error|failure)|{TIMED_OUT}",
    re.IGNORECASE,
)
_QUOTED = 200
"""Characters of unexpected output that a message quotes."""


class SlurmCommandError(ClusterError):
    """A client command failed, timed out, or printed something unexpected."""


@dataclass(frozen=True)
class JobState:
    """State of a job as reported by Slurm."""

    state: str
    """Such as ``PENDING``, ``RUNNING``, ``NODE_FAIL``; ``GONE`` if Slurm forgot the job."""
    exit_code: str = "0:0"
    """Exit code and signal."""
    reason: str = ""
    seconds_left: float | None = None
    name: str = ""
    """Name of the job."""

    @property
    def ended(self) -> bool:
        """Return whether all processes of the job have ended."""
        return self.state not in _LIVE

    def ran_out_of_memory(self, log: str) -> bool:
        """Return whether lack of memory ended the job, by its state, its signal or its log.

        Parameters
        ----------
        log : str
            Output of the job, which counts where the kernel killed a child process only.
        """
        killed = self.state == "FAILED" and (self.exit_code.endswith(":9") or self.exit_code.startswith("137:"))
        return self.state == "OUT_OF_MEMORY" or killed or _OUT_OF_MEMORY.search(log) is not None

    def __str__(self) -> str:
        code = "" if self.exit_code == "0:0" else f", exit code {self.exit_code}"
        return f"{self.state}{code}"


def plain(output: bytes) -> str:
    """Return output as text with Unix line ends, without colours and control characters."""
    text = _ESCAPE.sub("", output.decode(errors="replace"))
    return _CONTROL.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))


def unexpected_output(command: str, text: str) -> SlurmCommandError:
    """Return the error for unexpected output.

    Parameters
    ----------
    command : str
        Name of the command.
    text : str
        What it printed.
    """
    line = " ".join(text.split())
    shown = f"{line[:_QUOTED]!r}" + ("..." if len(line) > _QUOTED else "") if line else "nothing"
    return SlurmCommandError(
        f"unexpected output of {command}: {shown}",
        f"if {command} is a script of this site, put Slurm's own {command} first on PATH",
    )


def parse_queue(text: str, name: str) -> dict[str, JobState]:
    """Parse the output of ``squeue`` in `QUEUE_FORMAT`.

    Parameters
    ----------
    text : str
        With the heading.
    name : str
        Of the jobs.

    Returns
    -------
    dict
        State by number of the job.

    Raises
    ------
    SlurmCommandError
        If the heading is missing: then missing jobs may still exist.
    """
    if _HEADING not in text:
        raise unexpected_output("squeue", text)
    jobs = {}
    for number, state, left, found, reason in _QUEUED.findall(text):
        if found != name:
            continue
        try:
            seconds: float | None = parse_walltime(left)
        except ValueError:  # INVALID or NOT_SET, for a job that does not run
            seconds = None
        jobs[number] = JobState(state, reason=reason, seconds_left=seconds, name=found)
    return jobs


def parse_submitted(text: str) -> tuple[str, ...]:
    """Return the candidates for the number of a job in the output of ``sbatch --parsable``."""
    return tuple(dict.fromkeys(_SUBMITTED.findall(text)))


def parse_job(text: str, number: str) -> JobState:
    """Parse the record of a job in the output of ``scontrol show job -o``.

    Parameters
    ----------
    text : str
        Output of scontrol.
    number : str
        Of the job.

    Raises
    ------
    SlurmCommandError
        If no line describes the job.
    """
    for line in lines_of(text, "JobId"):
        found, name = fields(line), _JOB_NAME.search(line)
        if found["JobId"] == number and name is not None and "JobState" in found:
            exit_code, reason = found.get("ExitCode", "0:0"), found.get("Reason", "")
            return JobState(found["JobState"], exit_code, reason, name=name[1])
    raise unexpected_output("scontrol", text)


def parse_version(text: str) -> str:
    """Parse the output of ``sbatch --version``.

    Raises
    ------
    SlurmCommandError
        If it contains no version.
    """
    found = _VERSION.search(text)
    if found is None:
        raise unexpected_output("sbatch", text)
    return found[1]


def lines_of(text: str, key: str) -> list[str]:
    """Return the records in the one-line form of ``scontrol``, each from its first key on.

    Parameters
    ----------
    text : str
        Output of ``scontrol show -o``.
    key : str
        The first key, such as ``JobId``.
    """
    return [line[line.index(f"{key}=") :] for line in text.splitlines() if f"{key}=" in line]


def fields(line: str) -> dict[str, str]:
    """Return the fields of a record; of duplicates the first, since comments at the end may look like fields."""
    return dict(reversed(_FIELD.findall(line)))


def rejection_message(code: int, out: str, err: str) -> str:
    """Return why sbatch failed: its own error lines if it printed any, else all output.

    Parameters
    ----------
    code : int
        Its exit code.
    out, err : str
        Its output.
    """
    own = _SBATCH_ERROR.findall(f"{err}\n{out}")
    lines = [" ".join(part.split()) for part in own or [err.strip() or out.strip()] if part]
    if code in _TIMEOUT_CODES:
        lines.append(f"sbatch: {TIMED_OUT}")
    return " ".join(lines) or f"sbatch: exit code {code}"


def is_transient(error: str) -> bool:
    """Return whether an error of sbatch may go away."""
    return _TRANSIENT.search(error) is not None
