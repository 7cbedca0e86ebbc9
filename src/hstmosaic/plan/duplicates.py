"""Duplicate exposures, and exposures with the same name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hstmosaic.errors import Problem
from hstmosaic.plan.checks import Exclusion
from hstmosaic.plan.names import file_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from hstmosaic.plan.exposures import Exposure


def exclude_duplicates(exposures: Sequence[Exposure]) -> tuple[list[Exposure], list[Exclusion]]:
    """Keep one file of each exposure.

    Parameters
    ----------
    exposures : sequence of Exposure
        Usable exposures.

    Returns
    -------
    kept : list of Exposure
        In the order of the input.
    excluded : list of Exclusion
        Second copies, and FLTs of an exposure whose FLC is listed.

    Notes
    -----
    Exposures are the same if the first eight letters of ``ROOTNAME`` are: the ninth depends on how the data
    were transmitted, and the names of single-visit files lack it.
    """
    chosen: dict[str, Exposure] = {}
    for exposure in exposures:
        first = chosen.setdefault(exposure_key(exposure), exposure)
        if first.filetype == "flt" and exposure.filetype == "flc":
            chosen[exposure_key(exposure)] = exposure
    kept = [exposure for exposure in exposures if chosen[exposure_key(exposure)] is exposure]
    excluded = [
        _duplicate(exposure, taken)
        for exposure in exposures
        if (taken := chosen[exposure_key(exposure)]) is not exposure
    ]
    return kept, excluded


def exclude_second_filetypes(exposures: Sequence[Exposure]) -> tuple[list[Exposure], list[Exclusion]]:
    """Keep one file type in each layer.

    Parameters
    ----------
    exposures : sequence of Exposure
        All exposures of the mosaic.

    Returns
    -------
    kept : list of Exposure
        In the order of the input.
    excluded : list of Exclusion
        FLTs in layers that have FLCs. drizzlepac drops those without a message, because it drizzles one file type
        per instrument, detector and filter.
    """
    with_flc = {_layer(exposure): exposure for exposure in exposures if exposure.filetype == "flc"}
    kept = []
    excluded = []
    for exposure in exposures:
        if exposure.filetype == "flt" and _layer(exposure) in with_flc:
            layer, example = " ".join(_layer(exposure)).upper(), with_flc[_layer(exposure)].name
            reason = f"an FLT, but {layer} has FLCs ({example}), and a layer takes one file type"
            excluded.append(Exclusion(exposure.name, reason, "fetch its FLC from MAST, or list FLTs only"))
        else:
            kept.append(exposure)
    return kept, excluded


def find_name_clashes(exposures: Iterable[Exposure]) -> list[Problem]:
    """Find different exposures whose files, or whose copies among the products, have the same name.

    Parameters
    ----------
    exposures : iterable of Exposure
        Exposures without duplicates.

    Returns
    -------
    list of Problem
        One for each file with the name of an earlier one, because both are needed in one working directory.
        Within a layer drizzlepac identifies exposures by their `file_key`.
    """
    first: dict[str | tuple[str, ...], Exposure] = {}
    problems = []
    for exposure in exposures:
        same_file = first.setdefault(exposure.name, exposure)
        same_key = first.setdefault((*_layer(exposure), file_key(exposure.name)), exposure)
        if same_file is not exposure:
            cause = f"another exposure has the same file name: {same_file.path} (ROOTNAME {same_file.rootname})"
            problems.append(Problem(str(exposure.path), cause, _rename(exposure, same_file)))
        elif same_key is not exposure:
            cause = f"drizzlepac would take it for {same_key.name}: both are {file_key(exposure.name)} to it"
            problems.append(Problem(str(exposure.path), cause, _rename(exposure, same_key)))
    return problems


def _rename(exposure: Exposure, other: Exposure) -> str:
    """Return a remedy for equal names: at least one of the files is not named like its exposure."""
    proper = f"{exposure.rootname}_{exposure.filetype}.fits"
    if exposure.name != proper:
        return f"rename it to {proper}"
    return f"rename {other.path} to {other.rootname}_{other.filetype}.fits"


def exposure_key(exposure: Exposure) -> str:
    """Return the part of the name that all files of an exposure share: eight letters, lower case."""
    return exposure.rootname[:8].lower()


def _layer(exposure: Exposure) -> tuple[str, str, str]:
    """Instrument, detector and filter."""
    return exposure.instrument, exposure.detector, exposure.filter


def _duplicate(exposure: Exposure, taken: Exposure) -> Exclusion:
    """Return the exclusion of a duplicate of a file that is used."""
    same_name = exposure.name == taken.name
    other = str(taken.path) if same_name else taken.name
    if exposure.path == taken.path:
        return Exclusion(exposure.name, "listed twice", "list it once")
    if exposure.filetype != taken.filetype:
        reason = f"the FLC of the same exposure is used: {other}"
        return Exclusion(exposure.name, reason, "list the FLC only")
    if exposure.path.resolve() == taken.path.resolve():
        return Exclusion(exposure.name, f"the same file is used as {other}", "list one of them")
    mine = f"{exposure.path}: " if same_name else ""
    reason = f"{mine}the same exposure (ROOTNAME {exposure.rootname}) is used from {other}"
    return Exclusion(exposure.name, reason, "list one of them")
