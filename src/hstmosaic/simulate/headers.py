"""Headers of simulated exposures, as the pipeline of the archive writes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from astropy.io import fits
from astropy.time import Time

from hstmosaic.simulate.geometry import extend, linear_records, wcs_records

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from hstmosaic.simulate.attitude import ChipAim, Pointing
    from hstmosaic.simulate.exposure_plan import ExposurePlan
    from hstmosaic.simulate.geometry import Record
    from hstmosaic.simulate.instruments import Camera, Filter

_DATE = "2020-01-01"
_SPEED_OF_LIGHT = 2.99792458e18
"""Angstrom per second."""


def primary_header(plan: ExposurePlan, pointing: Pointing) -> fits.Header:
    """Return the primary header of an exposure.

    Parameters
    ----------
    plan : ExposurePlan
        The exposure.
    pointing : Pointing
        Pointing according to the headers.
    """
    camera = plan.camera
    start = Time(plan.start, format="mjd", scale="utc")
    end = plan.start + plan.exptime / 86400
    day, time = str(start.isot).split("T")
    records: list[Record] = [
        ("ORIGIN", "hstmosaic.simulate", "simulated exposure, not an observation"),
        ("DATE", _DATE, "date this file was written"),
        ("FILENAME", plan.filename, "name of file"),
        ("FILETYPE", "SCI", "type of data found in data file"),
        ("TELESCOP", "HST", "telescope used to acquire data"),
        ("INSTRUME", camera.instrument, "identifier for instrument"),
        ("EQUINOX", 2000.0, "equinox of celestial coord. system"),
        ("ROOTNAME", plan.rootname, "rootname of the observation set"),
        ("IMAGETYP", "EXT", "type of exposure identifier"),
        ("PRIMESI", camera.instrument, "instrument designated as prime"),
        ("TARGNAME", plan.target, "proposer's target name"),
        ("RA_TARG", pointing.ra, "right ascension of the target (deg) (J2000)"),
        ("DEC_TARG", pointing.dec, "declination of the target (deg) (J2000)"),
        ("PROPOSID", plan.proposal, "PEP proposal identifier"),
        ("LINENUM", f"{plan.visit:02d}.{plan.number:03d}", "proposal logsheet line number"),
        ("PR_INV_L", "Nobody", "last name of principal investigator"),
        ("FGSLOCK", "FINE", "commanded FGS lock"),
        ("GYROMODE", "T", "number of gyros scheduled"),
        ("REFFRAME", "ICRS", "guide star catalog version"),
        ("MTFLAG", " ", "moving target flag; T if it is a moving target"),
        ("DATE-OBS", day, "UT date of start of observation"),
        ("TIME-OBS", time[:8], "UT time of start of observation"),
        ("EXPSTART", plan.start, "exposure start time (Modified Julian Date)"),
        ("EXPEND", end, "exposure end time (Modified Julian Date)"),
        ("EXPTIME", float(plan.exptime), "exposure duration (seconds)"),
        ("EXPFLAG", "NORMAL", "Exposure interruption indicator"),
        ("QUALITY", " ", ""),
        ("DARKTIME", float(plan.exptime), "fiducial pixel dark time (secs)"),
        ("PA_V3", (pointing.orient + camera.pa_v3) % 360, "position angle of V3-axis of HST (deg)"),
        ("POSTARG1", 0.0, "POSTARG in axis 1 direction"),
        ("POSTARG2", 0.0, "POSTARG in axis 2 direction"),
        ("CAL_VER", "simulated", "calibration code version"),
        ("OBSTYPE", "IMAGING", "observation type"),
        ("OBSMODE", "MULTIACCUM" if camera.is_infrared else "ACCUM", "operating mode"),
        ("SCLAMP", "NONE", "lamp status"),
        ("NRPTEXP", 1, "number of repeat exposures in set"),
        ("SUBARRAY", camera.is_subarray, "data from a subarray (T) or full frame (F)"),
        ("DETECTOR", camera.detector, "detector in use"),
        *_filter_records(camera, plan.filter),
        ("APERTURE", camera.apertures[int(camera.is_subarray)], "aperture name"),
        ("DIRIMAGE", "NONE", "direct image for grism or prism exposure"),
        ("CRSPLIT", 1, "number of cosmic ray split exposures"),
        ("SCAN_TYP", "N", "N:N/A"),
        ("DQICORR", "COMPLETE", "data quality initialization"),
        ("DARKCORR", "COMPLETE", "Subtract dark image"),
        ("FLATCORR", "COMPLETE", "flat field data"),
        ("PHOTCORR", "COMPLETE", "populate photometric header keywords"),
        ("PCTECORR", "COMPLETE" if camera.suffix == "flc" else "OMIT", "cte correction"),
        ("DRIZCORR", "COMPLETE", "drizzle processing"),
        *((key, value, "reference file") for key, value in camera.reference_files.items()),
        ("CHINJECT", "NONE", "charge injection mode"),
        ("PATTERN1", "NONE", "primary pattern type"),
        *_amplifier_records(camera),
        ("ASN_ID", "NONE", "unique identifier assigned to association"),
        ("ASN_TAB", "NONE", "name of the association table"),
        ("CRDS_CTX", "N/A", "calibration context"),
        *_photometry_records(camera.filter(plan.filter), _photmode(plan, 0)),
        *_distortion_names(plan),
    ]
    if camera.is_infrared:
        records += [("SAMP_SEQ", "SPARS50", "MultiAccum exposure time sequence"), ("NSAMP", 12, "samples")]
    return _header(records)


def science_header(plan: ExposurePlan, pointing: Pointing, aims: Sequence[ChipAim], number: int) -> fits.Header:
    """Return the SCI header of chip `number` (from 0), WCS and references to its tables included."""
    camera, chip = plan.camera, plan.camera.chips[number]
    header = _extension_header(plan, "SCI", number, camera.bunit)
    first_x, first_y = chip.origin
    extend(header, [
        *([("CCDCHIP", chip.ccdchip, "CCD chip (1 or 2)")] if chip.ccdchip else []),
        ("LTV1", float(0 - first_x), "offset in X to subsection start"),
        ("LTV2", float(0 - first_y), "offset in Y to subsection start"),
        ("LTM1_1", 1.0, "reciprocal of sampling rate in X"),
        ("LTM2_2", 1.0, "reciprocal of sampling rate in Y"),
        ("PA_APER", pointing.orient, "Position Angle of reference aperture center"),
        ("VAFACTOR", chip.vafactor, "velocity aberration plate scale factor"),
        ("ORIENTAT", aims[number].orientat, "position angle of image y axis (deg. e of n)"),
        ("RA_APER", pointing.ra, "RA of aperture reference position"),
        ("DEC_APER", pointing.dec, "Declination of aperture reference position"),
        ("NCOMBINE", 1, "number of image sets combined"),
        ("CENTERA1", first_x + chip.shape[1] // 2, "subarray axis1 center pt"),
        ("CENTERA2", first_y + chip.shape[0] // 2, "subarray axis2 center pt"),
        ("SIZAXIS1", chip.shape[1], "subarray axis1 size in pixels"),
        ("SIZAXIS2", chip.shape[0], "subarray axis2 size in pixels"),
        ("BINAXIS1", 1, "axis1 data bin size"),
        ("BINAXIS2", 1, "axis2 data bin size"),
        *_photometry_records(camera.filter(plan.filter), _photmode(plan, number)),
        ("SDQFLAGS", 31743, "serious data quality flags"),
        ("MEANDARK", camera.dark * plan.exptime, "average of the dark values subtracted"),
        ("MEANBLEV", 0.0, "average of all bias levels subtracted"),
        ("MDRIZSKY", 0.0, "Sky value computed by AstroDrizzle"),
    ])  # fmt: skip
    extend(header, wcs_records(camera, aims, number))
    extend(header, [("WCSNAME", _wcs_name(camera), "Coordinate system title"),
                     ("WCSTYPE", "undistorted not aligned", "")])  # fmt: skip
    return header


def add_statistics(
    header: fits.Header, science: NDArray[np.float32], error: NDArray[np.float32], good: NDArray[np.bool_]
) -> None:
    """Add the statistics of good pixels to a SCI header; `header` is changed in place."""
    values = science[good]
    ratio = values / np.maximum(error[good], np.finfo(np.float32).tiny)
    extend(header, [("NGOODPIX", int(good.sum()), "number of good pixels")])
    for stem, numbers in (("GOOD", values), ("SNR", ratio)):
        extend(header, [
            (f"{stem}MIN", float(numbers.min(initial=0)), "minimum of good pixels"),
            (f"{stem}MAX", float(numbers.max(initial=0)), "maximum of good pixels"),
            (f"{stem}MEAN", float(numbers.mean(dtype=float)) if good.any() else 0.0, "mean of good pixels"),
        ])  # fmt: skip


def companion_header(plan: ExposurePlan, name: str, number: int, aims: Sequence[ChipAim], unit: str) -> fits.Header:
    """Return the header of an ERR, DQ, SAMP or TIME extension, with the linear part of the WCS."""
    header = _extension_header(plan, name, number, unit)
    linear = [record for record in linear_records(plan.camera, aims, number) if record[0][:5] != "CTYPE"]
    extend(header, [*linear, ("CTYPE1", "RA---TAN", ""), ("CTYPE2", "DEC--TAN", "")])
    return header


def _amplifier_records(camera: Camera) -> list[Record]:
    if not camera.amplifiers:
        return []
    facts = (
        ("ATODGN", camera.gain, "calibrated gain"),
        ("READNSE", camera.read_noise, "read noise in electrons"),
        ("BIASLEV", 0.0, "bias level"),
    )
    return [
        ("CCDAMP", camera.amplifiers, "CCD amplifier readout configuration"),
        ("CCDGAIN", camera.gain, "commanded gain of CCD"),
        *(
            (f"{stem}{amplifier}", value if amplifier in camera.amplifiers else 0.0, comment)
            for stem, value, comment in facts
            for amplifier in "ABCD"
        ),
    ]


def _filter_records(camera: Camera, name: str) -> list[Record]:
    if camera.instrument != "ACS":
        return [("FILTER", name, "element selected from filter wheel")]
    clear = "L" if camera.detector == "WFC" else "S"
    if camera.detector == "SBC":
        wheels = (name, "N/A")
    else:
        wheels = (f"CLEAR1{clear}", name) if name in {"F435W", "F814W"} else (name, f"CLEAR2{clear}")
    return [(f"FILTER{k + 1}", wheel, f"element selected from filter wheel {k + 1}") for k, wheel in enumerate(wheels)]


def _photometry_records(facts: Filter, mode: str) -> list[Record]:
    # Inverse sensitivity in Jansky: the pivot wavelength turns f_lambda into f_nu.
    photfnu = facts.photflam * facts.pivot**2 / _SPEED_OF_LIGHT * 1e23
    return [
        ("PHOTMODE", mode, "observation configuration"),
        ("PHOTFLAM", facts.photflam, "ergs/cm2/Ang/electron"),
        ("PHOTFNU", float(np.float32(photfnu)), "Jy*sec/electron"),
        ("PHOTZPT", -21.1, "ST magnitude zero point"),
        ("PHOTPLAM", facts.pivot, "Pivot wavelength (Angstroms)"),
        ("PHOTBW", facts.bandwidth, "RMS bandwidth of filter plus detector"),
    ]


def _photmode(plan: ExposurePlan, number: int) -> str:
    camera = plan.camera
    if camera.is_infrared:
        return f"WFC3 IR {plan.filter}"
    if camera.detector in ("HRC", "SBC"):
        return f"ACS {camera.detector} {plan.filter}"
    detector = camera.detector + str(camera.chips[number].ccdchip if camera.instrument == "WFC3" else 1)
    return f"{camera.instrument} {detector} {plan.filter} MJD#{plan.start:.4f}"


def _wcs_name(camera: Camera) -> str:
    return "IDC_" + _stem(camera.reference_files["IDCTAB"])


def _stem(reference_file: str) -> str:
    return reference_file.rpartition("$")[2].rpartition("_")[0] or "NOMODEL"


def _distortion_names(plan: ExposurePlan) -> Iterable[Record]:
    files = plan.camera.reference_files
    idc, npol, d2im = (_stem(files[key]) for key in ("IDCTAB", "NPOLFILE", "D2IMFILE"))
    return [
        ("DISTNAME", f"{plan.rootname}_{idc}-{npol}-{d2im}", ""),
        ("SIPNAME", f"{plan.rootname}_{idc}", ""),
    ]


def _extension_header(plan: ExposurePlan, name: str, number: int, unit: str) -> fits.Header:
    return _header([
        ("INHERIT", True, "inherit the primary header"),
        ("EXTNAME", name, "extension name"),
        ("EXTVER", number + 1, "extension version number"),
        ("ROOTNAME", plan.rootname, "rootname of the observation set"),
        ("EXPNAME", plan.rootname, "exposure identifier"),
        ("BUNIT", unit, "brightness units"),
    ])  # fmt: skip


def _header(records: Iterable[Record]) -> fits.Header:
    header = fits.Header()
    extend(header, records)
    return header
