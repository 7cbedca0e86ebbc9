"""One simulated exposure: what is decided about it, and its FITS file."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np
from astropy.io import fits

from hstmosaic.errors import HstMosaicError
from hstmosaic.simulate.attitude import Pointing, PointingError, chip_aims
from hstmosaic.simulate.detector import detect
from hstmosaic.simulate.geometry import chip_wcs
from hstmosaic.simulate.headers import add_statistics, companion_header, primary_header, science_header
from hstmosaic.simulate.lookup import table_hdus
from hstmosaic.simulate.sources import source_rate

if TYPE_CHECKING:
    from hstmosaic.simulate.instruments import Camera
    from hstmosaic.simulate.scene import Scene

Naming = Literal["pipeline", "single-visit"]
"""``icab01a0q_flc.fits`` or ``hst_12546_01_wfc3_uvis_f606w_icab01a0_flc.fits``."""

_LAST_NUMBER = 260


@dataclass(frozen=True)
class ExposurePlan:
    """Everything decided about one exposure.

    Raises
    ------
    HstMosaicError
        If a value is not usable.
    """

    camera: Camera
    filter: str
    exptime: float
    """Seconds."""
    pointing: Pointing
    """Where the telescope really points."""
    error: PointingError = field(default_factory=PointingError)
    """What the WCS in the header is off by."""
    visit: int = 1
    number: int = 1
    """Number of the exposure in its visit, from 1."""
    proposal: int = 12546
    program: str = "cab"
    """Three characters for the program in root names."""
    naming: Naming = "pipeline"
    start: float = 56000.0
    """Start of the exposure (MJD)."""
    seed: tuple[int, ...] = (1, 0)
    """Seed of the noise; (seed of the field, index of the exposure) in a field."""
    trail: float = 0.0
    """Length in pixels along which lost guiding smears the exposure; 0 for good guiding."""
    cosmic_rays: float = 0.05
    """Cosmic rays per second and million pixels, CCDs only (in reality more than ten times that)."""
    sky: float = 1.0
    """Sky background in units of the filter's."""
    target: str = "SIMULATED"

    def __post_init__(self) -> None:
        self.camera.filter(self.filter)
        object.__setattr__(self, "filter", self.filter.upper())
        usable = {
            "exposure time": 0 < self.exptime < np.inf,
            "visit": 0 <= self.visit < 100,
            "number": 1 <= self.number <= _LAST_NUMBER,
            "proposal": 0 < self.proposal < 100_000,
            "program": len(self.program) == 3 and self.program.isalnum() and self.program.islower(),
            "naming": self.naming in ("pipeline", "single-visit"),
            "trail": 0 <= self.trail < 1000,
            "cosmic_rays": 0 <= self.cosmic_rays < 100,
            "sky": 0 <= self.sky < 1000,
        }
        wrong = [name for name, good in usable.items() if not good]
        if wrong:
            raise HstMosaicError(f"exposure {self.number} of visit {self.visit}: unusable {', '.join(wrong)}")

    @property
    def rootname(self) -> str:
        """Nine characters: instrument, program, visit, exposure and ``q``."""
        decade, digit = divmod(self.number - 1, 10)
        return f"{self.camera.letter}{self.program}{self.visit:02d}{chr(ord('a') + decade)}{digit}q"

    @property
    def filename(self) -> str:
        """Name of the FITS file."""
        if self.naming == "pipeline":
            return f"{self.rootname}_{self.camera.suffix}.fits"
        return (
            f"hst_{self.proposal}_{self.visit:02d}_{self.camera.name}_{self.filter.lower()}"
            f"_{self.rootname[:8]}_{self.camera.suffix}.fits"
        )

    @property
    def header_pointing(self) -> Pointing:
        """Where the headers say that the telescope points."""
        return self.pointing if self.error == PointingError() else self.pointing.moved(self.error)


def simulate_exposure(plan: ExposurePlan, scene: Scene) -> fits.HDUList:
    """Simulate one calibrated exposure.

    Parameters
    ----------
    plan : ExposurePlan
        What to expose. Sources are rendered with the WCS of its true pointing.
    scene : Scene
        What is on the sky there.

    Returns
    -------
    astropy.io.fits.HDUList
        PRIMARY; SCI, ERR and DQ per chip; SAMP and TIME for WFC3/IR; the tables D2IMARR and WCSDVARR that the camera
        has. In electrons (CCDs), electrons per second (WFC3/IR) or counts (ACS/SBC).
    """
    camera, said, rng = plan.camera, plan.header_pointing, np.random.default_rng(plan.seed)
    true_aims, said_aims = chip_aims(camera, plan.pointing), chip_aims(camera, said)
    hdus: list[fits.ImageHDU] = []
    for number in range(len(camera.chips)):
        rate = source_rate(plan, number, chip_wcs(camera, true_aims, number), scene)
        science, error, quality = detect(plan, number, rate, rng)
        if camera.is_infrared:
            science, error = science / np.float32(plan.exptime), error / np.float32(plan.exptime)
        header = science_header(plan, said, said_aims, number)
        add_statistics(header, science, error, quality == 0)
        hdus += [
            fits.ImageHDU(science, header),
            fits.ImageHDU(error, companion_header(plan, "ERR", number, said_aims, camera.bunit)),
            fits.ImageHDU(quality, companion_header(plan, "DQ", number, said_aims, "UNITLESS")),
        ]
        if camera.is_infrared:
            samples = np.full(science.shape, 11, dtype=np.int16)
            times = np.full(science.shape, plan.exptime, dtype=np.float32)
            hdus += [
                fits.ImageHDU(samples, companion_header(plan, "SAMP", number, said_aims, "SAMPLES")),
                fits.ImageHDU(times, companion_header(plan, "TIME", number, said_aims, "SECONDS")),
            ]
    hdus += table_hdus(camera)
    primary = fits.PrimaryHDU(header=primary_header(plan, said))
    primary.header["NEXTEND"] = (len(hdus), "Number of standard extensions")
    return fits.HDUList([primary, *hdus])
