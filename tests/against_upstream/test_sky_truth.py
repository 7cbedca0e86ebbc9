"""Mosaics of exposures with known, different skies: the background has no steps, and a galaxy its true profile."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from astropy.wcs import WCS

from hstmosaic.errors import ExitCode
from hstmosaic.run.driver import run_mosaic
from hstmosaic.run.options import RunOptions
from hstmosaic.simulate import ExtendedGalaxy, Pointing, Scene, Visit, build_field, simulate_field, sky_cell_corner
from hstmosaic.simulate.fields import POINTINGS_NAME

pytestmark = [pytest.mark.upstream, pytest.mark.slow]

SUBARRAY = (800, 800)
EXPTIME = 500.0
SEAM_TOLERANCE = 0.02
"""In units of the noise of the sky in one pixel of one exposure."""
PROFILE_TOLERANCE = 0.01
CELL_PIXELS = 40_000
"""Fewest pixels of a part of the mosaic whose background is measured; its error is then 0.5 % of that noise."""
OUTPUT_SCALE = 0.04
STEP = 20.0
"""Arcsec between pointings; exposures are 32 arcsec wide."""


@dataclass(frozen=True)
class Made:
    """A mosaic and the truth about it, in electrons per second of a nominal pixel of the detector."""

    residual: np.ndarray
    """Mosaic without the galaxy that was put in, NaN where there are no data."""
    signal: np.ndarray
    """Mosaic without the sky that is left in by design: the lowest of all."""
    galaxy: np.ndarray
    """The galaxy that was put in."""
    distance: np.ndarray
    """From the centre of the galaxy, arcsec."""
    cells: np.ndarray
    """Which exposures a pixel is made of, a bit each."""
    noise: float
    """Of the sky in one pixel of one exposure."""
    lowest: float
    """The lowest sky."""


def scene():
    ra, dec = sky_cell_corner()
    none = np.empty(0)
    galaxy = ExtendedGalaxy(ra, dec, brightness=20.5, scale=1.5)
    return Scene(none, none, none, none, none, none, none, extended=(galaxy,))


def visits():
    """Six pointings, two exposures each, with skies of 0.6 to 1.9 times the usual."""
    skies = np.random.default_rng(7).permutation(np.linspace(0.6, 1.9, 12)).reshape(6, 2)
    places = [(column * STEP, row * STEP) for row in (-0.5, 0.5) for column in (-1, 0, 1)]
    return [
        Visit("wfc3_uvis", "F606W", offset=place, subarray=SUBARRAY, exptime=EXPTIME, skies=tuple(map(float, pair)))
        for place, pair in zip(places, skies, strict=True)
    ]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("skies")
    field = build_field("skies", Pointing(*sky_cell_corner(), 30.0), visits(), scene=scene(), dither=1.0, cosmic_rays=0)
    exposures = simulate_field(field, folder)
    options = RunOptions(source=str(folder / "list.txt"), prefix="x", skip_alignment=True, output=folder / "out")
    outcome = run_mosaic(options, lambda _: None)
    assert (outcome.exit_code, outcome.left_out, outcome.fallbacks) == (ExitCode.OK, (), {})
    return measured(
        folder / "out/x_wfc3_uvis_f606w_all_drc.fits", exposures, Table.read(folder / POINTINGS_NAME), field
    )


def measured(mosaic, exposures, pointings, field):
    with fits.open(mosaic) as hdus:
        image, weight, wcs = hdus["SCI"].data.astype(float), hdus["WHT"].data, WCS(hdus["SCI"].header)
    chip = field.exposures[0].camera.chips[0]
    area = chip.linear["IDCSCALE"] ** 2
    image *= area / OUTPUT_SCALE**2
    image[weight == 0] = np.nan
    rows, columns = np.indices(image.shape)
    ra, dec = wcs.all_pix2world(columns.ravel(), rows.ravel(), 0)
    (source,) = field.scene.extended
    east = (ra - source.ra) * np.cos(np.deg2rad(source.dec))
    distance = (np.hypot(east, dec - source.dec) * 3600).reshape(image.shape)
    facts = field.exposures[0].camera.filter("F606W")
    galaxy = area * source.rate(distance, facts)
    cells = np.zeros(image.shape, dtype=int)
    for number, path in enumerate(exposures):
        with fits.open(path) as hdus:
            x, y = WCS(hdus["SCI", 1].header, hdus).all_world2pix(ra, dec, 0)
        # pixels at the edge of an exposure are partly covered
        inside = (x > 2) & (y > 2) & (x < SUBARRAY[1] - 3) & (y < SUBARRAY[0] - 3)
        outside = (x < -3) | (y < -3) | (x > SUBARRAY[1] + 2) | (y > SUBARRAY[0] + 2)
        cells[inside.reshape(image.shape)] |= 1 << number
        image[~(inside | outside).reshape(image.shape)] = np.nan
    skies = np.array(pointings["sky"])
    noise = float(np.sqrt(np.median(skies) / EXPTIME))
    return Made(image - galaxy, image - skies.min(), galaxy, distance, cells, noise, float(skies.min()))


def backgrounds(made):
    """Return the mean of the residual in each large cell far from the galaxy's cusp."""
    good = np.isfinite(made.residual) & (made.distance > 1)
    found = {}
    for cell in np.unique(made.cells[made.cells > 0]):
        pixels = made.residual[good & (made.cells == cell)]
        if pixels.size >= CELL_PIXELS:
            found[int(cell)] = float(pixels.mean())
    return found


def test_the_background_has_no_steps(made):
    levels = backgrounds(made)
    assert len(levels) >= 10
    alone = {cell.bit_count() for cell in levels}
    assert len(alone) >= 3, "seams of several kinds"
    steps = (max(levels.values()) - min(levels.values())) / made.noise
    print(f"largest step between {len(levels)} cells: {100 * steps:.2f} % of the noise of the sky")
    assert steps < SEAM_TOLERANCE


def test_the_lowest_sky_is_left_in(made):
    levels = np.array(list(backgrounds(made).values()))
    assert levels.mean() == pytest.approx(made.lowest, abs=SEAM_TOLERANCE * made.noise)


def test_the_profile_of_the_galaxy_is_true(made):
    """To 1 %, and to what steps of the background and noise allow."""
    good = np.isfinite(made.signal)
    ratios, faults = [], []
    for inner, outer in pairwise(np.arange(1.0, 6.5, 0.5)):
        ring = good & (made.distance >= inner) & (made.distance < outer)
        measured_mean, true_mean = float(made.signal[ring].mean()), float(made.galaxy[ring].mean())
        noise = made.noise * (SEAM_TOLERANCE + 4 / np.sqrt(ring.sum()))
        ratios.append(measured_mean / true_mean)
        if abs(measured_mean - true_mean) > PROFILE_TOLERANCE * true_mean + noise:
            faults.append(f"{inner} to {outer} arcsec: {measured_mean:.6f} instead of {true_mean:.6f}")
    print("profile over truth from 1 to 6 arcsec:", np.round(ratios, 4))
    assert not faults
