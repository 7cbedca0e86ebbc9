"""Checks of the name and the primary header of an exposure for what drizzlepac needs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from hstmosaic.errors import BadInputError, Problem
from hstmosaic.plan.names import is_aligned_copy

if TYPE_CHECKING:
    from astropy.io import fits

REFETCH = "fetch the file again"
UPDATE_WCS = "fetch the calibrated file from MAST, or process this one with stwcs.updatewcs"
CALIBRATED = "fetch the calibrated file (_flc.fits or _flt.fits) from MAST"
_FIRST_LETTER = {"ACS": "j", "WFC3": "i"}
_DETECTORS = {"ACS": ("WFC", "HRC", "SBC"), "WFC3": ("UVIS", "IR")}
_WFPC2_KINDS = frozenset({"c0m", "c0f", "c1m", "c1f"})
_WFPC2 = (
    "is from WFPC2: drizzlepac's multi-visit code reads DETECTOR from the primary header, where WFPC2 has none, "
    "and the quality flags of _c0m.fits files are in other files"
)
_SAFE_NAME = re.compile(r"[A-Za-z0-9_.+-]+")
_NAMES = ["INSTRUME", "DETECTOR", "ROOTNAME"]
_NUMBERS = ["EXPTIME", "EXPSTART"]
_OTHERS = (
    "PROPOSID PRIMESI OBSTYPE IMAGETYP APERTURE SUBARRAY TARGNAME DATE-OBS DRIZCORR FGSLOCK DATE EXPEND TELESCOP PA_V3"
)


class UnreadableExposureError(BadInputError):
    """A file that is not an exposure that drizzlepac can use.

    Parameters
    ----------
    name : str
        File name as the user wrote it.
    cause : str
        The fault, in one clause.
    next_step : str
        Remedy for the user.
    """

    def __init__(self, name: str, cause: str, next_step: str) -> None:
        self.problem = Problem(name, cause, next_step)
        super().__init__([self.problem])


def filetype_of(file_name: str, name: str) -> str:
    """Return the file type in the file name, which drizzlepac uses.

    Parameters
    ----------
    file_name : str
        File name without folders.
    name : str
        Name of the file in messages.

    Returns
    -------
    str
        ``flt`` or ``flc``.

    Raises
    ------
    UnreadableExposureError
        For every other name.
    """
    if file_name.endswith(("_flt.fits", "_flc.fits")):
        return file_name[-8:-5]
    if file_name.lower().endswith((".gz", ".bz2", ".zip")):
        raise UnreadableExposureError(name, "is compressed", "decompress it")
    kind = file_name[:-5].rpartition("_")[2] if "_" in file_name and file_name.endswith(".fits") else ""
    if kind in _WFPC2_KINDS:
        raise _unsupported(name, _WFPC2)
    cause = f"is a _{kind}.fits file" if kind else "its name does not end in _flt.fits or _flc.fits"
    raise UnreadableExposureError(name, f"{cause}, not a calibrated exposure", CALIBRATED)


def _unsupported(name: str, cause: str) -> UnreadableExposureError:
    return UnreadableExposureError(name, cause, "take it out of the list")


def check_keywords(primary: fits.Header, name: str) -> list[str]:
    """Check that the primary header has the keywords that drizzlepac reads.

    Parameters
    ----------
    primary : Header
        Primary header.
    name : str
        Name of the file in messages.

    Returns
    -------
    list of str
        The keywords of the filter wheels.

    Raises
    ------
    UnreadableExposureError
        For instruments other than ACS and WFC3, and for keywords that are missing or not numbers.
    """
    instrument, detector = header_text(primary, "INSTRUME"), header_text(primary, "DETECTOR")
    if instrument and instrument not in _DETECTORS:
        cause = f"is from {instrument}, but mosaics are made of ACS and WFC3 exposures"
        raise _unsupported(name, _WFPC2 if instrument == "WFPC2" else cause)
    if instrument and detector and detector not in _DETECTORS[instrument]:
        cause = f"DETECTOR={detector}: {instrument} has no such detector for images"
        raise UnreadableExposureError(name, cause, CALIBRATED)
    filters = {"ACS": ["FILTER1", "FILTER2"], "WFC3": ["FILTER"]}.get(instrument, [])
    keys = [*_NAMES, *_OTHERS.split(), *_NUMBERS, *filters]
    if instrument == "WFC3":
        keys.append("SCAN_TYP")
    if detector == "UVIS":
        keys.append("CHINJECT")
    missing = [key for key in keys if key not in primary or (key in _NAMES and not header_text(primary, key))]
    if missing:
        cause = f"its primary header has no {', '.join(missing)}"
        raise UnreadableExposureError(name, cause, CALIBRATED)
    for key in _NUMBERS:
        if not is_number(primary[key]):
            raise UnreadableExposureError(name, f"{key} in its primary header is not a number", CALIBRATED)
    return filters


def check_name(file_name: str, name: str, primary: fits.Header) -> None:
    """Refuse file names that drizzlepac would misread: it derives instrument and exposure from them.

    Parameters
    ----------
    file_name : str
        File name without folders, accepted by `filetype_of`.
    name : str
        Name of the file in messages.
    primary : Header
        Primary header, with the keywords that `check_keywords` looks for.

    Raises
    ------
    UnreadableExposureError
        If the name does not contain the name of an exposure of this instrument.
    """
    step = f"rename it to {header_text(primary, 'ROOTNAME').lower()}{file_name[-9:]}"
    if not _SAFE_NAME.fullmatch(file_name):
        raise UnreadableExposureError(name, "drizzlepac cannot read the characters in its name", step)
    if is_aligned_copy(file_name):
        cause = "it is a product of an earlier run, the aligned copy of an exposure"
        original = f"{header_text(primary, 'ROOTNAME').lower()}{file_name[-9:]}"
        raise UnreadableExposureError(name, cause, f"name the exposure itself ({original})")
    instrument = header_text(primary, "INSTRUME")
    if not file_name.split("_")[-2].startswith(_FIRST_LETTER[instrument]):
        cause = f"drizzlepac cannot tell from its name that it is from {instrument}"
        raise UnreadableExposureError(name, cause, step)
    if "_" in file_name[:-9] and not file_name.startswith("hst"):
        raise UnreadableExposureError(name, "drizzlepac cannot tell from its name which exposure it is", step)


def header_text(header: fits.Header, key: str) -> str:
    """Return a value in upper case without blanks around it; T or F for a flag; empty if missing."""
    value = header.get(key, "")
    if isinstance(value, bool):
        return "T" if value else "F"
    return str(value).strip().upper() if isinstance(value, str | int | float) else ""


def is_number(value: object) -> bool:
    """Return whether the value of a card is a number."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def header_number(value: object) -> float:
    """Return the value of a card as a number, 0 if it is not one."""
    return float(value) if isinstance(value, int | float) else 0.0
