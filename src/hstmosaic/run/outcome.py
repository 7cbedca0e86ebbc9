"""Outcome of a run, and its exit code."""

from __future__ import annotations

import errno
from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING

from hstmosaic.errors import ExitCode, HstMosaicError, OutputError
from hstmosaic.html_tables import html_table
from hstmosaic.plan.names import report_name
from hstmosaic.text import count_of

if TYPE_CHECKING:
    from pathlib import Path

    from hstmosaic.plan.checks import Exclusion
    from hstmosaic.plan.plan import Plan
    from hstmosaic.products.gather import Gathered
    from hstmosaic.products.manifest import Failure
    from hstmosaic.store.alignment_results import AlignmentResult
    from hstmosaic.store.pixel_repair import PixelRepair
    from hstmosaic.store.stage_events import Registered, StarsMeasured

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)


@dataclass(frozen=True, repr=False)
class Outcome:
    """Result of a run: products, exposures that were left out, and failures."""

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
    """Result of the alignment; None if none was tried."""
    error: BaseException | None = None
    """Error that ended the run early."""
    fallbacks: dict[str, list[str]] = field(default_factory=dict)
    """Fallbacks of the libraries, with the names of the layers or exposures of each."""
    repairs: dict[str, PixelRepair] = field(default_factory=dict)
    """Faults in the pixels of exposures that working copies do not have, by name."""
    registration: tuple[Registered, ...] = ()
    """Offsets of mosaics from each other and from the catalogue."""
    stars: tuple[StarsMeasured, ...] = ()
    """Widths of stars in mosaics."""

    @property
    def output(self) -> Path:
        """The output directory."""
        return self.directory.parent

    @property
    def paths(self) -> dict[str, Path]:
        """Absolute paths of the products, by file name."""
        return {product.name: self.output.absolute() / product.name for product in self.products}

    @property
    def mosaics(self) -> tuple[Path, ...]:
        """Absolute paths of the mosaics, in the order of the layers."""
        planned = [product.name for layer in self.plan.layers for product in layer.products]
        return tuple(self.paths[name] for name in planned if name in self.paths)

    @property
    def report(self) -> Path:
        """Absolute path of the report."""
        return self.output.absolute() / report_name(self.plan.prefix)

    def __repr__(self) -> str:
        return f"<Outcome {self._summary}>"

    @property
    def _summary(self) -> str:
        mosaics, failures = count_of(len(self.mosaics), "mosaic"), count_of(len(self.failures), "failure")
        left_out = f"{count_of(len(self.left_out), 'exposure')} left out"
        return f"{self.exit_code.name}: {mosaics} in {self.output}, {left_out}, {failures}, {self.seconds:.0f} s"

    def _repr_html_(self) -> str:
        products = ([item.name, self.paths[item.name], f"{item.size / 1e6:.1f}"] for item in self.products)
        return "".join(
            [
                f"<p><b>Outcome</b> {escape(self._summary)}; report: {escape(str(self.report))}</p>",
                html_table(["product", "path", "size (MB)"], products),
                html_table(["left out", "reason"], ([item.name, item.reason] for item in self.left_out)),
                html_table(["failed", "cause"], ([item.layer or "all", item.cause] for item in self.failures)),
            ]
        )

    @property
    def seconds(self) -> float:
        """Wall time of the run."""
        return self.ended - self.started

    @property
    def warnings(self) -> tuple[str, ...]:
        """Return short notes on the products for the user."""
        found = []
        if self.left_out:
            listed = len(self.plan.exposures) + len(self.plan.excluded)
            found.append(f"{len(self.left_out)} of {count_of(listed, 'exposure')} left out")
        if self.alignment is not None and not self.alignment.aligned:
            found.append(f"not aligned: {self.alignment.short_cause}")
        elif self.alignment is not None and self.alignment.left_out:
            found.append(f"{count_of(len(self.alignment.left_out), 'exposure')} not aligned")
        if self.alignment is not None:
            infrared = {exposure.name for exposure in self.plan.exposures if exposure.detector == "ir"}
            if errors := self.alignment.imprecise(infrared):
                largest = max(errors.values())
                found.append(
                    f"{count_of(len(errors), 'exposure')} placed with formal errors of up to {largest:.1f} mas"
                )
        for pair in self.registration:
            if pair.is_bad:
                found.append(f"{pair.layer} and {pair.reference} are {pair.distance:.1f} pixels apart")
        for fallback, names in self.fallbacks.items():
            found.append(f"{fallback} ({', '.join(dict.fromkeys(names))})")
        return tuple(found)

    @property
    def exit_code(self) -> ExitCode:
        """Exit code of the command line."""
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
