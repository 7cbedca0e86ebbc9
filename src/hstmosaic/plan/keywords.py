"""Keywords that drizzlepac needs for each detector, and checks of their values."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hstmosaic.errors import Problem
from hstmosaic.plan.headers import CALIBRATED, header_text, is_number

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from astropy.io import fits

    from hstmosaic.plan.exposures import Exposure

PHOTFLAM = "PHOTFLAM"
NGOODPIX = "NGOODPIX"

_FILTER = re.compile(r"[A-Z0-9][A-Z0-9.+-]*")
_READOUT = tuple(f"{stem}{amplifier}" for stem in ("ATODGN", "READNSE") for amplifier in "ABCD")
_MODEL = ("IDCSCALE", "IDCV3REF")
_POLYNOMIAL = "A_ORDER"
_NUMBERS = frozenset({PHOTFLAM, NGOODPIX, *_MODEL, *_READOUT})


@dataclass(frozen=True)
class Required:
    """Keywords that drizzlepac needs to drizzle an exposure, in addition to those that the plan itself reads."""

    primary: tuple[str, ...] = ()
    """In the primary header."""
    first: tuple[str, ...] = ()
    """In the header of the first science extension."""
    science: tuple[str, ...] = (NGOODPIX, "MEANDARK", "EXPNAME")
    """In the header of each science extension."""
    distorted: tuple[str, ...] = _MODEL
    """In the header of each science extension with a distortion polynomial."""


_REQUIRED = {
    "wfc": Required(_READOUT, (PHOTFLAM, "BUNIT")),
    "hrc": Required((*_READOUT, "CCDAMP"), (PHOTFLAM, "BUNIT")),
    "sbc": Required((), (PHOTFLAM, "BUNIT")),
    "uvis": Required(_READOUT, (PHOTFLAM, "BUNIT")),
    "ir": Required((*_READOUT, PHOTFLAM), ("BUNIT",)),
}


def required_keywords(detector: str) -> Required:
    """Return the keywords that drizzlepac needs for a detector.

    Parameters
    ----------
    detector : str
        ``wfc``, ``hrc``, ``sbc``, ``uvis`` or ``ir``.

    Returns
    -------
    Required
    """
    return _REQUIRED[detector]


def header_faults(hdus: fits.HDUList, detector: str, filter_keys: Iterable[str]) -> tuple[str, ...]:
    """Find keywords that drizzlepac needs and that are missing or have unusable values.

    Parameters
    ----------
    hdus : HDUList
        The exposure.
    detector : str
        Its detector, in lower case.
    filter_keys : iterable of str
        Keywords of its filter wheels.

    Returns
    -------
    tuple of str
        Clauses such as ``SCI,1 has no NGOODPIX, MEANDARK``.
    """
    required = required_keywords(detector)
    science = [hdu for hdu in hdus if hdu.name == "SCI"]
    primary = hdus[0].header
    clauses = [*_faults(primary, required.primary, "its primary header"), *_filter_faults(primary, filter_keys)]
    for hdu, first in zip(science, [required.first, *[()] * (len(science) - 1)], strict=True):
        distorted = required.distorted if _POLYNOMIAL in hdu.header else ()
        clauses += _faults(hdu.header, (*first, *required.science, *distorted), f"SCI,{hdu.ver}")
    return tuple(clauses)


def find_header_faults(exposures: Iterable[Exposure]) -> list[Problem]:
    """Find exposures that drizzlepac cannot drizzle because of their headers.

    Parameters
    ----------
    exposures : iterable of Exposure
        Exposures that no other rule excludes; grism images and darks may lack these keywords.

    Returns
    -------
    list of Problem
        One for each exposure, with all its faults.
    """
    return [Problem(str(e.path), "; ".join(e.header_faults), CALIBRATED) for e in exposures if e.header_faults]


def _faults(header: fits.Header, keys: tuple[str, ...], called: str) -> Iterator[str]:
    missing = [key for key in keys if key not in header]
    if missing:
        yield f"{called} has no {', '.join(missing)}"
    for key in keys:
        if key in header and key in _NUMBERS and not is_number(header[key]):
            yield f"{key} in {called} is not a number"


def _filter_faults(primary: fits.Header, keys: Iterable[str]) -> Iterator[str]:
    """Find filters that cannot name a layer."""
    values = {key: header_text(primary, key) for key in keys}
    if not any(values.values()):
        yield f"{', '.join(values)} in its primary header: blank"
    for key, value in values.items():
        if value not in ("", "N/A") and not _FILTER.fullmatch(value):
            yield f"{key}={value} cannot be part of a file name"
