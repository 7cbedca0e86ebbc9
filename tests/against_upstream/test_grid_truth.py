"""Stars drizzled onto the rotated 0.03" grid of another image are where they are in truth, with their true fluxes."""

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from astropy.wcs import WCS

from hstmosaic.plan.request import MosaicRequest
from hstmosaic.plan.target_grid import read_grid
from hstmosaic.run.driver import run_mosaic
from hstmosaic.run.options import RunOptions
from hstmosaic.simulate import Pointing, Scene, Visit, build_field, simulate_field, sky_cell_corner

pytestmark = pytest.mark.upstream

RA, DEC = sky_cell_corner()
SCALE = 0.03
APERTURE = 0.6
"""Radius that holds all light of a star, arcsec."""


def other_image(path):
    """Write an image whose WCS has another centre, 0.03" pixels, and is turned by 37 degrees."""
    angle, degrees = np.deg2rad(37.0), SCALE / 3600
    header = fits.Header({"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CUNIT1": "deg", "CUNIT2": "deg"})
    header["CRVAL1"], header["CRVAL2"] = RA + 0.002, DEC - 0.001
    header["CD1_1"], header["CD1_2"] = -degrees * np.cos(angle), degrees * np.sin(angle)
    header["CD2_1"], header["CD2_2"] = degrees * np.sin(angle), degrees * np.cos(angle)
    header["CRPIX1"], header["CRPIX2"] = 0.0, 0.0
    x, y = WCS(header).wcs_world2pix([[RA, DEC]], 1)[0]
    header["CRPIX1"], header["CRPIX2"] = 400.3 - x, 380.8 - y
    fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(np.zeros((760, 800), np.int16), header, name="SCI")]).writeto(path)
    return f"{path}[SCI]"


@pytest.fixture(scope="module")
def mosaic(tmp_path_factory):
    """The mosaic of four exposures of nine bright stars, and their truth."""
    folder = tmp_path_factory.mktemp("stars")
    east, north = (grid.ravel() * 3.0 / 3600 for grid in np.mgrid[-1:2, -1:2])
    ra, dec = RA + (east + 0.00013) / np.cos(np.deg2rad(DEC)), DEC + north + 0.00007
    none = np.zeros(9)
    scene = Scene(ra, dec, np.full(9, 18.5), none, none, np.ones(9), none)
    visits = [Visit("wfc3_uvis", "F606W", exposures=4, exptime=100.0, subarray=(400, 400))]
    field = build_field("stars", Pointing(RA, DEC, 30.0), visits, scene=scene, dither=0.5, seed=5, cosmic_rays=0.0)
    simulate_field(field, folder)
    options = RunOptions(
        str(folder / "list.txt"),
        prefix="foo",
        skip_alignment=True,
        output=folder / "out",
        request=MosaicRequest(grid=read_grid(other_image(folder / "other.fits"))),
    )
    outcome = run_mosaic(options, lambda event: None)
    assert outcome.exit_code == 0, outcome.failures
    with fits.open(outcome.mosaics[0]) as hdus:
        truth = Table.read(folder / "truth.ecsv")
        areas = np.mean([relative_areas(path, truth) for path in sorted(folder.glob("*_flc.fits"))], axis=0)
        return hdus["SCI"].data.astype(float), WCS(hdus["SCI"].header), truth, areas


def relative_areas(path, truth):
    """Return the area of the pixels at the stars, relative to the nominal one that AstroDrizzle refers fluxes to.

    Simulated stars have their true flux on the detector. Flat-fielded pixels count as if all had the nominal area.
    """
    with fits.open(path) as hdus:
        chip, nominal = WCS(hdus["SCI"].header, hdus), hdus["SCI"].header["IDCSCALE"] ** 2
        x, y = chip.all_world2pix(truth["ra"], truth["dec"], 0)
        (right, left), (up, down) = (
            [np.array(chip.all_pix2world(x + sign * dx, y + sign * dy, 0)) for sign in (0.5, -0.5)]
            for dx, dy in ((1, 0), (0, 1))
        )
        along_x, along_y = (right - left) * 3600, (up - down) * 3600
        area = np.abs(along_x[0] * along_y[1] - along_y[0] * along_x[1]) * np.cos(np.deg2rad(truth["dec"]))
    return np.asarray(area) / nominal


def measured(image, x, y):
    """Return centroid and flux of a star near (x, y)."""
    rows, columns = np.mgrid[: image.shape[0], : image.shape[1]]
    for _ in range(5):
        distance = np.hypot(columns - x, rows - y) * SCALE
        inside = distance < APERTURE
        light = image - np.median(image[(distance > 0.8) & (distance < 1.3)])
        flux = light[inside].sum()
        core = distance < APERTURE / 2
        x, y = ((light[core] * place[core]).sum() / light[core].sum() for place in (columns, rows))
    return x, y, flux


def test_stars_are_at_their_true_positions_with_their_true_fluxes(mosaic):
    image, plane, truth, areas = mosaic
    image = np.nan_to_num(image)
    places = plane.wcs_world2pix(np.column_stack([truth["ra"], truth["dec"]]), 0)
    found = np.array([measured(image, *place) for place in places])
    offsets = np.hypot(*(found[:, :2] - places).T) * SCALE * 1000
    fluxes = found[:, 2] / (areas * np.asarray(truth["flux_wfc3_uvis_f606w"]))
    assert len(offsets) == 9
    assert offsets.max() < 1.0, f"offsets in mas: {offsets}"
    np.testing.assert_allclose(fluxes, 1, rtol=0, atol=0.005)
