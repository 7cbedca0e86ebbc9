"""The cameras that can be simulated: geometry, distortion, filters and detector properties.

The distortion (SIP polynomials, chip positions on the sky of one real observation each) is in
``distortion.json``; the few numbers that describe detectors and filters are here. The polynomials of ACS/HRC and
ACS/SBC are those of HST's Science Instrument Aperture File, which pysiaf distributes.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from hstmosaic.errors import HstMosaicError

if TYPE_CHECKING:
    from collections.abc import Mapping

Corner = Literal["center", "lower-left", "lower-right", "upper-left", "upper-right"]
"""Position of a subarray on its chip."""


@dataclass(frozen=True)
class Filter:
    """Photometric facts of one filter in one camera."""

    name: str
    pivot: float
    """Pivot wavelength in Angstrom (``PHOTPLAM``)."""
    photflam: float
    """Inverse sensitivity in erg/cm2/Angstrom/electron (``PHOTFLAM``)."""
    bandwidth: float
    """RMS bandwidth in Angstrom (``PHOTBW``)."""
    sky: float
    """Sky background in electrons per second and pixel."""


@dataclass(frozen=True)
class Chip:
    """One chip, or the part of it that is read out, with its geometry in a real observation."""

    ccdchip: int
    """``CCDCHIP`` of the header; 0 where the camera has one detector only."""
    shape: tuple[int, int]
    """Rows and columns that are read out."""
    crpix: tuple[float, float]
    """Reference pixel of the distortion, 1-based, counted on the pixels that are read out."""
    crval: tuple[float, float]
    """Sky position (deg) of the reference pixel in the real observation."""
    cd: tuple[tuple[float, float], tuple[float, float]]
    """CD matrix (deg/pixel) in the real observation."""
    vafactor: float
    """Velocity aberration factor that is part of `cd`."""
    sip: Mapping[str, float] = field(hash=False, compare=False)
    """``A_*`` and ``B_*`` header records."""
    linear: Mapping[str, float] = field(hash=False, compare=False)
    """``OC*`` and ``IDC*`` header records."""
    origin: tuple[int, int] = (0, 0)
    """First column and row that are read out, counted from 0 on the whole chip."""


@dataclass(frozen=True)
class Camera:
    """One camera as a whole or with a subarray; see `camera` and `cut`."""

    name: str
    instrument: str
    detector: str
    suffix: Literal["flc", "flt"]
    """Kind of calibrated exposure: with (``flc``) or without (``flt``) CTE correction."""
    bunit: Literal["ELECTRONS", "ELECTRONS/S", "COUNTS"]
    read_noise: float
    """Read noise of one exposure in electrons."""
    dark: float
    """Dark current in electrons per second and pixel."""
    gain: float
    amplifiers: str
    """Those that read the detector, such as ``ABCD``; empty for ACS/SBC, which counts photons."""
    full_well: float
    """Electrons above which a pixel is flagged as saturated."""
    psf_fwhm: float
    """Width of the core of the PSF in pixels."""
    npol: float
    """Largest value of the CPDIS tables in pixels; 0 for no tables."""
    d2im: float
    """Largest value of the D2IM tables in pixels; 0 for no tables."""
    pa_v3: float
    """``PA_V3`` minus the position angle of the image y axis (deg)."""
    apertures: tuple[str, str]
    """Names of the aperture for a full frame and for a subarray."""
    reference_files: Mapping[str, str] = field(hash=False, compare=False)
    filters: Mapping[str, Filter] = field(hash=False, compare=False)
    chips: tuple[Chip, ...] = ()
    """In the order of the extensions: SCI,1 first."""
    is_subarray: bool = False

    @property
    def letter(self) -> str:
        """First letter of root names."""
        return "j" if self.instrument == "ACS" else "i"

    @property
    def is_infrared(self) -> bool:
        """Return whether the exposure is a ramp in electrons per second."""
        return self.detector == "IR"

    @property
    def is_ccd(self) -> bool:
        """Return whether exposures have cosmic rays and saturated pixels."""
        return not self.is_infrared and bool(self.amplifiers)

    def filter(self, name: str) -> Filter:
        """Return the facts of filter `name`.

        Raises
        ------
        HstMosaicError
            If the filter of the camera is not simulated.
        """
        try:
            return self.filters[name.upper()]
        except KeyError:
            known = ", ".join(self.filters)
            raise HstMosaicError(f"{self.name} is not simulated in {name}", f"use one of {known}") from None


def _filters(*rows: tuple[str, float, float, float, float]) -> dict[str, Filter]:
    return {row[0]: Filter(*row) for row in rows}


_BODIES: dict[str, dict[str, Any]] = {
    "acs_wfc": {
        "instrument": "ACS", "detector": "WFC", "suffix": "flc", "bunit": "ELECTRONS",
        "read_noise": 4.2, "dark": 0.006, "gain": 2.0, "amplifiers": "ABCD", "full_well": 80000.0, "psf_fwhm": 2.0,
        "npol": 0.12, "d2im": 0.05, "pa_v3": 182.452, "apertures": ("WFC", "WFC1-1K"),
        "reference_files": {"IDCTAB": "jref$4bb1536cj_idc.fits", "D2IMFILE": "jref$4bb15371j_d2i.fits",
                            "NPOLFILE": "jref$4bb1536lj_npl.fits", "MDRIZTAB": "jref$37g1550cj_mdz.fits"},
        "filters": _filters(
            ("F435W", 4329.9, 3.148e-19, 293.5, 0.03), ("F475W", 4746.9, 1.818e-19, 420.1, 0.06),
            ("F606W", 5921.1, 7.812e-20, 672.3, 0.13), ("F775W", 7692.4, 9.954e-20, 434.4, 0.08),
            ("F814W", 8045.5, 7.0769e-20, 653.1, 0.11), ("F850LP", 9031.5, 1.507e-19, 525.9, 0.04),
        ),
    },
    "acs_hrc": {
        "instrument": "ACS", "detector": "HRC", "suffix": "flt", "bunit": "ELECTRONS",
        "read_noise": 4.71, "dark": 0.0012, "gain": 2.216, "amplifiers": "C", "full_well": 155000.0, "psf_fwhm": 2.1,
        "npol": 0.1, "d2im": 0.0, "pa_v3": 0.279, "apertures": ("HRC", "HRC-512"),
        "reference_files": {"IDCTAB": "jref$n721640fj_idc.fits", "D2IMFILE": "N/A",
                            "NPOLFILE": "jref$simulated_npl.fits", "MDRIZTAB": "jref$o7811184j_mdz.fits"},
        "filters": _filters(
            ("F435W", 4311.0, 5.36e-19, 310.0, 0.005), ("F555W", 5356.0, 3.01e-19, 358.0, 0.012),
            ("F606W", 5887.9316, 1.2781042e-19, 664.8866, 0.03), ("F814W", 8115.0, 1.29e-19, 703.0, 0.025),
        ),
    },
    "acs_sbc": {
        "instrument": "ACS", "detector": "SBC", "suffix": "flt", "bunit": "COUNTS",
        "read_noise": 0.0, "dark": 1.2e-5, "gain": 1.0, "amplifiers": "", "full_well": np.inf, "psf_fwhm": 2.0,
        "npol": 0.0, "d2im": 0.0, "pa_v3": 0.05, "apertures": ("SBC", "SBC"),
        "reference_files": {"IDCTAB": "jref$simulated_idc.fits", "D2IMFILE": "N/A", "NPOLFILE": "N/A",
                            "MDRIZTAB": "jref$simulated_mdz.fits"},
        "filters": _filters(
            ("F115LP", 1406.0, 1.60e-17, 87.0, 0.018), ("F125LP", 1438.0, 1.72e-17, 87.0, 0.006),
            ("F150LP", 1611.0, 3.25e-17, 82.0, 3e-5), ("F165LP", 1763.0, 1.36e-16, 61.0, 2e-5),
        ),
    },
    "wfc3_uvis": {
        "instrument": "WFC3", "detector": "UVIS", "suffix": "flc", "bunit": "ELECTRONS",
        "read_noise": 3.1, "dark": 0.002, "gain": 1.5, "amplifiers": "ABCD", "full_well": 65000.0, "psf_fwhm": 1.9,
        "npol": 0.12, "d2im": 0.05, "pa_v3": 315.272, "apertures": ("UVIS", "UVIS1-C1K1C-SUB"),
        "reference_files": {"IDCTAB": "iref$2731450pi_idc.fits", "D2IMFILE": "iref$y7b1516hi_d2i.fits",
                            "NPOLFILE": "iref$y7b1516qi_npl.fits", "MDRIZTAB": "iref$ubi1853qi_mdz.fits"},
        "filters": _filters(
            ("F275W", 2709.7, 3.186e-18, 164.4, 0.004), ("F336W", 3354.5, 1.312e-18, 158.4, 0.005),
            ("F438W", 4326.2, 6.696e-19, 197.3, 0.013), ("F555W", 5308.2, 1.8379e-19, 517.1, 0.05),
            ("F606W", 5889.2, 1.153e-19, 656.9, 0.07), ("F814W", 8039.1, 1.497e-19, 666.8, 0.06),
        ),
    },
    "wfc3_ir": {
        "instrument": "WFC3", "detector": "IR", "suffix": "flt", "bunit": "ELECTRONS/S",
        "read_noise": 14.0, "dark": 0.05, "gain": 2.5, "amplifiers": "ABCD", "full_well": 78000.0, "psf_fwhm": 1.15,
        "npol": 0.0, "d2im": 0.0, "pa_v3": 315.353, "apertures": ("IR", "IRSUB512"),
        "reference_files": {"IDCTAB": "iref$w3m18525i_idc.fits", "D2IMFILE": "N/A", "NPOLFILE": "N/A",
                            "MDRIZTAB": "iref$3562021pi_mdz.fits"},
        "filters": _filters(
            ("F105W", 10551.0, 3.050e-20, 845.6, 0.75), ("F110W", 11534.5, 1.5318e-20, 1428.5, 1.3),
            ("F125W", 12486.1, 2.248e-20, 866.3, 0.80), ("F140W", 13922.9, 1.474e-20, 1132.4, 1.1),
            ("F160W", 15369.2, 1.946e-20, 826.3, 0.78),
        ),
    },
}  # fmt: skip


def _chip(facts: dict[str, Any]) -> Chip:
    row, other = facts["cd"]
    return Chip(
        ccdchip=facts["ccdchip"],
        shape=(facts["shape"][0], facts["shape"][1]),
        crpix=(facts["crpix"][0], facts["crpix"][1]),
        crval=(facts["crval"][0], facts["crval"][1]),
        cd=((row[0], row[1]), (other[0], other[1])),
        vafactor=facts["vafactor"],
        sip=facts["sip"],
        linear=facts["linear"],
    )


@cache
def camera(name: str) -> Camera:
    """Return a camera with its whole detector.

    Parameters
    ----------
    name : str
        ``acs_wfc``, ``acs_hrc``, ``acs_sbc``, ``wfc3_uvis`` or ``wfc3_ir``, in any case.

    Raises
    ------
    HstMosaicError
        If the camera is unknown.
    """
    key = name.lower()
    if key not in _BODIES:
        raise HstMosaicError(f"no camera {name!r} to simulate", f"use one of {', '.join(_BODIES)}")
    facts = json.loads(files(__package__).joinpath("distortion.json").read_text(encoding="utf-8"))
    return Camera(name=key, chips=tuple(_chip(chip) for chip in facts[key]), **_BODIES[key])


def cut(whole: Camera, shape: tuple[int, int], *, extver: int = 1, corner: Corner = "center") -> Camera:
    """Return the camera with only a subarray of one chip read out.

    Parameters
    ----------
    whole : Camera
        A camera with its whole detector.
    shape : tuple of int
        Rows and columns to read out.
    extver : int
        SCI extension, in the full frame, of the chip to read out.
    corner : str
        ``center`` or a corner of the chip such as ``lower-left``.

    Raises
    ------
    HstMosaicError
        If the camera is a subarray already, or `shape`, `extver` or `corner` is invalid.
    """
    if whole.is_subarray:
        raise HstMosaicError(f"{whole.name} is cut to a subarray already")
    if not 1 <= extver <= len(whole.chips):
        raise HstMosaicError(f"{whole.name} has no SCI,{extver}")
    chip = whole.chips[extver - 1]
    spare_y, spare_x = (whole_n - n for whole_n, n in zip(chip.shape, shape, strict=True))
    if min(spare_x, spare_y) < 0 or min(shape) < 1:
        raise HstMosaicError(f"a subarray of {shape} does not fit on a chip of {chip.shape} pixels")
    origins = {
        "center": (spare_x // 2, spare_y // 2),
        "lower-left": (0, 0),
        "lower-right": (spare_x, 0),
        "upper-left": (0, spare_y),
        "upper-right": (spare_x, spare_y),
    }
    if corner not in origins:
        raise HstMosaicError(f"no corner {corner!r} of a chip", f"use one of {', '.join(origins)}")
    x0, y0 = origins[corner]
    part = replace(chip, shape=shape, crpix=(chip.crpix[0] - x0, chip.crpix[1] - y0), origin=(x0, y0))
    return replace(whole, chips=(part,), is_subarray=True)
