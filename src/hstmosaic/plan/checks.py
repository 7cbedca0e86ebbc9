"""Which exposures are left out, and why: drizzlepac's rules about headers, and doubles."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from hstmosaic.errors import BadInputError, Problem
from hstmosaic.plan.exposures import Exposure
from hstmosaic.plan.names import file_key

_CALIBRATIONS = ("DARK", "TUNG", "BIAS", "FLAT", "DEUT", "EARTH-CAL")
_REMOVE = "take it out of the list"


@dataclass(frozen=True)
class Exclusion:
    """One exposure that is left out of the mosaic."""

    name: str
    """File name without folders."""
    reason: str
    """Why, in one clause."""
    next_step: str
    """What the user can do about it."""


@dataclass(frozen=True)
class _Rule:
    """One reason of drizzlepac's to leave an exposure out."""

    applies: Callable[[Exposure], bool]
    keyword: Callable[[Exposure], str]
    meaning: str
    next_step: str = _REMOVE


def _key(name: str, attribute: str) -> Callable[[Exposure], str]:
    """Make the function that writes NAME=value."""
    return lambda exposure: f"{name}={getattr(exposure, attribute)}"


def _wheel_starts(*starts: str) -> Callable[[Exposure], bool]:
    """Make the function that looks for an element in the filter wheels."""
    return lambda exposure: any(wheel.startswith(starts) for wheel in exposure.wheels)


def _filters(exposure: Exposure) -> str:
    """Filter keywords with their values."""
    keys = ["FILTER1", "FILTER2"] if exposure.instrument == "acs" else ["FILTER"]
    return ", ".join(f"{key}={wheel}" for key, wheel in zip(keys, exposure.wheels, strict=True))


def _is_charge_injected(exposure: Exposure) -> bool:
    """Tell if charge was injected; upstream does not look at it after finding gyro or coarse guiding."""
    guided = not any(mode in exposure.fgslock for mode in ("GY", "COARSE"))
    return exposure.chinject != "NONE" and guided


_RULES = (
    _Rule(_wheel_starts("G", "PR"), _filters, "a grism or prism spreads the light into spectra"),
    _Rule(_wheel_starts("FR"), _filters, "the wavelength of a ramp filter changes over the field"),
    _Rule(_wheel_starts("BLOCK"), _filters, "an internal calibration"),
    _Rule(lambda e: e.obstype != "IMAGING", _key("OBSTYPE", "obstype"), "not an image of the sky"),
    _Rule(
        lambda e: e.drizcorr in {"OMIT", "SKIPPED"},
        _key("DRIZCORR", "drizcorr"),
        "its calibration says that it is not to be drizzled",
    ),
    _Rule(lambda e: e.mtflag == "T", _key("MTFLAG", "mtflag"), "it follows a moving target"),
    _Rule(lambda e: e.scan_typ in {"C", "D"}, _key("SCAN_TYP", "scan_typ"), "a spatial scan smears the sky"),
    _Rule(
        lambda e: any(target in e.targname for target in _CALIBRATIONS),
        _key("TARGNAME", "targname"),
        "drizzlepac takes this target for a calibration",
    ),
    _Rule(
        lambda e: math.isclose(e.exptime, 0.0, abs_tol=1e-5),
        _key("EXPTIME", "exptime"),
        "nothing was exposed",
    ),
    _Rule(_is_charge_injected, _key("CHINJECT", "chinject"), "charge was injected into the detector"),
    _Rule(
        lambda e: any(0 in chip.shape for chip in e.chips),
        lambda _: "SCI",
        "a science extension has no pixels",
        "fetch the file again",
    ),
)


def exclude_unusable(exposures: Iterable[Exposure]) -> tuple[list[Exposure], list[Exclusion]]:
    """Leave out what drizzlepac's multi-visit analysis of headers leaves out.

    Parameters
    ----------
    exposures : iterable of Exposure
        All exposures.

    Returns
    -------
    kept : list of Exposure
        Those that can be drizzled, in the order of the input.
    excluded : list of Exclusion
        The others, with keyword, value and meaning.

    Notes
    -----
    The rules are those of ``drizzlepac.haputils.analyze.analyze_data(type="MVM")``. Gyro or coarse guiding
    (``FGSLOCK``) is no reason there; whether the guiding failed, and whether all pixels are zero, is found
    when exposures are screened.
    """
    kept = []
    excluded = []
    for exposure in exposures:
        rule = next((rule for rule in _RULES if rule.applies(exposure)), None)
        if rule is None:
            kept.append(exposure)
        else:
            reason = f"{rule.keyword(exposure)}: {rule.meaning}"
            excluded.append(Exclusion(exposure.name, reason, rule.next_step))
    return kept, excluded


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


def apply_strict(excluded: Iterable[Exclusion], so_far: str = "nothing was started") -> None:
    """Turn every exclusion into an error.

    Parameters
    ----------
    excluded : iterable of Exclusion
        What was left out.
    so_far : str
        What had been done by then.

    Raises
    ------
    BadInputError
        If anything was left out.
    """
    problems = [Problem(item.name, item.reason, item.next_step) for item in excluded]
    if problems:
        raise BadInputError(problems, so_far)


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
