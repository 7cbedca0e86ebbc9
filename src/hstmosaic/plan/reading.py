"""Opening an exposure for its headers: is the file whole, and what is its WCS."""

from __future__ import annotations

import logging
import re
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS

from hstmosaic.errors import BadInputError, Problem
from hstmosaic.plan.names import is_aligned_copy

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

REFETCH = "fetch the file again"
CALIBRATED = "fetch the calibrated file (_flc.fits or _flt.fits) from MAST"
UPDATE_WCS = "fetch the calibrated file from MAST, or process this one with stwcs.updatewcs"

_FIRST_LETTER = {"ACS": "j", "WFC3": "i"}
_SAFE_NAME = re.compile(r"[A-Za-z0-9_.+-]+")
_NAMES = ["INSTRUME", "DETECTOR", "ROOTNAME"]
_NUMBERS = ["EXPTIME", "EXPSTART"]
_OTHERS = (
    "PROPOSID PRIMESI OBSTYPE IMAGETYP APERTURE SUBARRAY TARGNAME DATE-OBS DRIZCORR FGSLOCK DATE EXPEND TELESCOP PA_V3"
)
_SIGNATURES = (
    (b"\x1f\x8b", "is compressed with gzip", "gunzip it"),
    (b"BZh", "is compressed with bzip2", "bunzip2 it"),
    (b"PK\x03\x04", "is a zip archive", "unzip it"),
    (b"<", "is a web page, not FITS: the download failed", REFETCH),
    (b"{", "is a JSON reply, not FITS: the download failed", REFETCH),
)
_DAMAGE = (fits.VerifyError, AttributeError, IndexError, KeyError, TypeError, ValueError)
"""What astropy raises, at any access, over cards that make no sense."""
_WCS_KEYWORD = re.compile(
    r"NAXIS\d?|WCSAXES|C(?:TYPE|UNIT|RPIX|RVAL|DELT|ROTA)\d|(?:CD|PC)\d_\d|P[VS]\d_\d+|LONPOLE|LATPOLE"
    r"|RADESYS|RADECSYS|EQUINOX|EPOCH|[AB]P?_\w+|AXISCORR|(?:CPDIS|CPERR|D[PQ]|CQ\w*|D2IM)\S*"
)


class UnreadableExposureError(BadInputError):
    """A file that is not an exposure which can be drizzled.

    Parameters
    ----------
    name : str
        File name as the user wrote it.
    cause : str
        What is wrong, in one clause.
    next_step : str
        What the user can do about it.
    """

    def __init__(self, name: str, cause: str, next_step: str) -> None:
        self.problem = Problem(name, cause, next_step)
        super().__init__([self.problem])


@contextmanager
def open_headers(path: Path, name: str) -> Iterator[fits.HDUList]:
    """Open a FITS file for its headers, after making sure that it is whole.

    Parameters
    ----------
    path : Path
        The file.
    name : str
        Its name in messages.

    Yields
    ------
    HDUList
        All HDUs; no pixels are read until somebody asks for them. The warnings of astropy are silent inside.

    Raises
    ------
    UnreadableExposureError
        If the file cannot be read, is not FITS, is truncated, or its headers turn out to be damaged.
    """
    try:
        with path.open("rb") as stream:
            _check_signature(stream.read(2880), name)
            stream.seek(0)
            with _quiet(), fits.open(stream, memmap=False) as hdus:
                _check_whole(hdus, path.stat().st_size, name)
                yield hdus
    except PermissionError:
        raise UnreadableExposureError(name, "permission to read is denied", "check its permissions") from None
    except OSError as error:
        if error.strerror is None:  # raised by astropy over the contents, not by the system
            cause = f"is not readable as FITS ({_detail(error)})"
            raise UnreadableExposureError(name, cause, REFETCH) from error
        raise UnreadableExposureError(name, f"cannot be read ({error.strerror})", "check the path") from error
    except _DAMAGE as error:
        raise UnreadableExposureError(name, f"has a damaged header ({_detail(error)})", REFETCH) from error


def celestial_wcs(hdu: fits.ImageHDU, hdus: fits.HDUList, name: str) -> WCS:
    """Celestial WCS of a science extension with all its distortions.

    Parameters
    ----------
    hdu : ImageHDU
        The science extension.
    hdus : HDUList
        The file, for the lookup tables (``WCSDVARR`` and ``D2IMARR``) that the header points to.
    name : str
        Name of the file in messages.

    Returns
    -------
    WCS
        Primary WCS, with SIP, CPDIS and D2IM terms; pixel to sky as ``stwcs.wcsutil.HSTWCS`` has it.

    Raises
    ------
    UnreadableExposureError
        If there is no celestial WCS, or it cannot be evaluated.
    """
    try:
        wcs = WCS(_primary_wcs_cards(hdu.header), fobj=hdus)
        celestial = wcs.naxis == 2 and wcs.has_celestial and _has_linear_terms(hdu.header)
        valid = celestial and bool(np.isfinite(wcs.all_pix2world(*wcs.wcs.crpix, 1)).all())
    except (OSError, MemoryError, *_DAMAGE) as error:  # wcslib's "bad parameters" come as MemoryError
        cause = f"the WCS of SCI,{hdu.ver} cannot be used ({_detail(error)})"
        raise UnreadableExposureError(name, cause, UPDATE_WCS) from error
    if not celestial:
        raise UnreadableExposureError(name, f"SCI,{hdu.ver} has no celestial WCS", UPDATE_WCS)
    if not valid:
        raise UnreadableExposureError(name, f"the WCS of SCI,{hdu.ver} gives no sky position", UPDATE_WCS)
    return wcs


