"""FITS files of simulated exposures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from astropy.io import fits

from hstmosaic.simulate.attitude import chip_aims
from hstmosaic.simulate.detector import detect
from hstmosaic.simulate.geometry import chip_wcs
from hstmosaic.simulate.headers import add_statistics, companion_header, primary_header, science_header
from hstmosaic.simulate.lookup import table_hdus
from hstmosaic.simulate.sources import source_rate

if TYPE_CHECKING:
    from hstmosaic.simulate.exposure_plan import ExposurePlan
    from hstmosaic.simulate.scene import Scene


def simulate_exposure(plan: ExposurePlan, scene: Scene) -> fits.HDUList:
    """Simulate one calibrated exposure.

    Parameters
    ----------
    plan : ExposurePlan
        The exposure. Sources are rendered with the WCS of its true pointing.
    scene : Scene
        Sources on the sky.

    Returns
    -------
    astropy.io.fits.HDUList
        PRIMARY; SCI, ERR and DQ per chip; SAMP and TIME for WFC3/IR; the tables D2IMARR and WCSDVARR that the camera
        has. In electrons (CCDs), electrons per second (WFC3/IR) or counts (ACS/SBC).
    """
    camera, header_pointing, rng = plan.camera, plan.header_pointing, np.random.default_rng(plan.seed)
    true_aims, header_aims = chip_aims(camera, plan.pointing), chip_aims(camera, header_pointing)
    hdus: list[fits.ImageHDU] = []
    for number in range(len(camera.chips)):
        rate = source_rate(plan, number, chip_wcs(camera, true_aims, number), scene)
        science, error, quality = detect(plan, number, rate, rng)
        if camera.is_infrared:
            science, error = science / np.float32(plan.exptime), error / np.float32(plan.exptime)
        header = science_header(plan, header_pointing, header_aims, number)
        add_statistics(header, science, error, quality == 0)
        hdus += [
            fits.ImageHDU(science, header),
            fits.ImageHDU(error, companion_header(plan, "ERR", number, header_aims, camera.bunit)),
            fits.ImageHDU(quality, companion_header(plan, "DQ", number, header_aims, "UNITLESS")),
        ]
        if camera.is_infrared:
            samples = np.full(science.shape, 11, dtype=np.int16)
            times = np.full(science.shape, plan.exptime, dtype=np.float32)
            hdus += [
                fits.ImageHDU(samples, companion_header(plan, "SAMP", number, header_aims, "SAMPLES")),
                fits.ImageHDU(times, companion_header(plan, "TIME", number, header_aims, "SECONDS")),
            ]
    hdus += table_hdus(camera)
    primary = fits.PrimaryHDU(header=primary_header(plan, header_pointing))
    primary.header["NEXTEND"] = (len(hdus), "Number of standard extensions")
    return fits.HDUList([primary, *hdus])
