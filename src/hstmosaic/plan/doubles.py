"""Exposures that are there more than once, and names that stand for more than one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hstmosaic.errors import Problem
from hstmosaic.plan.checks import Exclusion
from hstmosaic.plan.names import file_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from hstmosaic.plan.exposures import Exposure


def exclude_duplicates(exposures: Sequence[Exposure]) -> tuple[list[Exposure], list[Exclusion]]:
    """Take each exposure once.

    Parameters
    ----------
    exposures : sequence of Exposure
        Usable exposures.

    Returns
    -------
    kept : list of Exposure
        In the order of the input.
    excluded : list of Exclusion
        Second copies, and FLTs beside the FLC of the same exposure.

    Notes
    -----
    Exposures are the same if the first eight letters of ``ROOTNAME`` are: the ninth tells how the data
    came down to Earth, and the names of single-visit files do without it.
    """
    chosen: dict[str, Exposure] = {}
    for exposure in exposures:
        first = chosen.setdefault(exposure_key(exposure), exposure)
        if first.filetype == "flt" and exposure.filetype == "flc":
            chosen[exposure_key(exposure)] = exposure
    kept = [exposure for exposure in exposures if chosen[exposure_key(exposure)] is exposure]
    excluded = [
        _double(exposure, taken) for exposure in exposures if (taken := chosen[exposure_key(exposure)]) is not exposure
    ]
    return kept, excluded


def exclude_second_filetypes(exposures: Sequence[Exposure]) -> tuple[list[Exposure], list[Exclusion]]:
    """Take one file type in each layer.

    Parameters
    ----------
    exposures : sequence of Exposure
        All that the mosaic would be made of.

    Returns
    -------
    kept : list of Exposure
        In the order of the input.
    excluded : list of Exclusion
        FLTs in layers that have FLCs: drizzlepac drops those without a word, because it drizzles one file type per
        instrument, detector and filter.
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
        Exposures of which each is there once.

    Returns
    -------
    list of Problem
        One for each file whose name an earlier one has: in a working directory there is room for one. In a layer
        drizzlepac knows exposures by their `file_key` alone.
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
    """Say how to tell two files apart: one of them at least has not the name of its exposure."""
    proper = f"{exposure.rootname}_{exposure.filetype}.fits"
    if exposure.name != proper:
        return f"rename it to {proper}"
    return f"rename {other.path} to {other.rootname}_{other.filetype}.fits"


def exposure_key(exposure: Exposure) -> str:
    """Name of an exposure that all its files share: eight letters, lower case."""
    return exposure.rootname[:8].lower()


def _layer(exposure: Exposure) -> tuple[str, str, str]:
    """Instrument, detector and filter."""
    return exposure.instrument, exposure.detector, exposure.filter


def _double(exposure: Exposure, taken: Exposure) -> Exclusion:
    """Say which file is taken instead of this one."""
    same_name = exposure.name == taken.name
    other = str(taken.path) if same_name else taken.name
    if exposure.path == taken.path:
        return Exclusion(exposure.name, "it is listed twice, and taken once", "list it once")
    if exposure.filetype != taken.filetype:
        reason = f"the FLC of the same exposure is taken: {other}"
        return Exclusion(exposure.name, reason, "list the FLC only")
    if exposure.path.resolve() == taken.path.resolve():
        return Exclusion(exposure.name, f"the same file is taken as {other}", "list one of them")
    mine = f"{exposure.path}: " if same_name else ""
    reason = f"{mine}the same exposure (ROOTNAME {exposure.rootname}) is taken from {other}"
    return Exclusion(exposure.name, reason, "list one of them")