def filetype_of(file_name: str, name: str) -> str:
    """File type, ``flt`` or ``flc``, out of the file name, which is what drizzlepac goes by.

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
    cause = f"is a _{kind}.fits file" if kind else "its name does not end in _flt.fits or _flc.fits"
    raise UnreadableExposureError(name, f"{cause}, not a calibrated exposure", CALIBRATED)


def check_keywords(primary: fits.Header, name: str) -> list[str]:
    """Make sure that the primary header has what drizzlepac reads.

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
        For other instruments than ACS and WFC3, and for keywords that are missing or no numbers.
    """
    instrument = header_text(primary, "INSTRUME")
    if instrument and instrument not in _FIRST_LETTER:
        cause = f"is from {instrument}, and mosaics are made of ACS and WFC3 exposures"
        raise UnreadableExposureError(name, cause, "take it out of the list")
    filters = {"ACS": ["FILTER1", "FILTER2"], "WFC3": ["FILTER"]}.get(instrument, [])
    keys = [*_NAMES, *_OTHERS.split(), *_NUMBERS, *filters]
    if instrument == "WFC3":
        keys.append("SCAN_TYP")
    if header_text(primary, "DETECTOR") == "UVIS":
        keys.append("CHINJECT")
    missing = [key for key in keys if key not in primary or (key in _NAMES and not header_text(primary, key))]
    if missing:
        cause = f"its primary header has no {', '.join(missing)}"
        raise UnreadableExposureError(name, cause, CALIBRATED)
    for key in _NUMBERS:
        if isinstance(primary[key], bool) or not isinstance(primary[key], int | float):
            raise UnreadableExposureError(name, f"{key} in its primary header is not a number", CALIBRATED)
    return filters


def check_name(file_name: str, name: str, primary: fits.Header) -> None:
    """Refuse file names that drizzlepac would misread: it takes instrument and exposure out of them.

    Parameters
    ----------
    file_name : str
        File name without folders, ending as `filetype_of` wants it.
    name : str
        Name of the file in messages.
    primary : Header
        Primary header, with the keywords that `check_keywords` looks for.

    Raises
    ------
    UnreadableExposureError
        If the name does not hold the name of an exposure of this instrument.
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
    """Value in upper case without blanks around it; T or F of a flag; empty if there is none."""
    value = header.get(key, "")
    if isinstance(value, bool):
        return "T" if value else "F"
    return str(value).strip().upper() if isinstance(value, str | int | float) else ""


def header_number(value: object) -> float:
    """Value of a card as a number, 0 if it is none."""
    return float(value) if isinstance(value, int | float) else 0.0


def _check_signature(start: bytes, name: str) -> None:
    """Tell from the first bytes what a file is that is not FITS."""
    if not start:
        raise UnreadableExposureError(name, "is empty (0 bytes)", REFETCH)
    if start.startswith(b"SIMPLE  ="):
        return
    for signature, cause, next_step in _SIGNATURES:
        if start.lstrip().startswith(signature):
            raise UnreadableExposureError(name, cause, next_step)
    raise UnreadableExposureError(name, "is not a FITS file", "name a calibrated exposure, or " + REFETCH)


def _check_whole(hdus: fits.HDUList, size: int, name: str) -> None:
    """Compare the length of the file with what its headers announce."""
    hdus.readall()
    info = hdus[-1].fileinfo()
    end = info["datLoc"] + info["datSpan"]
    if end > size:
        raise UnreadableExposureError(name, f"is truncated ({size} of at least {end} bytes)", REFETCH)
    if end < size:
        info["file"].seek(end)
        if info["file"].read(8) == b"XTENSION":
            raise UnreadableExposureError(name, f"is truncated or corrupt after byte {end}", REFETCH)


def _has_linear_terms(header: fits.Header) -> bool:
    """Tell if reference point and scale are written; wcslib puts 0 and 1 where they are not."""
    points = [header.get(key) for key in ("CRPIX1", "CRPIX2", "CRVAL1", "CRVAL2")]
    cd = [header_number(header.get(key)) for key in ("CD1_1", "CD1_2", "CD2_1", "CD2_2")]
    return all(isinstance(value, int | float) for value in points) and cd[0] * cd[3] != cd[1] * cd[2]


def _primary_wcs_cards(header: fits.Header) -> fits.Header:
    """Keep the cards of the primary WCS; the others take two thirds of the time and change nothing."""
    return fits.Header([card for card in header.cards if _WCS_KEYWORD.fullmatch(card.keyword)])


def _detail(error: BaseException) -> str:
    """First words of the message of a library."""
    return (str(error).strip() or type(error).__name__).splitlines()[0][:80]


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the warnings and remarks of astropy about old headers from the user."""
    log = logging.getLogger("astropy")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(level)
