"""Simulated exposures pointed anywhere on the sky, with real distortion: in memory, or as files without stars."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from hstmosaic.plan.cells import load_sky_grid
from hstmosaic.plan.exposures import Chip, Exposure
from hstmosaic.simulate import Camera, ExposurePlan, Pointing, Scene, camera, cut, simulate_exposure
from hstmosaic.simulate.attitude import chip_aims
from hstmosaic.simulate.geometry import chip_wcs

FILTERS = {"wfc3_ir": "F160W", "wfc3_uvis": "F606W", "acs_wfc": "F814W", "acs_hrc": "F606W", "acs_sbc": "F125LP"}
EMPTY_SKY = Scene(*[np.empty(0)] * 7)


@dataclass(frozen=True)
class Aim:
    """One exposure: where it points, and what takes it."""

    ra: float
    dec: float
    orient: float = 30.0
    """Position angle of the y axis, degrees."""
    camera: str = "wfc3_ir"
    shape: tuple[int, int] | None = (128, 128)
    """Rows and columns of a subarray; None for all chips."""
    more: dict[str, Any] = field(default_factory=dict, hash=False)
    """Fields of `ExposurePlan`: visit, number, naming, filter..."""

    @property
    def plan(self) -> ExposurePlan:
        """Parameters of the simulated exposures."""
        fields = {"filter": FILTERS[self.camera], "exptime": 100.0} | self.more
        pointing = Pointing(self.ra, self.dec, self.orient)
        return ExposurePlan(camera=_cut(self.camera, self.shape), pointing=pointing, **fields)


@cache
def _cut(name: str, shape: tuple[int, int] | None) -> Camera:
    return camera(name) if shape is None else cut(camera(name), shape)


def write_aimed(folder: Path, aim: Aim) -> Path:
    """Write the file of an exposure."""
    path = folder / aim.plan.filename
    with simulate_exposure(aim.plan, EMPTY_SKY) as hdus:
        hdus.writeto(path)
    return path


def aimed(aim: Aim) -> Exposure:
    """Return the exposure that reading the file of `aim` would give, without a file."""
    plan = aim.plan
    aims = chip_aims(plan.camera, plan.header_pointing)
    chips = tuple(
        Chip(number + 1, chip.shape, chip_wcs(plan.camera, aims, number))
        for number, chip in enumerate(plan.camera.chips)
    )
    return Exposure(
        name=plan.filename,
        path=Path("/data") / plan.filename,
        rootname=plan.rootname,
        proposal_id=str(plan.proposal),
        program_id=plan.program.upper(),
        obset_id=f"{plan.visit:02d}",
        instrument=plan.camera.instrument.lower(),
        detector=plan.camera.detector.lower(),
        filter=plan.filter.lower(),
        filetype=plan.camera.suffix,
        exptime=plan.exptime,
        expstart=plan.start,
        photflam=1e-19,
        wcsname="IDC_FIT",
        visit=plan.rootname[:6],
        size=10_000_000,
        mtime_ns=0,
        targname="SIMULATED",
        wheels=(plan.filter,) if plan.camera.instrument == "WFC3" else ("CLEAR1L", plan.filter),
        obstype="IMAGING",
        mtflag="",
        drizcorr="PERFORM",
        scan_typ="N" if plan.camera.instrument == "WFC3" else "",
        chinject="NONE",
        fgslock="FINE",
        quality="OK",
        expflag="NORMAL",
        good_pixels=1_000_000,
        header_faults=(),
        idctab="iref$2731450pi_idc.fits",
        missing_polynomial="",
        missing_tables=(),
        subarray=plan.camera.is_subarray,
        chips=chips,
    )


def sky_of(cell_id: int, x: float, y: float) -> tuple[float, float]:
    """Right ascension and declination, degrees, of a 0-based pixel of a projection cell."""
    ra, dec = load_sky_grid().cell(cell_id).wcs.wcs_pix2world([[x, y]], 0)[0]
    return float(ra) % 360.0, float(dec)
