"""The joint fit: all exposures of all filters to each other and to a catalogue, in the current directory."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from astropy.table import Table

from hstmosaic.plan.exposures import read_exposure
from hstmosaic.store.alignment_results import RELATIVE, AlignmentResult
from hstmosaic.store.result_files import TaskResult
from hstmosaic.store.task_names import Stage
from hstmosaic.tasks.alignment.inputs import no_stars
from hstmosaic.tasks.alignment.reading import plane_of, read_detections, read_stars
from hstmosaic.tasks.alignment.solution import Solution, Status, solve
from hstmosaic.tasks.alignment.writing import headerlet_name, write_solution
from hstmosaic.tasks.finish import finish_file, finish_fits
from hstmosaic.tasks.outcome import exposure_fit
from hstmosaic.tasks.sources import read_sources
from hstmosaic.tasks.upstream.repairs import apply_repairs
from hstmosaic.tasks.working_copy import repair_copy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hstmosaic.plan.exposures import Exposure
    from hstmosaic.store.task_specs import AlignSpec
    from hstmosaic.tasks.alignment.inputs import Detections, Stars
    from hstmosaic.tasks.alignment.reading import Plane

GEOMETRY = "rscale"
"""Shift, turn and scale, as far as the detections determine them."""
NO_CATALOG = "NONE"
"""Stands for the catalogue in ``WCSNAME`` of exposures that were fitted to each other only."""


def align(spec: AlignSpec) -> TaskResult:
    """Fit all exposures to a catalogue, on copies of them in the current directory.

    Catalogues are tried in their order until one fits. Where none does, exposures are fitted to each other only. Those
    that cannot take part follow the others of their visit; where there are none, they keep their WCS.

    Parameters
    ----------
    spec : AlignSpec
        The exposures, their sources and the stored replies of the catalogue service.

    Returns
    -------
    TaskResult
        ``data`` is an `AlignmentResult` as a dict; its files lie in the current directory.
    """
    originals = {name: read_exposure(Path(path)) for name, path in spec.exposures}
    plane = plane_of(list(originals.values()))
    tables = dict(spec.sources)
    exposures = [read_detections(originals[name], read_sources(tables.get(name, ())), plane) for name in originals]
    catalog, stars, solution, counts = _best(exposures, spec, plane)
    left_out = {found.name: found.reason for found in solution.exposures if found.status is Status.KEPT}
    cause = "" if solution.absolute else _cause(exposures, counts)
    if not solution.moved:
        return TaskResult(ok=True, data=AlignmentResult(aligned=False, cause=cause, left_out=left_out).to_dict())
    apply_repairs(Stage.ALIGN)
    _write(spec, solution, exposures, plane, catalog if solution.absolute else NO_CATALOG)
    outcome = _outcome(solution, originals, exposures, catalog if solution.absolute else "")
    outcome = replace(outcome, left_out=left_out, cause=cause)
    made = [*map(finish_fits, map(Path, [*outcome.exposures, *outcome.headerlets.values()]))]
    if solution.absolute:
        reference = f"{spec.prefix}_{catalog}_ref_cat.ecsv"
        stars.write(Path(reference), format="ascii.ecsv", overwrite=True)
        made.append(finish_file(Path(reference)))
        outcome = replace(outcome, reference_catalog=reference)
    return TaskResult(ok=True, data=replace(outcome, files=tuple(made)).to_dict())


def _best(
    exposures: Sequence[Detections], spec: AlignSpec, plane: Plane
) -> tuple[str, Table, Solution, dict[str, int]]:
    """Return the first catalogue that fits, its stars as a table, the solution, and how many stars each one has."""
    counts = {}
    middle = float(np.mean([exposure.epoch for exposure in exposures]))
    for catalog, path in spec.replies:
        stars, rows = read_stars(Path(path).read_bytes().decode(), catalog, plane, middle)
        counts[catalog] = _stars_inside(exposures, stars)
        solution = solve(exposures, stars)
        if solution.absolute:
            return catalog, _table(rows, catalog), solution, counts
    return "", Table(), solve(exposures, no_stars()), counts


def _stars_inside(exposures: Sequence[Detections], stars: Stars) -> int:
    """Count stars on any exposure."""
    inside = np.zeros(len(stars), dtype=bool)
    for exposure in exposures:
        low, high = exposure.outline.min(axis=0), exposure.outline.max(axis=0)
        inside |= ((stars.places > low) & (stars.places < high)).all(axis=1)
    return int(np.count_nonzero(inside))


def _cause(exposures: Sequence[Detections], counts: dict[str, int]) -> str:
    """Say why no catalogue fits, in one clause."""
    if not any(len(exposure.places) for exposure in exposures):
        return "no exposure has sources"
    if not counts:
        return "no catalogue has stars in the field"
    stars = ", ".join(f"{count} in {catalog}" for catalog, count in counts.items())
    return f"no catalogue matches the exposures better than chance (stars on the exposures: {stars})"


def _write(spec: AlignSpec, solution: Solution, exposures: Sequence[Detections], plane: Plane, catalog: str) -> None:
    paths = dict(spec.exposures)
    moved = [
        (found, exposure)
        for found, exposure in zip(solution.exposures, exposures, strict=True)
        if found.status is not Status.KEPT
    ]
    reference = "_".join(moved[0][0].name.split("_")[:-1])
    for found, exposure in moved:
        shutil.copyfile(paths[found.name], found.name)
        if found.name in spec.repaired:
            repair_copy(Path(found.name))
        write_solution(found, exposure, plane, catalog, reference)


def _outcome(
    solution: Solution, originals: dict[str, Exposure], exposures: Sequence[Detections], catalog: str
) -> AlignmentResult:
    fits = {
        found.name: exposure_fit(originals[found.name], read_exposure(Path(found.name)), found, len(exposure.places))
        for found, exposure in zip(solution.exposures, exposures, strict=True)
        if found.status is not Status.KEPT
    }
    residuals = np.concatenate([found.residuals for found in solution.exposures]) * 1000
    rms = np.sqrt(np.mean(residuals**2, axis=0)) if len(residuals) else np.zeros(2)
    return AlignmentResult(
        aligned=solution.absolute,
        catalog=catalog,
        method=RELATIVE,
        fitgeom=GEOMETRY,
        matches=solution.catalog_stars,
        rms_mas=(float(rms[0]), float(rms[1])),
        headerlets={name: headerlet_name(name) for name in fits},
        exposures=fits,
        chance_log10=max(solution.chance, -999.0),
        catalog_error_mas=solution.jitter * 1000,
    )


def _table(rows: Sequence[dict[str, str]], catalog: str) -> Table:
    """Return the rows of a reply with the names of columns that drizzlepac's reference catalogues have."""
    columns = list(rows[0]) if rows else []
    names = {"ra": "RA", "dec": "DEC", "ra_error": "RA_error", "dec_error": "DEC_error"}
    table = Table(meta={"catalog": catalog})
    for column in columns:
        values = [row[column] or "nan" for row in rows]
        try:
            table[names.get(column, column)] = np.array(values, dtype=float)
        except ValueError:
            table[names.get(column, column)] = values
    return table
