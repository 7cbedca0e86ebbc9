"""Parsers of the answers of Slurm's commands, which sites surround with lines of their own."""

from __future__ import annotations

import re
from dataclasses import dataclass

from hstmosaic.errors import ClusterError
from hstmosaic.run.profiles.walltime import parse_walltime

NO_ANSWER_IN_TIME = "no answer in time"
QUEUE_FORMAT = "hstmosaic|%i|%T|%L|%j|%r|end"
"""Of ``squeue -o``. No line of a site has this form; the heading in this form shows that squeue answered."""
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
    rf"|unexpected message received|communications? (error|failure)|{NO_ANSWER_IN_TIME}",
    re.IGNORECASE,
)
_QUOTED = 200
"""Characters of an unclear answer that a message quotes."""


class SlurmSilentError(ClusterError):
    """A client command failed, had no answer in time, or no answer of the form that was asked for."""


@dataclass(frozen=True)
class JobState:
    """State of a job, as Slurm reports it."""

    state: str
    """Such as ``PENDING``, ``RUNNING``, ``NODE_FAIL``; ``GONE`` if Slurm has forgotten it."""
    exit_code: str = "0:0"
    """Exit code and signal."""
    reason: str = ""
    seconds_left: float | None = None
    name: str = ""
    """Name of the job."""

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


def plain(output: bytes) -> str:
    """Return what a command printed as text with Unix line ends, without colours and control characters."""
    text = _ESCAPE.sub("", output.decode(errors="replace"))
    return _CONTROL.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))


def unclear(command: str, text: str) -> SlurmSilentError:
    """Return the error for an answer that has not the form that was asked for.

    Parameters
    ----------
    command : str
        Name of the command.
    text : str
        What it printed.
    """
    words = " ".join(text.split())
    shown = f"printed {words[:_QUOTED]!r}" + ("..." if len(words) > _QUOTED else "") if words else "printed nothing"
    return SlurmSilentError(
        f"{command} did not answer in the form that hstmosaic asks for: it {shown}",
        f"if {command} is a script of the site here, put Slurm's own {command} first on PATH",
    )


def parse_queue(text: str, name: str) -> dict[str, JobState]:
    """Read what ``squeue`` prints in `QUEUE_FORMAT`.

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
    SlurmSilentError
        If the heading is missing: then no job in the answer does not mean that there is none.
    """
    if _HEADING not in text:
        raise unclear("squeue", text)
    jobs = {}
    for number, state, left, found, reason in _QUEUED.findall(text):
        if found != name:
            continue
        try:
            seconds: float | None = parse_walltime(left)
        except ValueError:  # INVALID or NOT_SET, of a job that does not run
            seconds = None
        jobs[number] = JobState(state, reason=reason, seconds_left=seconds, name=found)
    return jobs


def parse_submitted(text: str) -> tuple[str, ...]:
    """Return the numbers that ``sbatch --parsable`` may mean: lines of its form, of which a site may print more."""
    return tuple(dict.fromkeys(_SUBMITTED.findall(text)))


def parse_job(text: str, number: str) -> JobState:
    """Read what ``scontrol show job -o`` prints about a job.

    Parameters
    ----------
    text : str
        With a line about the job.
    number : str
        Of the job.

    Raises
    ------
    SlurmSilentError
        If there is no such line.
    """
    for line in lines_of(text, "JobId"):
        found, name = fields(line), _JOB_NAME.search(line)
        if found["JobId"] == number and name is not None and "JobState" in found:
            exit_code, reason = found.get("ExitCode", "0:0"), found.get("Reason", "")
            return JobState(found["JobState"], exit_code, reason, name=name[1])
    raise unclear("scontrol", text)


def parse_version(text: str) -> str:
    """Read what ``sbatch --version`` prints.

    Raises
    ------
    SlurmSilentError
        If there is no version in it.
    """
    found = _VERSION.search(text)
    if found is None:
        raise unclear("sbatch", text)
    return found[1]


def lines_of(text: str, key: str) -> list[str]:
    """Return the lines that describe something in the one-line form of ``scontrol``, from the first key on.

    Parameters
    ----------
    text : str
        What ``scontrol show -o`` printed.
    key : str
        The first key, such as ``JobId``.
    """
    return [line[line.index(f"{key}=") :] for line in text.splitlines() if f"{key}=" in line]


def fields(line: str) -> dict[str, str]:
    """Return the fields of a line; the first of a name counts, since remarks at the end may look like fields."""
    return dict(reversed(_FIELD.findall(line)))


def refusal_words(code: int, out: str, err: str) -> str:
    """Return why sbatch failed: its own lines where it has printed any, else all that was printed.

    Parameters
    ----------
    code : int
        Its exit code.
    out, err : str
        What it printed.
    """
    own = _SBATCH_ERROR.findall(f"{err}\n{out}")
    words = [" ".join(part.split()) for part in own or [err.strip() or out.strip()] if part]
    if code in _TIMEOUT_CODES:
        words.append(f"sbatch: {NO_ANSWER_IN_TIME}")
    return " ".join(words) or f"sbatch: exit code {code}"


def is_transient(error: str) -> bool:
    """Whether waiting may help against an error of sbatch."""
    return _TRANSIENT.search(error) is not None
