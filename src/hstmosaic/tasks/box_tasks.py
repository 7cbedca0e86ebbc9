"""A layer in several tasks: prepare it, drizzle its boxes, assemble its mosaics."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from hstmosaic.store.result_files import TaskResult, read_result
from hstmosaic.store.run_directory import TaskDirectory
from hstmosaic.store.task_results import BoxTaskResult, DrizzleResult, PrepareResult
from hstmosaic.store.task_specs import BoxPlace
from hstmosaic.tasks.boxes.assemble import assemble
from hstmosaic.tasks.boxes.boxes import BoxFiles, lay_out, make_box
from hstmosaic.tasks.boxes.records import Box, read_box, read_mosaic, write_record
from hstmosaic.tasks.drizzle import RECORDS, cut_tiles, finish_assembled, own_records, run_upstream
from hstmosaic.tasks.finish import finish_file
from hstmosaic.tasks.mosaic_stars import find_stars

if TYPE_CHECKING:
    from hstmosaic.store.task_specs import AssembleSpec, BoxSpec, PrepareSpec
    from hstmosaic.tasks.boxes.records import BoxResult


def prepare(spec: PrepareSpec) -> TaskResult:
    """Do everything for a layer but drizzle, and divide its mosaics.

    Parameters
    ----------
    spec : PrepareSpec
        The layer, and how it is divided.

    Returns
    -------
    TaskResult
        ``data`` is a `PrepareResult` as a dict; its files lie in the current directory.
    """
    ran = run_upstream(spec.layer)
    if isinstance(ran, TaskResult):
        return ran
    assert ran.recorder is not None
    boxes: list[list[BoxPlace]] = [[] for _ in range(spec.boxes)]
    for mosaic in ran.recorder.mosaics:
        write_record(_mosaic_record(Path(), mosaic.name), mosaic)
        for number, share in enumerate(lay_out(RECORDS, mosaic, spec.pixels, spec.boxes)):
            boxes[number] += [BoxPlace(mosaic.name, box.top, box.bottom, box.left, box.right) for box in share]
    records = [
        replace(finish_file(path), name=str(path)) for path in sorted(RECORDS.iterdir()) if not path.is_symlink()
    ]
    files = (*records, *(finish_file(Path(name)) for name in spec.layer.products))
    made = PrepareResult(files, tuple(map(tuple, boxes)), ran.parameters, ran.steps)
    return TaskResult(ok=True, data=made.to_dict(), warnings=ran.warnings)


def drizzle_boxes(spec: BoxSpec) -> TaskResult:
    """Drizzle a box.

    Parameters
    ----------
    spec : BoxSpec
        The rectangles, and where the records of their mosaics are.

    Returns
    -------
    TaskResult
        ``data`` is a `BoxTaskResult` as a dict; its files lie in the current directory.
    """
    work = TaskDirectory(Path(spec.prepared)).work
    names, records = [], []
    for place in spec.places:
        mosaic = read_mosaic(_mosaic_record(work, place.product))
        result = make_box(work / RECORDS, mosaic, Box(place.top, place.bottom, place.left, place.right), Path())
        record = f"{place.product}_{place.top}_{place.left}.json"
        write_record(Path(record), result)
        names += [*result.files, record]
        records.append((place.product, record))
    files = tuple(finish_file(Path(name)) for name in names)
    return TaskResult(ok=True, data=BoxTaskResult(files, tuple(records)).to_dict())


def assemble_layer(spec: AssembleSpec) -> TaskResult:
    """Put the boxes of a layer together.

    Parameters
    ----------
    spec : AssembleSpec
        The layer, and where the records of its mosaics and boxes are.

    Returns
    -------
    TaskResult
        As of `hstmosaic.tasks.drizzle.drizzle`.
    """
    task = TaskDirectory(Path(spec.prepared))
    prepared = read_result(task.path)
    if prepared is None:
        return TaskResult(ok=False, error=f"{task.path} has no result", retry=True)
    boxes: dict[str, list[BoxResult]] = {}
    for product, record in spec.boxes:
        boxes.setdefault(product, []).append(_located(Path(record)))
    own, made = own_records(spec.layer, prepared.warnings), []
    for name in spec.layer.products:
        if name not in own:
            shutil.copyfile(task.work / name, name)
            made.append(finish_file(Path(name)))
            continue
        mosaic, its = read_mosaic(_mosaic_record(task.work, name)), own[name]
        files = BoxFiles(Path(), tuple(boxes.get(name, ())))
        compress = spec.layer.assembled_compressed
        assembled = assemble(task.work / name, mosaic, files, Path(name), its.all_cards, its.history, compress=compress)
        made.append(finish_assembled(spec.layer, Path(name), assembled))
    earlier = prepared.read(PrepareResult)
    sources = find_stars(Path(spec.layer.finest))
    result = DrizzleResult((*made, *cut_tiles(spec.layer)), earlier.parameters, earlier.steps, sources)
    return TaskResult(ok=True, data=result.to_dict(), warnings=prepared.warnings)


def _mosaic_record(work: Path, product: str) -> Path:
    return work / RECORDS / f"{product}.json"


def _located(record: Path) -> BoxResult:
    """Return the record of a box with absolute paths of its files."""
    result = read_box(record)
    folder = record.absolute().parent
    return replace(
        result,
        science=str(folder / result.science),
        weight=str(folder / result.weight),
        coverage=str(folder / result.coverage),
        context=str(folder / result.context) if result.context else "",
    )
