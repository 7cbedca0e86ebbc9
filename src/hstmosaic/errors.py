"""What can go wrong, and the exit code that says so to a shell or a batch system."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

from hstmosaic.text import count_of

if TYPE_CHECKING:
    from collections.abc import Sequence


NO_CURRENT_DIRECTORY = "the current directory does not exist any more"


class ExitCode(IntEnum):
    """Exit codes of ``hstmosaic``; README.md documents them for users."""

    OK = 0
    """Every planned product was made."""
    FAILED = 1
    """Something failed that no other code names."""
    USAGE = 2
    """The command line cannot be understood."""
    BAD_INPUT = 3
    """The list or an exposure in it cannot be used; no mosaic was begun."""
    OUTPUT = 4
    """The output directory is not writable, too small, or full."""
    ALIGNMENT = 5
    """The alignment that was asked for cannot be done."""
    NOTHING_LEFT = 6
    """No exposure was left to drizzle after screening."""
    LAYER_FAILED = 7
    """At least one layer failed; the products of the others are whole."""
    BUSY = 8
    """Another driver works on this run directory."""
    CLUSTER = 9
    """The batch system refused jobs, lost them again and again, or cannot run a task that large."""
    NOT_AS_RECORDED = 10
    """Products are not as their manifest says, or there is none."""
    INTERRUPTED = 130
    """Stopped by Ctrl-C, SIGTERM or SIGHUP; the same command goes on where it stopped."""


class HstMosaicError(Exception):
    """Base of all errors that are told to the user without a traceback.

    Parameters
    ----------
    message : str
        What happened, naming the file or the task.
    next_step : str, optional
        What the user can do about it.
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
    """One thing that is wrong with one input."""

    name: str
    """File name (or list, or pattern) as the user wrote it."""
    cause: str
    """What is wrong, in one clause."""
    next_step: str
    """What the user can do about it."""

    def __str__(self) -> str:
        return f"{self.name}: {self.cause}; {self.next_step}"


class BadInputError(HstMosaicError):
    """Inputs that cannot be used, all of them at once.

    Parameters
    ----------
    problems : sequence of Problem
        One entry per file and cause; never empty.
    so_far : str
        What had been done when they were found.
    """

    exit_code = ExitCode.BAD_INPUT

    def __init__(self, problems: Sequence[Problem], so_far: str = "nothing was started") -> None:
        self.problems = tuple(problems)
        lines = [f"{count_of(len(self.problems), 'problem')} with the input; {so_far}"]
        lines += [f"  {problem}" for problem in self.problems]
        super().__init__("\n".join(lines))

    def with_output(self, error: OutputError) -> BadInputError:
        """Return the same with what is wrong with the output directory, too."""
        return BadInputError([*self.problems, Problem("--output-dir", error.message, error.next_step)])


class OutputError(HstMosaicError):
    """The output directory cannot take the products."""

    exit_code = ExitCode.OUTPUT


class AlignmentError(HstMosaicError):
    """The alignment that was asked for cannot be done."""

    exit_code = ExitCode.ALIGNMENT


class FallbackError(HstMosaicError):
    """A library did something else than its task, and ``--strict`` makes that an error."""

    exit_code = ExitCode.ALIGNMENT


class NothingLeftError(HstMosaicError):
    """Screening left no exposure to drizzle."""

    exit_code = ExitCode.NOTHING_LEFT


class RunBusyError(HstMosaicError):
    """Another driver works on the run directory."""

    exit_code = ExitCode.BUSY


class ProfileError(HstMosaicError):
    """A profile cannot be found or understood."""

    exit_code = ExitCode.USAGE


class ClusterError(HstMosaicError):
    """The batch system cannot do what the run needs."""

    exit_code = ExitCode.CLUSTER


class NotAsRecordedError(HstMosaicError):
    """Files are not what was recorded of them, or there is no record."""

    exit_code = ExitCode.NOT_AS_RECORDED
