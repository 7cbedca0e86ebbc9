"""Detection of runs that an earlier start finished and whose inputs did not change."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from hstmosaic.errors import ExitCode, OutputError
from hstmosaic.plan.names import json_manifest_name, report_name
from hstmosaic.plan.plan import Plan, plan_from_json
from hstmosaic.products.manifest import LISTED_KINDS, PICTURE_KINDS, Manifest, manifest_from_json
from hstmosaic.products.run_record import RunRecord, read_record
from hstmosaic.run.earlier_run import read_options
from hstmosaic.run.options import RunOptions, recorded_options
from hstmosaic.run.outcome import Outcome
from hstmosaic.store.files import ENCODING
from hstmosaic.store.run_directory import RUN_FOLDER, RunDirectory, run_directory
from hstmosaic.store.stage_events import Fallback, Finished, ReportWritten, Reused
from hstmosaic.store.task_names import Stage, drizzle_task, stage_of
from hstmosaic.store.worker_events import Skipped
from hstmosaic.text import count_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from hstmosaic.store.events import EventLog

_OF_ONE_START = ("source", "estimates", "learned", "notes")
"""Parts of a plan that can differ between starts and do not change products."""
_ESTIMATED = ("estimate", "box_seconds")
"""The same of a layer; they change with what earlier runs measured."""


def earlier_outcome(plan: Plan, options: RunOptions, directory: RunDirectory, now: float) -> Outcome | None:
    """Return the outcome of an earlier start if there is nothing left to do.

    Sizes and times of the products are compared with the manifest, not their bytes, which `hstmosaic verify` compares.

    Parameters
    ----------
    plan : Plan
        Plan of this start.
    options : RunOptions
        Options of this start.
    directory : RunDirectory
        The run directory.
    now : float
        Seconds since 1970.

    Returns
    -------
    Outcome or None
        None if anything is missing, failed, or has changed.
    """
    path = directory.output / json_manifest_name(directory.prefix)
    try:
        manifest = manifest_from_json(path.read_text(ENCODING))
        earlier = plan_from_json(directory.plan_file.read_text(ENCODING))
        record = read_record(directory.path)
        complete = (
            manifest.exit_code == ExitCode.OK
            and _lasting(earlier) == _lasting(plan)
            and read_options(directory) == recorded_options(options)
            and not any(exclusion.crashed for exclusion in manifest.left_out)
            and _alignment_is_final(record, options)
            and _products_are_whole(manifest, path, stub=options.stub)
        )
    except (OSError, ValueError, KeyError, TypeError, OutputError):  # missing, or damaged: it is written again
        return None
    return _outcome(plan, manifest, record, now) if complete else None


def unchanged_outcome(options: RunOptions, key: str | None, now: float) -> Outcome | None:
    """Return the outcome of an earlier start with the same key if there is nothing left to do; reads no header.

    Parameters
    ----------
    options : RunOptions
        Options of this start.
    key : str, optional
        Digest of everything that the plan is made from.
    now : float
        Seconds since 1970.

    Returns
    -------
    Outcome or None
        None if the plan has to be made.
    """
    for directory in _earlier_runs(options) if key is not None else ():
        try:
            if directory.plan_key_file.read_text(ENCODING) == key:
                plan = plan_from_json(directory.plan_file.read_text(ENCODING))
                return earlier_outcome(plan, options, directory, now)
        except (OSError, ValueError, KeyError, TypeError):  # missing, or damaged: the plan is made anew
            continue
    return None


def _earlier_runs(options: RunOptions) -> Iterator[RunDirectory]:
    output = options.output.absolute()
    if options.product_prefix is not None:
        yield run_directory(output, options.product_prefix)
    else:
        yield from (RunDirectory(path) for path in sorted(output.glob(f"*{RUN_FOLDER}")))


def emit_nothing_to_do(outcome: Outcome, options: RunOptions, events: EventLog) -> None:
    """Report that an earlier start finished the run."""
    for task in outcome.plan.tasks(aligned=options.aligned):
        if stage_of(task) is not Stage.DRIZZLE:
            events.emit(Skipped(task), f"{task} was finished before", "debug")
    for layer in outcome.plan.layers:
        events.emit(Reused(layer.name, drizzle_task(layer.name)), f"{layer.name} was finished before")
    words = f"nothing to do: {count_of(len(outcome.products), 'file')} in {outcome.output} are complete"
    events.emit(Finished(int(outcome.exit_code), list(outcome.warnings)), words)
    events.emit(ReportWritten(str(outcome.report)), f"report: {outcome.report}")


def _lasting(plan: Plan) -> dict[str, Any]:
    raw: dict[str, Any] = json.loads(plan.to_json())
    layers = [{name: value for name, value in layer.items() if name not in _ESTIMATED} for layer in raw["layers"]]
    return {name: value for name, value in raw.items() if name not in _OF_ONE_START} | {"layers": layers}


def _alignment_is_final(record: RunRecord, options: RunOptions) -> bool:
    """Return whether another start would find the same alignment; a missing catalogue may exist now."""
    if not options.aligned:
        return True
    return record.alignment is not None and record.alignment.aligned and not record.alignment.left_out


def _products_are_whole(manifest: Manifest, path: Path, *, stub: bool) -> bool:
    written = path.stat().st_mtime_ns
    for product in manifest.products:
        state = path.with_name(product.name).stat()
        if state.st_size != product.size or (product.kind not in PICTURE_KINDS and state.st_mtime_ns > written):
            return False
    has_pictures = stub or any(product.kind in PICTURE_KINDS for product in manifest.products)
    return has_pictures and path.with_name(report_name(manifest.prefix)).is_file()


def _outcome(plan: Plan, manifest: Manifest, record: RunRecord, now: float) -> Outcome:
    fallbacks: dict[str, list[str]] = {}
    for found in record.payloads(Fallback):
        fallbacks.setdefault(found.fallback, []).append(found.name)
    return Outcome(
        plan=plan,
        products=tuple(product for product in manifest.products if product.kind in LISTED_KINDS),
        left_out=manifest.left_out,
        failures=(),
        directory=record.run,
        started=now,
        ended=now,
        checksums={exposure.name: exposure.sha256 for exposure in manifest.exposures if exposure.sha256},
        alignment=record.alignment,
        fallbacks=fallbacks,
        repairs={exposure.name: exposure.repair for exposure in manifest.exposures if exposure.repair is not None},
        registration=manifest.registration,
        stars=manifest.stars,
    )
