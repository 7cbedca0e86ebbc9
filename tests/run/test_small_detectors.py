"""Layers of ACS/HRC and ACS/SBC: photons are kept, and headers of 2002 are read."""

import numpy as np
import pytest
from astropy.io import fits

from hstmosaic.errors import ExitCode
from hstmosaic.run.driver import run_mosaic
from hstmosaic.run.options import RunOptions
from hstmosaic.simulate import Pointing, Visit, build_field, simulate_field, sky_cell_corner

pytestmark = [pytest.mark.upstream, pytest.mark.slow]

AREA = 0.04**2
"""Of a pixel of the mosaic, square arcsec."""
SBC_SCALE = 0.025
"""To this scale the photometry of ACS/SBC refers, arcsec."""


def made(tmp_path, *visits, without=()):
    """Make the mosaics of visits and return their paths, after removing keywords from the exposures."""
    field = tmp_path / "field"
    for path in simulate_field(build_field("small", Pointing(*sky_cell_corner(), 30.0), visits, seed=3), field):
        with fits.open(path, mode="update") as hdus:
            for keyword in without:
                del hdus[0].header[keyword]
    options = RunOptions(str(field / "list.txt"), prefix="x", skip_alignment=True, output=tmp_path / "out")
    outcome = run_mosaic(options, lambda event: None)
    assert outcome.exit_code is ExitCode.OK
    assert not outcome.left_out
    return field, {path.name: path for path in (tmp_path / "out").glob("*_drz.fits")}


def test_photons_of_acs_sbc_are_not_rejected_as_cosmic_rays(tmp_path):
    field, products = made(tmp_path, Visit("acs_sbc", "F150LP", exposures=3))
    rate = 0.0
    for path in field.glob("*_flt.fits"):
        with fits.open(path) as hdus:
            rate += hdus["SCI"].data[hdus["DQ"].data == 0].mean() / hdus[0].header["EXPTIME"] / 3
    with fits.open(products["x_acs_sbc_f150lp_all_drz.fits"]) as hdus:
        science, weight = hdus["SCI"].data, hdus["WHT"].data
    covered = weight > 0
    assert covered.sum() > 5e5
    mean = np.average(science[covered], weights=weight[covered])
    assert mean == pytest.approx(rate * AREA / SBC_SCALE**2, rel=0.05)
    assert np.isnan(science[weight == 0]).all(), "holes are not 0"


def test_acs_hrc_works_with_headers_of_2002(tmp_path):
    _, products = made(tmp_path, Visit("acs_hrc", "F606W", exposures=3), without=["MTFLAG"])
    with fits.open(products["x_acs_hrc_f606w_all_drz.fits"]) as hdus:
        assert np.count_nonzero(hdus["WHT"].data) > 5e5
