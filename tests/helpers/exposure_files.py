"""Tiny calibrated exposures for tests: whole FITS files with the headers that matter and a few pixels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
"""Real headers lie beside the repository, on machines that have them."""

PHOTFLAM = 1.8e-19
_INSTRUMENT = {"uvis": "WFC3", "ir": "WFC3", "wfc": "ACS", "hrc": "ACS", "sbc": "ACS"}
_CHIPS = {"uvis": 2, "wfc": 2}


def real_headers() -> list[Path]:
    """Exposures with real headers and tables, if this machine has them."""
    return sorted((SHARED / "headers").glob("*_fl?.fits"))


def write_exposure(
    folder: Path,
    name: str = "icab01a0q_flc.fits",
    *,
    detector: str = "uvis",
    primary: dict[str, Any] | None = None,
    science: dict[str, Any] | None = None,
    shape: tuple[int, int] = (6, 8),
    position: tuple[float, float] = (150.0, 2.0),
    scale: float = 0.04,
    chips: int | None = None,
) -> Path:
    """Write one exposure.

    Parameters
    ----------
    folder : Path
        Where to.
    name : str
        File name; ``ROOTNAME`` comes out of its second last field.
    detector : str
        One of ``uvis``, ``ir``, ``wfc``, ``hrc`` and ``sbc``.
    primary, science : dict, optional
        Cards that replace or join those of the primary header and of all ``SCI`` headers; None takes one out.
    shape : tuple of int
        Pixels (ny, nx) of a chip.
    position : tuple of float
        Right ascension and declination in degrees of the middle of the first chip.
    scale : float
        Arcseconds per pixel.
    chips : int, optional
        Number of chips, if it is not the detector's own.

    Returns
    -------
    Path
        The file.
    """
    hdus = [fits.PrimaryHDU(header=_header(_primary_cards(name, detector), primary))]
    ny, nx = shape
    for extver in range(1, (chips or _CHIPS.get(detector, 1)) + 1):
        cards = {
            "WCSNAME": "IDC_2731450pi-FIT_REL_GAIAeDR3",
            "WCSAXES": 2,
            "CTYPE1": "RA---TAN-SIP",
            "CTYPE2": "DEC--TAN-SIP",
            "CRVAL1": position[0],
            "CRVAL2": position[1],
            "CRPIX1": nx / 2,
            "CRPIX2": ny / 2 - (extver - 1) * 1.02 * ny,
            "CD1_1": -scale / 3600,
            "CD1_2": 0.0,
            "CD2_1": 0.0,
            "CD2_2": scale / 3600,
            "A_ORDER": 2,
            "B_ORDER": 2,
            "A_2_0": 1e-15,
            "IDCSCALE": scale,
            "IDCV3REF": 0.0,
            "BUNIT": "ELECTRONS",
            "EXPNAME": name,
            "NGOODPIX": nx * ny,
            "MEANDARK": 0.2,
            **({} if detector == "ir" else {"PHOTFLAM": PHOTFLAM}),
        }
        pixels = np.ones(shape, dtype=np.float32)
        hdus.append(fits.ImageHDU(pixels, _header(cards, science), name="SCI", ver=extver))
        hdus.append(fits.ImageHDU(pixels, name="ERR", ver=extver))
        hdus.append(fits.ImageHDU(np.zeros(shape, dtype=np.int16), name="DQ", ver=extver))
    path = folder / name
    fits.HDUList(hdus).writeto(path)
    return path


def _primary_cards(name: str, detector: str) -> dict[str, Any]:
    """Cards of a primary header which nothing is wrong with."""
    instrument = _INSTRUMENT[detector]
    rootname = name.split("_")[-2] if "_" in name else name.partition(".")[0]
    cards: dict[str, Any] = {
        "FILENAME": name,
        "ROOTNAME": rootname + "q" * (len(rootname) == 8),
        "PROPOSID": 12345,
        "PRIMESI": instrument,
        "LINENUM": "07.002",
        "INSTRUME": instrument,
        "DETECTOR": detector.upper(),
        "OBSTYPE": "IMAGING",
        "IMAGETYP": "EXT",
        "APERTURE": detector.upper(),
        "SUBARRAY": False,
        "TARGNAME": "NGC-4321",
        "DATE-OBS": "2011-02-19",
        "MTFLAG": "",
        "DRIZCORR": "PERFORM",
        "FGSLOCK": "FINE",
        "QUALITY": "OK",
        "EXPFLAG": "NORMAL",
        "CCDAMP": "C",
        "IDCTAB": "iref$2731450pi_idc.fits",
        "EXPTIME": 100.0,
        "EXPSTART": 55611.5,
        "EXPEND": 55611.5 + 100.0 / 86400.0,
        "DATE": "2011-02-20",
        "TELESCOP": "HST",
        "PA_V3": 30.0,
        **({"PHOTFLAM": PHOTFLAM} if detector == "ir" else {}),
        **({} if detector == "sbc" else {f"{stem}{amp}": 2.0 for stem in ("ATODGN", "READNSE") for amp in "ABCD"}),
    }
    if instrument == "ACS":
        return cards | {"FILTER1": "CLEAR1L", "FILTER2": "F814W"}
    cards |= {"FILTER": "F160W" if detector == "ir" else "F606W", "SCAN_TYP": "N"}
    return cards | ({"CHINJECT": "NONE"} if detector == "uvis" else {})


def _header(cards: dict[str, Any], changes: dict[str, Any] | None) -> fits.Header:
    """Header of these cards after the changes."""
    changed = cards | (changes or {})
    return fits.Header([(key, value) for key, value in changed.items() if value is not None])
