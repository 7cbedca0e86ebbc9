"""Outcome of a run, and its exit code."""

from __future__ import annotations

import errno
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hstmosaic.errors import ExitCode, HstMosaicError, OutputError

if TYPE_CHECKING:
    from pathlib import Path

    from hstmosaic.plan.checks import Exclusion
    from hstmosaic.plan.plan import Plan
    from hstmosaic.products.gather import Gathered
    from hstmosaic.products.manifest import Failure
    from hstmosaic.store.alignment_results import AlignmentResult
    from hstmosaic.store.pixel_repair import PixelRepair

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)


@dataclass(frozen=True)
class Outcome:
    """How a run ended."""

    plan: Plan
    products: tuple[Gathered, ...]
    left_out: tuple[Exclusion, ...]
    """By header checks and by screening."""
    failures: tuple[Failure, ...]
    directory: Path
    """The run directory."""
    started: float
    """Seconds since 1970."""
    ended: float
    checksums: dict[str, str]
    """SHA-256 of the exposures that were screened, by name."""
    alignment: AlignmentResult | None = None
    """How the alignment went; None where there was none."""
    error: BaseException | None = None
    """What has ended it early."""
    fallbacks: dict[str, list[str]] = field(default_factory=dict)
    """Fallbacks of the libraries, with the names of the layers or exposures of each."""
    repairs: dict[str, PixelRepair] = field(default_factory=dict)
    """Faults in the pixels of exposures that working copies do not have, by name."""

    @property
    def seconds(self) -> float:
        """How long it took."""
        return self.ended - self.started

    @property
    def exit_code(self) -> ExitCode:
        """What the shell is told."""
        if self.error is not None:
            return code_of(self.error)
        if not self.failures:
            return ExitCode.OK
        screened = {exclusion.name for exclusion in self.left_out if not exclusion.crashed}
        nothing_left = all(exposure.name in screened for exposure in self.plan.exposures)
        return ExitCode.NOTHING_LEFT if nothing_left else ExitCode.LAYER_FAILED


def as_user_error(error: BaseException, output: Path) -> BaseException:
    """Return the error that ended a run as users should see it: a full disk is an `OutputError`."""
    if isinstance(error, OSError) and error.errno in _FULL:
        what = error.filename or output
        return OutputError(f"{what}: {error.strerror}", "free some space, and run the same command again")
    return error


def code_of(error: BaseException) -> ExitCode:
    """Return the exit code of the error that ended a run early."""
    if isinstance(error, HstMosaicError):
        return error.exit_code
    return ExitCode.INTERRUPTED if isinstance(error, KeyboardInterrupt) else ExitCode.FAILED


def stop_message(error: BaseException) -> str:
    """Return the message of the error that ended a run early."""
    if isinstance(error, HstMosaicError):
        return error.message
    return "the run was interrupted" if isinstance(error, KeyboardInterrupt) else f"{type(error).__name__}: {error}"
