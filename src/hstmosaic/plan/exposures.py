"""Exposures as their headers describe them."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hstmosaic.plan.distortion import missing_polynomial, missing_tables, named_model
from hstmosaic.plan.headers import (
    CALIBRATED,
    REFETCH,
    UPDATE_WCS,
    UnreadableExposureError,
    check_keywords,
    check_name,
    filetype_of,
    header_number,
    header_text,
    is_number,
)
from hstmosaic.plan.keywords import NGOODPIX, PHOTFLAM, header_faults

if TYPE_CHECKING:
    from collections.abc import Iterable

    from astropy.io import fits
    from astropy.wcs import WCS

    from hstmosaic.errors import Problem
    from hstmosaic.plan.inputs import InputFile


SHORTEST = 1e-5
"""Exposure time in seconds below which drizzlepac ignores an exposure."""
_TUPLES = ("wheels", "header_faults", "missing_tables")
"""Fields of an exposure that are lists in JSON."""


@dataclass(frozen=True, eq=False)
class Chip:
    """A detector chip of an exposure."""

    extver: int
    """Version of its ``SCI`` extension, from 1."""
    shape: tuple[int, int]
    """Size (ny, nx) in pixels."""
    wcs: WCS
    """Celestial WCS with SIP terms and lookup tables; pixel to sky as ``HSTWCS`` has it."""
    wcsname: str = ""
    """``WCSNAME``, as written."""


@dataclass(frozen=True)
class Exposure:
    """A calibrated exposure; text from headers is in upper case unless stated otherwise."""

    name: str
    """File name without folders."""
    path: Path
    """Absolute path."""
    rootname: str
    """``ROOTNAME`` in lower case, nine letters also for files of single-visit mosaics."""
    proposal_id: str
    """``PROPOSID``."""
    program_id: str
    """Three letters of the file name that stand for the program."""
    obset_id: str
    """Two letters that stand for the visit."""
    instrument: str
    """``acs`` or ``wfc3``."""
    detector: str
    """``wfc``, ``hrc``, ``sbc``, ``uvis`` or ``ir``."""
    filter: str
    """Name of the filter in file names, lower case."""
    filetype: str
    """``flt`` or ``flc``."""
    exptime: float
    """Exposure time in seconds."""
    expstart: float
    """Start as modified Julian date."""
    photflam: float
    """Inverse sensitivity in erg/cm2/Angstrom/electron; 0 where the header has none."""
    wcsname: str
    """``WCSNAME`` of the first chip, as written."""
    visit: str
    """First six letters of the exposure's name, by which drizzlepac groups visits."""
    size: int
    """Bytes of the file."""
    mtime_ns: int
    """Time of its last change in ns."""
    targname: str
    """``TARGNAME``."""
    wheels: tuple[str, ...]
    """Names in the filter wheels, in the order of the wheels."""
    obstype: str
    """``OBSTYPE``."""
    mtflag: str
    """``MTFLAG``; empty in old headers that have none."""
    drizcorr: str
    """``DRIZCORR``."""
    scan_typ: str
    """``SCAN_TYP`` of WFC3, else empty."""
    chinject: str
    """``CHINJECT`` of WFC3/UVIS, else ``NONE``."""
    fgslock: str
    """``FGSLOCK``."""
    quality: str
    """``QUALITY``; drizzlepac's guiding check rejects GSFAIL and TDF-DOWN."""
    expflag: str
    """``EXPFLAG``."""
    subarray: bool
    """``SUBARRAY``."""
    good_pixels: int | None
    """Sum of ``NGOODPIX`` over the chips; None if a chip has none."""
    header_faults: tuple[str, ...]
    """Clauses about keywords that drizzlepac needs and that are missing or have unusable values."""
    idctab: str
    """``IDCTAB`` as written; empty where it names no file."""
    missing_polynomial: str
    """Chips without a distortion polynomial; empty if all have one."""
    missing_tables: tuple[str, ...]
    """Keywords and names of distortion tables that the WCS lacks."""
    needs_repair: bool = False
    """True if screening found faults in its pixels that working copies must not have."""
    chips: tuple[Chip, ...] = field(default=(), repr=False, compare=False)
    """One per ``SCI`` extension; none if the exposure was read from JSON, or has no ``WCSNAME`` because nothing was
    exposed."""

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the chips, in types that JSON has."""
        values = {item.name: getattr(self, item.name) for item in fields(self) if item.name != "chips"}
        lists = {name: list(values[name]) for name in _TUPLES}
        return values | {"path": str(self.path)} | lists

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Exposure:
        """Make an exposure, without chips, from what `to_dict` returned."""
        tuples = {name: tuple(values[name]) for name in _TUPLES}
        return cls(**values | {"path": Path(values["path"])} | tuples)


def filter_name(*wheels: str) -> str:
    """Return the name of a filter combination in product names.

    Parameters
    ----------
    *wheels : str
        Names in the filter wheels, or one string that joins them with ``;``; a third does not count.

    Returns
    -------
    str
        Lower case; clear positions left out, a leading polarizer put last: ``f606w-pol60v``.

    Notes
    -----
    As in drizzlepac, except for blank wheels: drizzlepac makes a layer ``-f814w`` of ``" ;F814W"``. It takes the name
    of a layer from the poller.
    """
    names = [name.strip() for name in ";".join(wheels).lower().split(";")[:2]]
    used = [name for name in names if name and "clear" not in name and "n/a" not in name]
    if used and used[0].startswith("pol"):
        used.reverse()
    return "-".join(used) if used else "clear"


def extract_visit(name: str) -> str:
    """Return the first six letters of the exposure in a pipeline or single-visit file name."""
    return (name.split("_")[-2] if name.startswith("hst_") else name)[:6]


def read_exposure(path: Path, name: str | None = None) -> Exposure:
    """Read the headers of an exposure; its pixels are not read.

    Parameters
    ----------
    path : Path
        A calibrated exposure of ACS or WFC3, ``*_flt.fits`` or ``*_flc.fits``.
    name : str, optional
        Its name in messages; the file name by default.

    Returns
    -------
    Exposure
        With its chips, unless nothing was exposed and it has no WCS for that reason.

    Raises
    ------
    UnreadableExposureError
        If the file cannot be read, is not FITS, is truncated, or lacks keywords that drizzlepac needs.
    """
    from hstmosaic.plan.reading import open_headers  # imports astropy, which plans that were made before do not need

    called = name or path.name
    filetype = filetype_of(path.name, called)
    with open_headers(path, called) as hdus:
        primary = hdus[0].header
        filter_keys = check_keywords(primary, called)
        check_name(path.name, called, primary)
        wheels = tuple(header_text(primary, key) for key in filter_keys)
        instrument = header_text(primary, "INSTRUME").lower()
        detector = header_text(primary, "DETECTOR").lower()
        chips = _chips(hdus, called)
        science = hdus["SCI"].header
        status = path.stat()
        return Exposure(
            name=path.name,
            path=path.absolute(),
            rootname=header_text(primary, "ROOTNAME").lower(),
            proposal_id=str(primary["PROPOSID"]),
            program_id=path.name.split("_")[-2][1:4].upper(),
            obset_id=_obset_id(primary),
            instrument=instrument,
            detector=detector,
            filter=filter_name(*wheels),
            filetype=filetype,
            exptime=float(primary["EXPTIME"]),
            expstart=float(primary["EXPSTART"]),
            photflam=header_number((primary if detector == "ir" else science).get(PHOTFLAM)),
            wcsname=str(science.get("WCSNAME", "")),
            visit=extract_visit(path.name),
            size=status.st_size,
            mtime_ns=status.st_mtime_ns,
            targname=header_text(primary, "TARGNAME"),
            wheels=wheels,
            obstype=header_text(primary, "OBSTYPE"),
            mtflag=header_text(primary, "MTFLAG"),
            drizcorr=header_text(primary, "DRIZCORR"),
            scan_typ=header_text(primary, "SCAN_TYP") if instrument == "wfc3" else "",
            chinject=header_text(primary, "CHINJECT") if detector == "uvis" else "NONE",
            fgslock=header_text(primary, "FGSLOCK"),
            quality=header_text(primary, "QUALITY"),
            expflag=header_text(primary, "EXPFLAG"),
            subarray=header_text(primary, "SUBARRAY") == "T",
            good_pixels=_good_pixels(hdus),
            header_faults=header_faults(hdus, detector, filter_keys),
            idctab=named_model(primary),
            missing_polynomial=missing_polynomial(hdus, [chip.wcs for chip in chips]),
            missing_tables=missing_tables(primary, [chip.wcs for chip in chips]),
            chips=chips,
        )


def read_exposures(inputs: Iterable[InputFile]) -> tuple[list[Exposure], list[Problem]]:
    """Read all exposures, and continue after unreadable ones.

    Parameters
    ----------
    inputs : iterable of InputFile
        Files found by `hstmosaic.plan.inputs.resolve_inputs`.

    Returns
    -------
    exposures : list of Exposure
        Those that could be read, in the order of the input.
    problems : list of Problem
        One for each of the others.
    """
    exposures = []
    problems = []
    for item in inputs:
        try:
            exposures.append(read_exposure(item.path, item.written))
        except UnreadableExposureError as error:
            problems.append(error.problem)
    return exposures, problems


def _chips(hdus: fits.HDUList, called: str) -> tuple[Chip, ...]:
    """Return all science extensions in the order of the file."""
    from hstmosaic.plan.reading import celestial_wcs

    science = [hdu for hdu in hdus if hdu.name == "SCI"]
    if not science:
        raise UnreadableExposureError(called, "has no SCI extension", CALIBRATED)
    numbers = [hdu.ver for hdu in science]
    absent = sorted(set(range(1, len(science) + 1)) - set(numbers))
    if absent:
        cause = f"has SCI,{max(numbers)} but no SCI,{absent[0]}, and drizzlepac counts science extensions from 1"
        raise UnreadableExposureError(called, cause, CALIBRATED)
    primary = hdus[0].header
    there, announced = len(hdus) - 1, header_number(primary.get("NEXTEND"))
    halves = len(science) == 1 and header_text(primary, "DETECTOR") in {"WFC", "UVIS"}
    if halves and there < announced and header_text(primary, "SUBARRAY") == "F":
        cause = f"is truncated: it has one of two chips, and {there} of {announced:.0f} extensions"
        raise UnreadableExposureError(called, cause, REFETCH)
    present = {(hdu.name, hdu.ver) for hdu in hdus}
    for hdu in science:
        if ("DQ", hdu.ver) not in present:
            raise UnreadableExposureError(called, f"has no DQ extension for SCI,{hdu.ver}", CALIBRATED)
    if "WCSNAME" not in science[0].header:
        if primary["EXPTIME"] < SHORTEST:
            return ()  # exposures without light get no WCS, and are excluded for their EXPTIME
        cause = "has no WCSNAME, so drizzlepac would skip it without a message"
        raise UnreadableExposureError(called, cause, UPDATE_WCS)
    return tuple(
        Chip(hdu.ver, _shape(hdu.header), celestial_wcs(hdu, hdus, called), str(hdu.header.get("WCSNAME", "")))
        for hdu in science
    )


def _good_pixels(hdus: fits.HDUList) -> int | None:
    """Return the sum of NGOODPIX over the chips, if each has a number."""
    numbers = [hdu.header.get(NGOODPIX) for hdu in hdus if hdu.name == "SCI"]
    return int(sum(map(header_number, numbers))) if all(map(is_number, numbers)) else None


def _shape(header: fits.Header) -> tuple[int, int]:
    """Return the size (ny, nx); a constant array has no axes, but keywords for its size."""
    prefix = "NAXIS" if header.get("NAXIS") else "NPIX"
    return int(header_number(header.get(f"{prefix}2"))), int(header_number(header.get(f"{prefix}1")))


def _obset_id(primary: fits.Header) -> str:
    """Return the two letters of the visit, as drizzlepac's make_poller_files does."""
    # Upstream compares a lower-case name with the header, so the first branch needs a lower-case INSTRUME.
    if header_text(primary, "PRIMESI").lower() == primary["INSTRUME"] and "LINENUM" in primary:
        return str(primary["LINENUM"]).split(".")[0]
    return str(primary["ROOTNAME"])[-5:-3].upper()
