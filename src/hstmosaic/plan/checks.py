"""Exclusion of exposures by drizzlepac's rules about headers."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

from hstmosaic.errors import BadInputError, Problem
from hstmosaic.plan.exposures import SHORTEST, Exposure
from hstmosaic.plan.headers import UPDATE_WCS
from hstmosaic.plan.solutions import PIPELINE_WCS

_CALIBRATIONS = ("DARK", "TUNG", "BIAS", "FLAT", "DEUT", "EARTH-CAL")
_REMOVE = "take it out of the list"
GUIDING_FAILURES = ("GSFAIL", "TDF-DOWN")
"""Words in QUALITY by which drizzlepac's guiding check rejects an exposure without looking at its pixels."""
LOST_GUIDING = "the guide stars were not acquired or were lost"


@dataclass(frozen=True)
class Exclusion:
    """An exposure that is left out of the mosaic."""

    name: str
    """File name without folders."""
    reason: str
    """Reason, in one clause."""
    next_step: str
    """Remedy for the user."""
    crashed: bool = False
    """True if its screening crashed, which is not evidence against it."""


@dataclass(frozen=True)
class _Rule:
    """A reason for which drizzlepac leaves an exposure out."""

    applies: Callable[[Exposure], bool]
    keyword: Callable[[Exposure], str]
    meaning: str
    next_step: str = _REMOVE
    overruled_by_keep: bool = False
    """True if the user may keep the exposure, as after screening, which applies the rule again."""


def _key(name: str, attribute: str) -> Callable[[Exposure], str]:
    """Return a function that writes NAME=value."""
    return lambda exposure: f"{name}={getattr(exposure, attribute)}"


def _wheel_starts(*starts: str) -> Callable[[Exposure], bool]:
    """Return a function that looks for an element in the filter wheels."""
    return lambda exposure: any(wheel.startswith(starts) for wheel in exposure.wheels)


def _filters(exposure: Exposure) -> str:
    """Return the filter keywords with their values."""
    keys = ["FILTER1", "FILTER2"] if exposure.instrument == "acs" else ["FILTER"]
    return ", ".join(f"{key}={wheel}" for key, wheel in zip(keys, exposure.wheels, strict=True))


def _is_charge_injected(exposure: Exposure) -> bool:
    """Return whether charge was injected; upstream ignores that for gyro and coarse guiding."""
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
        "its calibration excludes it from drizzling",
    ),
    _Rule(lambda e: e.mtflag == "T", _key("MTFLAG", "mtflag"), "it follows a moving target"),
    _Rule(lambda e: e.scan_typ in {"C", "D"}, _key("SCAN_TYP", "scan_typ"), "a spatial scan smears the sky"),
    _Rule(
        lambda e: any(target in e.targname for target in _CALIBRATIONS),
        _key("TARGNAME", "targname"),
        "drizzlepac takes this target for a calibration",
    ),
    _Rule(lambda e: e.exptime < SHORTEST, _key("EXPTIME", "exptime"), "nothing was exposed"),
    _Rule(lambda e: e.good_pixels == 0, _key("NGOODPIX", "good_pixels"), "no pixel is good"),
    _Rule(
        lambda e: any(failure in e.quality for failure in GUIDING_FAILURES),
        _key("QUALITY", "quality"),
        LOST_GUIDING,
        _REMOVE + ", or use it with --keep",
        overruled_by_keep=True,
    ),
    _Rule(_is_charge_injected, _key("CHINJECT", "chinject"), "charge was injected into the detector"),
    _Rule(
        lambda e: any(0 in chip.shape for chip in e.chips),
        lambda _: "SCI",
        "a science extension has no pixels",
        "fetch the file again",
    ),
    _Rule(
        lambda e: bool(e.missing_polynomial) and (bool(e.idctab) or e.wcsname.upper() == PIPELINE_WCS),
        lambda e: f"{e.missing_polynomial}, IDCTAB={e.idctab or 'N/A'}",
        "its WCS has no distortion polynomial, so it would be misplaced by some arcseconds",
        UPDATE_WCS,
    ),
)


def exclude_unusable(
    exposures: Iterable[Exposure], keep: Collection[str] = ()
) -> tuple[list[Exposure], list[Exclusion]]:
    """Exclude the exposures that drizzlepac excludes because of their headers.

    Parameters
    ----------
    exposures : iterable of Exposure
        All exposures.
    keep : collection of str
        Names of files or exposures to use even if their guiding failed.

    Returns
    -------
    kept : list of Exposure
        Those that can be drizzled, in the order of the input.
    excluded : list of Exclusion
        The others, with keyword, value and meaning.

    Notes
    -----
    The rules are those of ``drizzlepac.haputils.analyze.analyze_data(type="MVM")``, of the header part of
    ``verify_guiding`` there, and of ``stsci.tools.check_files.checkFiles``, which drops exposures with a line on
    standard output. Gyro or coarse guiding (``FGSLOCK``) is not a reason in any of them. Screening finds failed guiding
    from the pixels, and exposures whose pixels are all zero.
    """
    kept = []
    excluded = []
    for exposure in exposures:
        kept_by_user = bool({exposure.name, exposure.rootname} & set(keep))
        rules = (rule for rule in _RULES if not (kept_by_user and rule.overruled_by_keep))
        rule = next((rule for rule in rules if rule.applies(exposure)), None)
        if rule is None:
            kept.append(exposure)
        else:
            reason = f"{rule.keyword(exposure)}: {rule.meaning}"
            excluded.append(Exclusion(exposure.name, reason, rule.next_step))
    return kept, excluded


def apply_strict(excluded: Iterable[Exclusion], so_far: str = "nothing was started") -> None:
    """Turn every exclusion into an error.

    Parameters
    ----------
    excluded : iterable of Exclusion
        Excluded exposures.
    so_far : str
        Work that was done before.

    Raises
    ------
    BadInputError
        If an exposure was excluded.
    """
    problems = [Problem(item.name, item.reason, item.next_step) for item in excluded]
    if problems:
        raise BadInputError(problems, so_far)
