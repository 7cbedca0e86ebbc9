"""The plan of a mosaic, made from a list of exposures."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from hstmosaic.errors import BadInputError, Problem
from hstmosaic.plan.boxes import ONE_WORKER, divide_layers
from hstmosaic.plan.cautions import exposure_cautions, sky_cautions, solution_cautions
from hstmosaic.plan.cells import load_sky_grid
from hstmosaic.plan.checks import Exclusion, apply_strict, exclude_unusable
from hstmosaic.plan.duplicates import exclude_duplicates, exclude_second_filetypes, find_name_clashes
from hstmosaic.plan.estimates import NOTHING_LEARNED
from hstmosaic.plan.exposures import read_exposures
from hstmosaic.plan.flat_fields import find_missing_flats
from hstmosaic.plan.inputs import find_all_inputs, find_inputs
from hstmosaic.plan.keywords import find_header_faults
from hstmosaic.plan.layers import common_geometry, make_layers
from hstmosaic.plan.limits import Limits, mosaic_limits, outside, tight_limits
from hstmosaic.plan.names import check_prefix, default_prefix, grid_prefix
from hstmosaic.plan.plan import Plan, installed_versions
from hstmosaic.plan.request import DOCUMENTED, LARGE
from hstmosaic.plan.requested_grids import exclude_off_grid
from hstmosaic.plan.sky import choose_projection_cell, corner_sky_cell, find_sky_cells
from hstmosaic.plan.task_estimates import estimate_tasks
from hstmosaic.text import count_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from hstmosaic.plan.boxes import Division
    from hstmosaic.plan.cells import ProjectionCell, SkyCell
    from hstmosaic.plan.estimates import Learned
    from hstmosaic.plan.exposures import Exposure
    from hstmosaic.plan.inputs import InputFile
    from hstmosaic.plan.layers import Layer
    from hstmosaic.plan.request import MosaicRequest
from hstmosaic.plan.sky import CellChoice

_KERNEL, _CONSERVING = "final_kernel", ("square", "point", "turbo")

_COMPRESSED = f"mosaics of {LARGE} are written tile-compressed; --no-compress writes them plain"


def make_plan(
    source: str | Sequence[str],
    *,
    prefix: str | None = None,
    strict: bool = False,
    keep: Sequence[str] = (),
    on_read: Callable[[int, int], None] | None = None,
    learned: Learned = NOTHING_LEARNED,
    request: MosaicRequest = DOCUMENTED,
    division: Division = ONE_WORKER,
) -> Plan:
    """Decide everything that can be decided from headers.

    Parameters
    ----------
    source : str or sequence of str
        A search pattern, the name of a list, or ``@`` and the name of a list; or names of exposures.
    prefix : str, optional
        Prefix of the products; the documented default when None.
    strict : bool
        Turn every exclusion into an error.
    keep : sequence of str
        Names of exposures to use even if screening rejects them; they must be in the list.
    on_read : callable, optional
        Called with (exposures read, exposures in total) while headers are read.
    learned : Learned
        Resources that tasks of earlier runs took.
    request : MosaicRequest
        Options that determine pixels and files.
    division : Division
        Limits by which layers are divided into boxes.

    Returns
    -------
    Plan

    Raises
    ------
    BadInputError
        With every problem of every input.
    HstMosaicError
        If the prefix cannot begin a file name.
    """
    if prefix is not None:
        check_prefix(prefix)
    given, exposures, excluded, notes = _usable(source, keep, on_read, strict=strict)
    if not exposures:
        raise BadInputError(_as_problems(excluded))
    choice, exposures, elsewhere = _place(exposures)
    exposures, off_grid = exclude_off_grid(exposures, choice.cell, request)
    excluded += [*elsewhere, *off_grid]
    if not exposures:
        raise BadInputError(_as_problems(excluded))
    if strict:
        apply_strict(excluded)
    missing_flats = find_missing_flats(exposures, request)
    if missing_flats:
        raise BadInputError(missing_flats)
    limits, clipped = mosaic_limits(choice.sky_cells)
    if clipped:
        notes.append(f"the mosaic is clipped at the edge of {choice.cell.name} ({', '.join(clipped)})")
    notes += _clipped(exposures, choice.cell, limits)
    notes += _other_cells(choice)
    notes += [*exposure_cautions(exposures), *solution_cautions(exposures)]
    notes += _ineffective_keeps(keep, given, exposures, excluded)
    tight = tight_limits(exposures, choice.cell, limits)
    if prefix is None:
        prefix = default_prefix(choice.cell) if request.grid is None else grid_prefix(request.grid.crval)
    geometry = common_geometry(exposures, choice.cell, limits, tight, request)
    requested, request = request, request.with_compression(math.prod(geometry.fine.shape))
    notes += [_COMPRESSED] if request != requested else []
    made = make_layers(exposures, geometry, prefix, learned, request, whole=division.whole_layers)
    layers = divide_layers(made, division)
    return Plan(
        source=source if isinstance(source, str) else f"{count_of(len(source), 'exposure')}, named one by one",
        prefix=prefix,
        projection_cell=choice.cell.name,
        projection_center=choice.cell.center,
        cell_distances=dict(choice.distances),
        sky_cells=tuple(sorted(choice.sky_cells)),
        corner_sky_cell=corner_sky_cell(choice.sky_cells).sky_cell_id,
        limits=limits,
        tight_limits=tight,
        frame=geometry.frame,
        exposures=tuple(exposures),
        layers=layers,
        estimates=estimate_tasks(exposures, layers, learned, request),
        learned=learned,
        request=request,
        division=division,
        excluded=tuple(excluded),
        notes=(*notes, *sky_cautions(layers), *_close_calls(layers), *_parameter_cautions(request, layers)),
        versions=installed_versions(),
        dropped=_dropped(given, exposures),
    )


def _usable(
    source: str | Sequence[str], keep: Sequence[str], on_read: Callable[[int, int], None] | None, *, strict: bool
) -> tuple[list[Exposure], list[Exposure], list[Exclusion], list[str]]:
    """Return all exposures, the usable ones, the excluded ones with reasons, and notes."""
    found, missing = find_inputs(source) if isinstance(source, str) else find_all_inputs(source)
    inputs = [item for item in found if not item.made_by_run]
    exposures, unreadable = read_exposures(_counted(inputs, on_read))
    problems = [*missing, *unreadable]
    unknown = [name for name in keep if name not in {e.name for e in exposures} | {e.rootname for e in exposures}]
    problems += [Problem(name, "--keep matches no exposure of the list", "check the name") for name in unknown]
    usable, unusable = exclude_unusable(exposures, keep)
    usable, duplicates = exclude_duplicates(usable)
    problems += find_name_clashes(usable)
    problems += find_header_faults(usable)
    excluded = [*unusable, *duplicates]
    if problems and strict:
        problems += _as_problems([*excluded, *exclude_second_filetypes(usable)[1]])
    if problems:
        raise BadInputError(problems)
    return exposures, usable, excluded, _copies(found)


def _copies(found: Sequence[InputFile]) -> list[str]:
    copies = [item.path.name for item in found if item.made_by_run]
    if not copies:
        return []
    return [f"skipped {count_of(len(copies), 'aligned copy', 'aligned copies')} of an earlier run, such as {copies[0]}"]


def _dropped(given: Sequence[Exposure], kept: Sequence[Exposure]) -> tuple[Exposure, ...]:
    paths = {exposure.path for exposure in kept}
    return tuple(exposure for exposure in given if exposure.path not in paths)


def _counted(inputs: Sequence[InputFile], on_read: Callable[[int, int], None] | None) -> Iterator[InputFile]:
    for done, item in enumerate(inputs, start=1):
        yield item
        if on_read is not None:
            on_read(done, len(inputs))


def _sky_cells(exposures: Sequence[Exposure]) -> dict[str, SkyCell]:
    found = find_sky_cells(exposures, load_sky_grid())
    if not found:
        names = ", ".join(exposure.name for exposure in exposures[:3])
        raise BadInputError([Problem(names, "no projection cell contains them", "check their WCS")])
    return found


def _place(exposures: Sequence[Exposure]) -> tuple[CellChoice, list[Exposure], list[Exclusion]]:
    """Choose the projection cell, the exposures on it, and one file type for each layer; exclude the others."""
    choice = choose_projection_cell(_sky_cells(exposures))
    inside, beyond = _within(exposures, choice)
    kept, second = exclude_second_filetypes(inside)
    if not second:
        return choice, kept, beyond
    # excluded exposures do not influence the grid
    left_out = {item.name for item in second}
    choice, kept, beyond = _place([exposure for exposure in exposures if exposure.name not in left_out])
    return choice, kept, [*second, *beyond]


def _within(exposures: Sequence[Exposure], choice: CellChoice) -> tuple[list[Exposure], list[Exclusion]]:
    """Separate the exposures within the mosaic from those outside."""
    limits, _ = mosaic_limits(choice.sky_cells)
    reason = f"outside the projection cell of the mosaic ({choice.cell.name})"
    inside, beyond = [], []
    for exposure in exposures:
        if outside(exposure, choice.cell, limits) == "outside":
            beyond.append(Exclusion(exposure.name, reason, "make its mosaic in a separate run"))
        else:
            inside.append(exposure)
    return inside, beyond


def _clipped(exposures: Sequence[Exposure], cell: ProjectionCell, limits: Limits) -> list[str]:
    return [
        f"{exposure.name} is clipped at the limits of the mosaic in {cell.name}"
        for exposure in exposures
        if outside(exposure, cell, limits) == "clipped"
    ]


def _ineffective_keeps(
    keep: Sequence[str], given: Sequence[Exposure], used: Sequence[Exposure], excluded: Sequence[Exclusion]
) -> list[str]:
    """Return a note for each ``--keep`` of an exposure that is excluded before screening."""
    names = {name for exposure in used for name in (exposure.name, exposure.rootname)}
    reasons = {item.name: item.reason for item in excluded}
    return [
        f"--keep {name} has no effect: it overrides screening, but {exposure.name} is left out earlier "
        f"({reasons[exposure.name]})"
        for name in keep
        for exposure in given
        if name in (exposure.name, exposure.rootname) and name not in names
    ]


def _other_cells(choice: CellChoice) -> list[str]:
    if len(choice.distances) == 1:
        return []
    others = ", ".join(sorted(name for name in choice.distances if name != choice.cell.name))
    return [f"{choice.cell.name} is the nearest projection cell; the exposures also touch {others}"]


def _close_calls(layers: Sequence[Layer]) -> list[str]:
    return [
        f"{layer.name}: {layer.mean_chips:.2f} chips over a pixel is close to 1.5, above which drizzlepac "
        "subtracts the sky"
        for layer in layers
        if layer.close_call
    ]


def _parameter_cautions(request: MosaicRequest, layers: Sequence[Layer]) -> list[str]:
    unused = request.parameters.unused({(layer.instrument, layer.detector, layer.filter) for layer in layers})
    notes = [f"the drizzle parameters of {', '.join(unused)} apply to no layer"] if unused else []
    kernels = {layer.name: str(dict(layer.parameters).get(_KERNEL, "square")) for layer in layers}
    return notes + [
        f"{name}: the {kernel} kernel does not conserve flux exactly"
        for name, kernel in kernels.items()
        if kernel not in _CONSERVING
    ]


def _as_problems(excluded: Sequence[Exclusion]) -> list[Problem]:
    return [Problem(e.name, e.reason, e.next_step) for e in excluded]
