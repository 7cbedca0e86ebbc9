"""Errors, and the exit codes that report them to a shell or a batch system."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

from hstmosaic.text import count_of

if TYPE_CHECKING:
    from collections.abc import Sequence


NO_CURRENT_DIRECTORY = "the current directory no longer exists"


class ExitCode(IntEnum):
    """Exit codes of ``hstmosaic``; README.md documents them for users."""

    OK = 0
    """Every planned product was made."""
    FAILED = 1
    """A failure without an exit code of its own."""
    USAGE = 2
    """Invalid command line, profile or option."""
    BAD_INPUT = 3
    """Invalid list or exposure; no mosaic was started."""
    OUTPUT = 4
    """The output directory is not writable, too small or full."""
    ALIGNMENT = 5
    """The requested alignment failed."""
    NOTHING_LEFT = 6
    """Screening rejected every exposure."""
    LAYER_FAILED = 7
    """At least one layer failed; the other layers are complete."""
    BUSY = 8
    """Another driver is using this run directory."""
    CLUSTER = 9
    """The batch system rejected jobs, lost them repeatedly, or cannot fit a task."""
    NOT_AS_RECORDED = 10
    """Products differ from their manifest, or there is no manifest."""
    INTERRUPTED = 130
    """Stopped by Ctrl-C, SIGTERM or SIGHUP; the same command resumes the run."""


class HstMosaicError(Exception):
    """Base class of the errors that users see without a traceback.

    Parameters
    ----------
    message : str
        What happened, naming the file or the task.
    next_step : str, optional
        Remedy for the user.
    """

    exit_code = ExitCode.FAILED

    def __init__(self, message: str, next_step: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.next_step = next_step

    def __str__(self) -> str:
        return f"{self.message}\n  -> {self.next_step}" if self.next_step else self.message


@dataclass(frozen=True)
class Problem:
    """One problem with one input."""

    name: str
    """File, list or pattern as the user wrote it."""
    cause: str
    """The cause, in one clause."""
    next_step: str
    """Remedy for the user."""

    def __str__(self) -> str:
        return f"{self.name}: {self.cause}; {self.next_step}"


class BadInputError(HstMosaicError):
    """Invalid inputs, reported together.

    Parameters
    ----------
    problems : sequence of Problem
        One entry for each file and cause; never empty.
    so_far : str
        State of the run when they were found.
    """

    exit_code = ExitCode.BAD_INPUT

    def __init__(self, problems: Sequence[Problem], so_far: str = "nothing was started") -> None:
        self.problems = tuple(problems)
        lines = [f"{count_of(len(self.problems), 'problem')} with the input; {so_far}"]
        lines += [f"  {problem}" for problem in self.problems]
        super().__init__("\n".join(lines))

    def with_output(self, error: OutputError) -> BadInputError:
        """Return the same error with a problem of the output directory added."""
        return BadInputError([*self.problems, Problem("--output-dir", error.message, error.next_step)])


class OutputError(HstMosaicError):
    """The output directory cannot hold the products."""

    exit_code = ExitCode.OUTPUT


class AlignmentError(HstMosaicError):
    """The requested alignment failed."""

    exit_code = ExitCode.ALIGNMENT


class FallbackError(HstMosaicError):
    """A library used a fallback, and ``--strict`` makes that an error."""

    exit_code = ExitCode.ALIGNMENT


class RunBusyError(HstMosaicError):
    """Another driver is using the run directory."""

    exit_code = ExitCode.BUSY


class OptionError(HstMosaicError):
    """An option has an invalid value."""

    exit_code = ExitCode.USAGE


class ProfileError(OptionError):
    """A profile does not exist or is invalid."""


class ClusterError(HstMosaicError):
    """The batch system cannot run what the run needs."""

    exit_code = ExitCode.CLUSTER


class NotAsRecordedError(HstMosaicError):
    """Files differ from their record, or there is no record."""

    exit_code = ExitCode.NOT_AS_RECORDED
