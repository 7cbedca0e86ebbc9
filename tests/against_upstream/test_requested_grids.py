"""Mosaics on grids of the user are those of AstroDrizzle on the same grid, bit for bit."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from hstmosaic.plan.request import MosaicRequest, Sky
from hstmosaic.plan.target_grid import PROJECTIONS, Bounds, read_grid
from hstmosaic.run.driver import run_mosaic
from hstmosaic.run.options import RunOptions
from hstmosaic.simulate import Pointing, Visit, build_field, simulate_field, sky_cell_corner
from hstmosaic.store.result_files import read_result

pytestmark = pytest.mark.upstream

TESTS = Path(__file__).parents[1]
CENTRE = sky_cell_corner()
_ARCSEC = 1 / 3600
BOUNDS = Bounds(
    (CENTRE[0] - 4 * _ARCSEC, CENTRE[1] - 4 * _ARCSEC), (CENTRE[0] + 6 * _ARCSEC, CENTRE[1] + 5 * _ARCSEC), sky=True
)


def write_grid(path: Path, projection: str = "TAN") -> str:
    """Write an image of 0.03" pixels turned by 25 degrees."""
    angle, degrees = np.deg2rad(25.0), 0.03 / 3600
    plane = WCS(naxis=2)
    plane.wcs.ctype = [f"RA---{projection}", f"DEC--{projection}"]
    plane.wcs.crpix, plane.wcs.crval = [260.3, 250.8], list(CENTRE)
    plane.wcs.cd = degrees * np.array([[-np.cos(angle), np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    header = plane.to_header(relax=True)
    # astropy writes PC and CDELT, which stwcs does not read
    for key in ("PC1_1", "PC1_2", "PC2_1", "PC2_2", "CDELT1", "CDELT2", "LONPOLE", "LATPOLE"):
        header.remove(key, ignore_missing=True)
    for row in (1, 2):
        for column in (1, 2):
            header[f"CD{row}_{column}"] = plane.wcs.cd[row - 1, column - 1]
    image = fits.ImageHDU(np.zeros((520, 500), np.float32), header, name="SCI")
    fits.HDUList([fits.PrimaryHDU(), image]).writeto(path)
    return f"{path}[SCI]"


REQUESTS = {
    "TAN": lambda folder: MosaicRequest(grid=read_grid(write_grid(folder / "TAN.fits"))),
    "CAR": lambda folder: MosaicRequest(grid=read_grid(write_grid(folder / "CAR.fits", "CAR"))),
    "scale and bounds": lambda folder: MosaicRequest(scale=0.03, bounds=BOUNDS, sky=Sky.LOCALMIN),
    "bounds at 0.04 arcsec": lambda folder: MosaicRequest(bounds=BOUNDS),
}
DRIZZLEPACS = "bounds at 0.04 arcsec"
"""On drizzlepac's own plane, whose numbers have more digits than a header."""


@pytest.fixture(scope="module")
def field(tmp_path_factory):
    """Folder of two exposures."""
    folder = tmp_path_factory.mktemp("field")
    visits = [Visit("wfc3_uvis", "F606W", subarray=(300, 300))]
    simulate_field(build_field("small", Pointing(*CENTRE, 30.0), visits, seed=5, dither=1.0), folder)
    return folder


@pytest.fixture(scope="module", params=REQUESTS)
def mosaics(request, field, tmp_path_factory):
    """The mosaic of hstmosaic, that of AstroDrizzle, the image with their grid, and the kind of request."""
    ours, theirs = tmp_path_factory.mktemp("ours"), tmp_path_factory.mktemp("upstream")
    outcome = run_mosaic(
        RunOptions(
            source=str(field / "list.txt"),
            skip_alignment=True,
            output=ours,
            prefix="foo",
            request=REQUESTS[request.param](theirs),
            screening="drizzlepac",
        ),
        lambda event: None,
    )
    assert outcome.exit_code == 0, outcome.failures
    (layer,) = outcome.plan.layers
    name = layer.products[-1].name
    result = read_result(outcome.directory / "tasks" / f"drizzle-{layer.name}")
    parameters = json.dumps(result.data["parameters"][name])
    reference = theirs / f"{request.param}.fits" if request.param in PROJECTIONS else ours / name
    for path in field.glob("*_fl?.fits"):
        shutil.copyfile(path, theirs / path.name)
    subprocess.run(
        [sys.executable, str(TESTS / "helpers" / "astrodrizzle_on_grid.py"), name, f"{reference}[SCI]", parameters],
        cwd=theirs,
        check=True,
        capture_output=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    return ours / name, theirs / name, reference, request.param


def test_pixels_are_those_of_astrodrizzle(mosaics):
    with fits.open(mosaics[0]) as ours, fits.open(mosaics[1]) as theirs:
        assert ours["SCI"].shape == theirs["SCI"].shape
        for extension in ("SCI", "WHT"):
            one, other = ours[extension].data, theirs[extension].data
            if mosaics[3] == DRIZZLEPACS:
                # positions differ by rounding: 1e-14 of the distance to the reference pixel
                np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5 * np.nanstd(other))
            else:
                assert one.tobytes() == other.tobytes()
        assert np.count_nonzero(ours["WHT"].data) > 20_000


def test_the_wcs_is_that_of_the_image(mosaics):
    ours, grid = (WCS(fits.getheader(mosaics[place], "SCI")) for place in (0, 2))
    corners = np.array([[1, 1], [500, 1], [1, 520], [500, 520]])
    np.testing.assert_allclose(ours.wcs_pix2world(corners, 1), grid.wcs_pix2world(corners, 1), rtol=0, atol=1e-11)
