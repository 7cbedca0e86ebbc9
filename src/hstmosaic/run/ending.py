"""The end of a run: what has come out of it is written down, however it ended."""

from __future__ import annotations

import errno
import os
import platform
import shlex
import sys
import uuid
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hstmosaic.errors import ExitCode, HstMosaicError, OutputError
from hstmosaic.plan.names import json_manifest_name, manifest_name, provenance_name
from hstmosaic.products.digest import FailureDigest, digest, digests_text
from hstmosaic.products.manifest import (
    LISTED_KINDS,
    Failure,
    Manifest,
    UsedExposure,
    described,
    manifest_from_json,
    manifest_text,
)
from hstmosaic.products.provenance import RunFacts, provenance_json
from hstmosaic.run.repeat import options_record
from hstmosaic.run.showing import draw_pictures, report, stop_words, tell_stop
from hstmosaic.store.files import ENCODING, write_whole
from hstmosaic.store.image_identity import image_identity
from hstmosaic.store.task_specs import TRAILERS, WORK_FOLDER

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hstmosaic.plan.checks import Exclusion
    from hstmosaic.plan.plan import Plan
    from hstmosaic.products.gather import Gathered
    from hstmosaic.run.driver import RunOptions
    from hstmosaic.store.events import Teller
    from hstmosaic.store.run_directory import RunDirectory

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
    alignment: dict[str, Any] = field(default_factory=dict)
    """How the alignment went; empty where there was none."""
    error: BaseException | None = None
    """What has ended it early."""

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
        screened = {exclusion.name for exclusion in self.left_out}
        nothing_left = all(exposure.name in screened for exposure in self.plan.exposures)
        return ExitCode.NOTHING_LEFT if nothing_left else ExitCode.LAYER_FAILED


def as_told(error: BaseException, output: Path) -> BaseException:
    """Return what has ended a run as it is told to the user: a full disk is no error of the program's."""
    if isinstance(error, OSError) and error.errno in _FULL:
        what = error.filename or output
        return OutputError(f"{what}: {error.strerror}", "free some space, and run the same command again")
    return error


def code_of(error: BaseException) -> ExitCode:
    """Return the exit code of what has ended a run early."""
    if isinstance(error, HstMosaicError):
        return error.exit_code
    return ExitCode.INTERRUPTED if isinstance(error, KeyboardInterrupt) else ExitCode.FAILED


def end_run(
    outcome: Outcome,
    options: RunOptions,
    directory: RunDirectory,
    tell: Teller,
    pictures: Sequence[Gathered] | None = None,
) -> None:
    """Write down and tell how a run ended.

    Parameters
    ----------
    outcome : Outcome
        How it ended.
    options : RunOptions
        What the user has asked for.
    directory : RunDirectory
        The run directory.
    tell : Teller
        Hears it.
    pictures : sequence of Gathered, optional
        The pictures; drawn here when None.

    Raises
    ------
    OutputError
        If there is no room for the manifests.
    """
    digests = _digests(outcome)
    if pictures is None:
        pictures = draw_pictures(directory, tell, outcome.error) if not options.stub else []
    if outcome.error is None:
        _tell_end(outcome, digests, tell)
    else:
        tell_stop(outcome.error, int(outcome.exit_code), tell)
    try:
        _write_files(outcome, options, directory, digests, pictures)
    except OSError as error:
        raise as_told(error, directory.output) from error
    finally:
        report(directory, tell)


def _write_files(
    outcome: Outcome,
    options: RunOptions,
    directory: RunDirectory,
    digests: Sequence[FailureDigest],
    pictures: Sequence[Gathered],
) -> None:
    if digests:
        write_whole(directory.failures_file, digests_text(digests))
    elif outcome.error is None:
        directory.failures_file.unlink(missing_ok=True)
    final = directory.output / json_manifest_name(outcome.plan.prefix)
    left = _left_alone(final, outcome.failures) if outcome.error is not None else ()
    manifest = manifest_of(outcome, directory)
    older = tuple(product for product in left if product.kind in LISTED_KINDS)
    manifest = replace(manifest, products=older).with_products(manifest.products)
    listed = [product.name for product in manifest.products if product.kind in LISTED_KINDS]
    if listed:
        path = directory.output / manifest_name(outcome.plan.prefix)
        write_whole(path, manifest_text(listed))
        manifest = manifest.with_products([described(path, "list of products")])
    path = directory.output / provenance_name(outcome.plan.prefix)
    write_whole(path, provenance_json(outcome.plan, manifest, run_facts(outcome, options), directory.path))
    manifest = manifest.with_products([described(path, "provenance"), *pictures])
    write_whole(final, replace(manifest, products=left).with_products(manifest.products).to_json())


def _left_alone(path: Path, failures: Sequence[Failure]) -> tuple[Gathered, ...]:
    """Return what the manifest of an earlier start lists, is still there, and is of no layer that has failed now."""
    try:
        earlier = manifest_from_json(path.read_text(ENCODING))
    except (FileNotFoundError, ValueError):  # it tells of no file
        return ()
    failed = {failure.layer for failure in failures}
    return tuple(
        product
        for product in earlier.products
        if (product.layer is None or product.layer not in failed) and path.with_name(product.name).is_file()
    )


def run_facts(outcome: Outcome, options: RunOptions) -> RunFacts:
    """Return what provenance says of the driver."""
    image = image_identity()
    return RunFacts(
        identifier=str(uuid.uuid4()),
        command=shlex.join(sys.argv),
        options=options_record(options),
        started=outcome.started,
        ended=outcome.ended,
        host=platform.node(),
        job=os.environ.get("SLURM_JOB_ID", ""),
        image=None if image is None else asdict(image),
        alignment=outcome.alignment,
    )


def manifest_of(outcome: Outcome, directory: RunDirectory) -> Manifest:
    """Return the manifest of a run."""
    plan = outcome.plan
    left_out = {exclusion.name for exclusion in outcome.left_out}
    layers = {name: layer.name for layer in plan.layers for name in layer.exposures}
    failures = outcome.failures
    if outcome.error is not None:
        words = stop_words(outcome.error).splitlines()[0]
        failures = (*failures, Failure(None, words, str(directory.log_file)))
    return Manifest(
        prefix=plan.prefix,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        versions=plan.versions,
        exit_code=int(outcome.exit_code),
        products=outcome.products,
        exposures=tuple(
            UsedExposure(
                name=exposure.name,
                path=str(exposure.path),
                size=exposure.size,
                sha256=outcome.checksums.get(exposure.name),
                layer=None if exposure.name in left_out else layers[exposure.name],
            )
            for exposure in plan.exposures
        ),
        left_out=outcome.left_out,
        failures=failures,
    )


def _digests(outcome: Outcome) -> list[FailureDigest]:
    found = []
    for failure in outcome.failures:
        log = Path(failure.log)
        trailers = sorted((log.parent / WORK_FOLDER).glob(TRAILERS))
        found.append(digest(failure, [log, *trailers]))
    return found


def _tell_end(outcome: Outcome, digests: Sequence[FailureDigest], tell: Teller) -> None:
    for found in digests:
        tell("failed", str(found), "error", **asdict(found))
    made = f"{len(outcome.products)} file(s) in {outcome.directory.parent}"
    verdict = "finished" if not outcome.failures else f"{len(outcome.failures)} layer(s) failed"
    tell("finished", f"{verdict} after {outcome.seconds:.0f} s: {made}", "info", exit_code=int(outcome.exit_code))
