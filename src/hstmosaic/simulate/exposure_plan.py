"""Everything decided about one simulated exposure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np

from hstmosaic.errors import HstMosaicError
from hstmosaic.simulate.attitude import Pointing, PointingError

if TYPE_CHECKING:
    from hstmosaic.simulate.instruments import Camera

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
    """True pointing of the telescope."""
    error: PointingError = field(default_factory=PointingError)
    """Error of the WCS in the header."""
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
    trail_angle: float = 33.0
    """Its direction, degrees from the x axis of the chip towards the y axis."""
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
            "trail angle": -360 <= self.trail_angle <= 360,
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
        """Pointing according to the headers."""
        return self.pointing if self.error == PointingError() else self.pointing.moved(self.error)
