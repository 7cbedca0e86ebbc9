"""Parts of the distortion that the headers of an exposure name and its WCS lacks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hstmosaic.plan.headers import header_text

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from astropy.io import fits
    from astropy.wcs import WCS

IDCTAB = "IDCTAB"
_TABLES = {"NPOLFILE": ("cpdis1", "cpdis2"), "D2IMFILE": ("det2im1", "det2im2")}
"""Reference files of lookup tables, and the tables of a WCS; those of early files correct one axis only."""
NO_FILE = ("", "N/A")
"""Values of keywords that name no reference file."""


def has_polynomial(wcs: WCS) -> bool:
    """Return whether a WCS has SIP coefficients other than zero."""
    return wcs.sip is not None and bool(wcs.sip.a.any() or wcs.sip.b.any())


def missing_polynomial(hdus: fits.HDUList, wcs: Iterable[WCS]) -> str:
    """List the chips without a distortion polynomial.

    Parameters
    ----------
    hdus : HDUList
        The exposure.
    wcs : iterable of WCS
        The WCS of its science extensions.

    Returns
    -------
    str
        Empty if all chips have it, else a clause with the keywords that show it: ``SCI,1 (CTYPE1=RA---TAN,
        WCSNAME=OPUS)``.
    """
    science = [hdu for hdu in hdus if hdu.name == "SCI"]
    return ", ".join(
        f"SCI,{hdu.ver} (CTYPE1={hdu.header['CTYPE1']}, WCSNAME={hdu.header.get('WCSNAME', '')})"
        for hdu, chip in zip(science, wcs, strict=False)
        if not has_polynomial(chip)
    )


def missing_tables(primary: fits.Header, wcs: Collection[WCS]) -> tuple[str, ...]:
    """Find lookup tables that the primary header names and the WCS of a chip does not have.

    Parameters
    ----------
    primary : Header
        Primary header.
    wcs : collection of WCS
        The WCS of the science extensions.

    Returns
    -------
    tuple of str
        Keywords with their reference files: ``NPOLFILE=iref$y7b1516qi_npl.fits``.

    Notes
    -----
    A table that a chip refers to and that the file does not have is an error when the WCS is read.
    """
    return tuple(
        f"{key}={primary[key]}"
        for key, tables in _TABLES.items()
        if header_text(primary, key) not in NO_FILE
        and any(all(getattr(chip, table) is None for table in tables) for chip in wcs)
    )


def named_model(primary: fits.Header) -> str:
    """Return the value of IDCTAB, empty where it names no file."""
    value = str(primary.get(IDCTAB, "")).strip()
    return "" if value.upper() in NO_FILE else value
