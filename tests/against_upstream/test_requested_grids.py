"""Mosaics on grids of the user are those of AstroDrizzle on the same grid, bit for bit."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from hstmosaic.plan.request import MosaicRequest
from hstmosaic.plan.target_grid import read_grid
from hstmosaic.run.driver import run_mosaic
from hstmosaic.run.options import RunOptions
from hstmosaic.simulate import Pointing, Visit, build_field, simulate_field, sky_cell_corner
from hstmosaic.store.result_files import read_result

pytestmark = pytest.mark.upstream

TESTS = Path(__file__).parents[1]
CENTRE = sky_cell_corner()


def write_grid(path: Path) -> str:
    """Write an image of 0.03" pixels turned by 25 degrees."""
    angle, degrees = np.deg2rad(25.0), 0.03 / 3600
    plane = WCS(naxis=2)
    plane.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    plane.wcs.crpix, plane.wcs.crval = [260.3, 250.8], list(CENTRE)
    plane.wcs.cd = degrees * np.array([[-np.cos(angle), np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    header = plane.to_header(relax=True)
    # astropy writes PC and CDELT, which stwcs does not read
    for key in ("PC1_1", "PC1_2", "PC2_1", "PC2_2", "CDELT1", "CDELT2"):
        header.remove(key, ignore_missing=True)
    for row in (1, 2):
        for column in (1, 2):
            header[f"CD{row}_{column}"] = plane.wcs.cd[row - 1, column - 1]
    image = fits.ImageHDU(np.zeros((520, 500), np.float32), header, name="SCI")
    fits.HDUList([fits.PrimaryHDU(), image]).writeto(path)
    return f"{path}[SCI]"


@pytest.fixture(scope="module")
def mosaics(tmp_path_factory):
    """The mosaic of hstmosaic and that of AstroDrizzle."""
    folder, ours = tmp_path_factory.mktemp("upstream"), tmp_path_factory.mktemp("ours")
    visits = [Visit("wfc3_uvis", "F606W", subarray=(300, 300))]
    simulate_field(build_field("small", Pointing(*CENTRE, 30.0), visits, seed=5, dither=1.0), folder)
    grid = write_grid(folder / "grid.fits")
    request = MosaicRequest(grid=read_grid(grid))
    source = str(folder / "list.txt")
    outcome = run_mosaic(
        RunOptions(
            source=source, skip_alignment=True, output=ours, prefix="foo", request=request, screening="drizzlepac"
        ),
        lambda event: None,
    )
    assert outcome.exit_code == 0, outcome.failures
    (layer,) = outcome.plan.layers
    name = layer.products[0].name
    result = read_result(outcome.directory / "tasks" / f"drizzle-{layer.name}")
    parameters = json.dumps(result.data["parameters"][name])
    subprocess.run(
        [sys.executable, str(TESTS / "helpers" / "astrodrizzle_on_grid.py"), name, "grid.fits[SCI]", parameters],
        cwd=folder,
        check=True,
        capture_output=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    return ours / name, folder / name, folder / "grid.fits"


def test_pixels_are_those_of_astrodrizzle(mosaics):
    with fits.open(mosaics[0]) as ours, fits.open(mosaics[1]) as theirs:
        assert ours["SCI"].shape == theirs["SCI"].shape == (520, 500)
        for extension in ("SCI", "WHT"):
            assert ours[extension].data.tobytes() == theirs[extension].data.tobytes()
        assert np.count_nonzero(ours["WHT"].data) > 50_000


def test_the_wcs_is_that_of_the_image(mosaics):
    ours, grid = (WCS(fits.getheader(mosaics[place], "SCI")) for place in (0, 2))
    corners = np.array([[1, 1], [500, 1], [1, 520], [500, 520]])
    np.testing.assert_allclose(ours.wcs_pix2world(corners, 1), grid.wcs_pix2world(corners, 1), rtol=0, atol=1e-11)
