"""The end of a run: manifest, provenance and report, also after an error."""

from __future__ import annotations

import os
import platform
import shlex
import sys
import time
import uuid
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from hstmosaic.errors import HstMosaicError
from hstmosaic.plan.names import (
    json_manifest_name,
    manifest_name,
    provenance_name,
    tile_index_name,
    tile_regions_name,
)
from hstmosaic.products.digest import FailureDigest, digest, digests_text
from hstmosaic.products.gather import TILE
from hstmosaic.products.manifest import (
    LISTED_KINDS,
    TILE_REGIONS,
    TILE_TABLE,
    Failure,
    Manifest,
    UsedExposure,
    described,
    manifest_from_json,
    manifest_text,
)
from hstmosaic.products.provenance import RunFacts, provenance_json
from hstmosaic.products.report import write_report
from hstmosaic.products.tile_index import read_tile, tile_regions, tile_table
from hstmosaic.run.options import recorded_options
from hstmosaic.run.outcome import Outcome, as_user_error, stop_message
from hstmosaic.run.pictures import REMADE, draw_pictures, seams_of
from hstmosaic.store.files import ENCODING, write_atomically
from hstmosaic.store.image_identity import image_identity
from hstmosaic.store.stage_events import FailureDigested, Finished, ReportFailed, ReportWritten, Stopped, Warnings
from hstmosaic.store.task_specs import TRAILERS, WORK_FOLDER
from hstmosaic.text import count_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hstmosaic.products.gather import Gathered
    from hstmosaic.run.options import RunOptions
    from hstmosaic.store.events import EventLog
    from hstmosaic.store.run_directory import RunDirectory


def end_run(
    outcome: Outcome,
    options: RunOptions,
    directory: RunDirectory,
    events: EventLog,
    pictures: Sequence[Gathered] | None = None,
) -> None:
    """Record and report the end of a run.

    Parameters
    ----------
    outcome : Outcome
        Its outcome.
    options : RunOptions
        Options of the run.
    directory : RunDirectory
        The run directory.
    events : EventLog
        Receives the events.
    pictures : sequence of Gathered, optional
        The pictures; drawn here when None.

    Raises
    ------
    OutputError
        If there is no room for the manifests.
    """
    digests = _digests(outcome)
    if pictures is None:
        pictures = draw_pictures(directory, events, outcome.error) if not options.stub else []
    if outcome.error is not None:
        emit_stop(outcome.error, int(outcome.exit_code), events)
    else:
        # before files are written, for which a full disk may have no room
        for found in digests:
            events.emit(FailureDigested(**vars(found)), str(found), "error")
    try:
        _write_files(outcome, options, directory, digests, pictures)
        if outcome.error is None:
            _emit_end(outcome, events)
    except OSError as error:
        raise as_user_error(error, directory.output) from error
    finally:
        report(directory, events)


def _write_files(
    outcome: Outcome,
    options: RunOptions,
    directory: RunDirectory,
    digests: Sequence[FailureDigest],
    pictures: Sequence[Gathered],
) -> None:
    if digests:
        write_atomically(directory.failures_file, digests_text(digests))
    elif outcome.error is None:
        directory.failures_file.unlink(missing_ok=True)
    final = directory.output / json_manifest_name(outcome.plan.prefix)
    earlier = _remaining(final, outcome.failures)
    left = earlier if outcome.error is not None else ()
    manifest = replace(manifest_of(outcome, directory), seams=seams_of(directory) if pictures else {})
    older = tuple(product for product in left if product.kind in LISTED_KINDS)
    manifest = replace(manifest, products=older).with_products(manifest.products)
    listed = [product.name for product in manifest.products if product.kind in LISTED_KINDS]
    if listed:
        path = directory.output / manifest_name(outcome.plan.prefix)
        write_atomically(path, manifest_text(listed))
        manifest = manifest.with_products([described(path, "list of products")])
    if not options.stub:
        manifest = manifest.with_products(_tile_index(manifest, directory.output))
    path = directory.output / provenance_name(outcome.plan.prefix)
    write_atomically(path, provenance_json(outcome.plan, manifest, run_facts(outcome, options), directory.path))
    manifest = manifest.with_products([described(path, "provenance"), *pictures])
    write_atomically(final, replace(manifest, products=left).with_products(manifest.products).to_json())
    if outcome.error is None:
        _remove_old_tiles(earlier, manifest, directory.output)


