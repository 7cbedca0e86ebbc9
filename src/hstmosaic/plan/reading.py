"""Headers of an exposure: completeness of its file, and its WCS."""

from __future__ import annotations

import logging
import re
import warnings
from contextlib import contextmanager
from traceback import walk_tb
from typing import TYPE_CHECKING

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS

from hstmosaic.plan.headers import REFETCH, UPDATE_WCS, UnreadableExposureError, header_number

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_OWN = __name__.partition(".")[0]
_SIGNATURES = (
    (b"\x1f\x8b", "is compressed with gzip", "gunzip it"),
    (b"BZh", "is compressed with bzip2", "bunzip2 it"),
    (b"PK\x03\x04", "is a zip archive", "unzip it"),
    (b"<", "is a web page, not FITS: the download failed", REFETCH),
    (b"{", "is a JSON reply, not FITS: the download failed", REFETCH),
)
_DAMAGE = (fits.VerifyError, AttributeError, IndexError, KeyError, TypeError, ValueError)
"""Exceptions that astropy raises, at any access, over damaged cards."""
_WCS_KEYWORD = re.compile(
    r"NAXIS\d?|WCSAXES|C(?:TYPE|UNIT|RPIX|RVAL|DELT|ROTA)\d|(?:CD|PC)\d_\d|P[VS]\d_\d+|LONPOLE|LATPOLE"
    r"|RADESYS|RADECSYS|EQUINOX|EPOCH|[AB]P?_\w+|AXISCORR|(?:CPDIS|CPERR|D[PQ]|CQ\w*|D2IM)\S*"
)


@contextmanager
def open_headers(path: Path, name: str) -> Iterator[fits.HDUList]:
    """Open a complete FITS file for its headers.

    Parameters
    ----------
    path : Path
        The file.
    name : str
        Its name in messages.

    Yields
    ------
    HDUList
        All HDUs; pixels are read on access only. Warnings of astropy are silenced.

    Raises
    ------
    UnreadableExposureError
        If the file cannot be read, is not FITS, is truncated, or a header is damaged. Headers are parsed on access, so
        the caller's block can raise it too; errors of the caller's own code pass unchanged.
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
        if not _raised_by_astropy(error):
            raise
        raise UnreadableExposureError(name, f"has a damaged header ({_detail(error)})", REFETCH) from error


def celestial_wcs(hdu: fits.ImageHDU, hdus: fits.HDUList, name: str) -> WCS:
    """Return the celestial WCS of a science extension with all its distortions.

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


def _check_signature(start: bytes, name: str) -> None:
    """Refuse a file whose first bytes are not those of FITS, and name its format."""
    if not start:
        raise UnreadableExposureError(name, "is empty (0 bytes)", REFETCH)
    if start.startswith(b"SIMPLE  ="):
        return
    for signature, cause, next_step in _SIGNATURES:
        if start.lstrip().startswith(signature):
            raise UnreadableExposureError(name, cause, next_step)
    raise UnreadableExposureError(name, "is not a FITS file", "name a calibrated exposure, or " + REFETCH)


def _check_whole(hdus: fits.HDUList, size: int, name: str) -> None:
    """Compare the length of the file with its headers."""
    hdus.readall()
    # astropy has a class without places in the file for headers that it cannot understand
    if not hasattr(hdus[-1], "fileinfo"):
        raise UnreadableExposureError(name, f"has a damaged header (extension {len(hdus) - 1})", REFETCH)
    info = hdus[-1].fileinfo()
    end = info["datLoc"] + info["datSpan"]
    if end > size:
        raise UnreadableExposureError(name, f"is truncated ({size} of at least {end} bytes)", REFETCH)
    if end < size:
        info["file"].seek(end)
        if info["file"].read(8) == b"XTENSION":
            raise UnreadableExposureError(name, f"is truncated or corrupt after byte {end}", REFETCH)


def _has_linear_terms(header: fits.Header) -> bool:
    """Return whether reference point and scale are in the header; wcslib replaces missing ones by 0 and 1."""
    points = [header.get(key) for key in ("CRPIX1", "CRPIX2", "CRVAL1", "CRVAL2")]
    cd = [header_number(header.get(key)) for key in ("CD1_1", "CD1_2", "CD2_1", "CD2_2")]
    return all(isinstance(value, int | float) for value in points) and cd[0] * cd[3] != cd[1] * cd[2]


def _primary_wcs_cards(header: fits.Header) -> fits.Header:
    """Return the cards of the primary WCS; parsing the others takes two thirds of the time and changes nothing."""
    return fits.Header([card for card in header.cards if _WCS_KEYWORD.fullmatch(card.keyword)])


def _raised_by_astropy(error: BaseException) -> bool:
    """Return whether astropy raised an exception, or a library that it called, and not our own code."""
    rooms = [frame.f_globals.get("__name__", "").partition(".")[0] for frame, _ in walk_tb(error.__traceback__)]
    last_own = max((place for place, room in enumerate(rooms) if room == _OWN), default=-1)
    return "astropy" in rooms[last_own + 1 :]


def _detail(error: BaseException) -> str:
    """Return the first words of a library's message."""
    return (str(error).strip() or type(error).__name__).splitlines()[0][:80]


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence warnings and log messages of astropy about old headers."""
    log = logging.getLogger("astropy")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(level)