def _remove_old_tiles(earlier: Sequence[Gathered], manifest: Manifest, output: Path) -> None:
    """Delete tiles of an earlier start that are not made any more, for example because the grid has grown."""
    made = {product.name for product in manifest.products}
    for product in earlier:
        path = output / product.name
        if product.kind == TILE and product.name not in made and path.stat().st_size == product.size:
            path.unlink()


def _tile_index(manifest: Manifest, output: Path) -> list[Gathered]:
    """Write the table and the regions of the tiles of a run that has some."""
    tiles = [read_tile(output / product.name) for product in manifest.products if product.kind == TILE]
    if not tiles:
        return []
    table, regions = output / tile_index_name(manifest.prefix), output / tile_regions_name(manifest.prefix)
    write_atomically(table, tile_table(tiles))
    write_atomically(regions, tile_regions(tiles))
    return [described(table, TILE_TABLE), described(regions, TILE_REGIONS)]


def _remaining(path: Path, failures: Sequence[Failure]) -> tuple[Gathered, ...]:
    """Return existing products that the manifest of an earlier start lists, except those of layers that failed now."""
    try:
        earlier = manifest_from_json(path.read_text(ENCODING))
    except (FileNotFoundError, ValueError):  # missing or damaged
        return ()
    failed = {failure.layer for failure in failures}
    return tuple(
        product
        for product in earlier.products
        if (product.layer is None or product.layer not in failed) and path.with_name(product.name).is_file()
    )


def run_facts(outcome: Outcome, options: RunOptions) -> RunFacts:
    """Return the facts about the driver that provenance records."""
    image = image_identity()
    return RunFacts(
        identifier=str(uuid.uuid4()),
        command=shlex.join(sys.argv),
        options=recorded_options(options),
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
        words = stop_message(outcome.error).splitlines()[0]
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
                repair=outcome.repairs.get(exposure.name),
            )
            for exposure in plan.exposures
        ),
        left_out=outcome.left_out,
        failures=failures,
        registration=outcome.registration,
        stars=outcome.stars,
    )


def _digests(outcome: Outcome) -> list[FailureDigest]:
    found = []
    for failure in outcome.failures:
        log = Path(failure.log)
        trailers = sorted((log.parent / WORK_FOLDER).glob(TRAILERS))
        found.append(digest(failure, [log, *trailers]))
    return found


def _emit_end(outcome: Outcome, events: EventLog) -> None:
    made = f"{count_of(len(outcome.products), 'file')} in {outcome.directory.parent}"
    warnings = _warnings(outcome)
    if warnings:
        events.emit(Warnings(), f"warnings: {'; '.join(warnings)}", "warning")
    after = f"after {time.time() - outcome.started:.0f} s: {made}"  # with the pictures, which are drawn at the end
    words = f"finished {after}"
    if outcome.failures:
        words = f"{count_of(len(outcome.failures), 'layer')} failed {after}"
    elif outcome.warnings:
        words = f"finished with warnings: {', '.join(outcome.warnings)}; {after}"
    events.emit(Finished(int(outcome.exit_code), list(outcome.warnings)), words)


def _warnings(outcome: Outcome) -> list[str]:
    """Return warnings about the results: fallbacks, and crashes of screening."""
    fallbacks = [f"{', '.join(names)}: {message}" for message, names in outcome.fallbacks.items()]
    crashed = [f"{item.name} is left out: {item.reason}" for item in outcome.left_out if item.crashed]
    return [*fallbacks, *crashed]


def report(directory: RunDirectory, events: EventLog) -> Path | None:
    """Write the report of a run that ended.

    Parameters
    ----------
    directory : RunDirectory
        The run.
    events : EventLog
        Receives the path of the report, or why it could not be written.

    Returns
    -------
    pathlib.Path or None
        The report, if it could be written.
    """
    try:
        path = write_report(directory.path)
    except Exception as cause:
        again = REMADE.format(run=directory.path)
        events.emit(
            ReportFailed(), f"the report could not be written: {type(cause).__name__}: {cause}; {again}", "warning"
        )
        return None
    events.emit(ReportWritten(str(path)), f"report: {path}")
    return path


def emit_stop(error: BaseException, code: int, events: EventLog) -> None:
    """Record in the run log the error that ended a run; the command line prints it."""
    if isinstance(error, HstMosaicError):
        events.emit(Stopped(code, error.next_step), error.message, "debug")
        return
    events.emit(Stopped(code, "rerun the same command to resume"), stop_message(error), "debug")
