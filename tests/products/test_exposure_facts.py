"""Facts of exposures and filters in the report: positions, counts, skies, wavelengths and depths."""

import math
from dataclasses import replace

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from hstmosaic.plan.exposures import read_exposure
from hstmosaic.plan.outlines import Outline, thin_outline
from hstmosaic.products.colour import Filter
from hstmosaic.products.decimate import Decimated
from hstmosaic.products.exposure_counts import exposure_counts
from hstmosaic.products.measurements import ab_zero_point, limiting_magnitude, measure
from hstmosaic.products.pivots import pivot_wavelength
from hstmosaic.products.report_rows import position_angle
from hstmosaic.products.sky_levels import sky_levels, subtracted_skies

SIDE = 100


@pytest.fixture
def small():
    wcs = WCS(naxis=2)
    wcs.wcs.ctype, wcs.wcs.crval, wcs.wcs.crpix = ["RA---TAN", "DEC--TAN"], [180, 26], [50, 50]
    wcs.wcs.cd = np.diag([-1e-4, 1e-4])
    weight = np.ones((SIDE, SIDE), "f4")
    weight[:, :10] = 0
    weight[:, 60:] = 3
    header = fits.Header({"PHOTFLAM": 1e-19})
    return Decimated(np.zeros_like(weight), weight, wcs, 1, 9000, (1.0, 3.0), 0.1, header, (SIDE, SIDE), 0.2)


def outline(wcs, name, *corners):
    return Outline(name, "layer", (wcs.wcs_pix2world(np.array(corners, float), 0),))


def test_exposures_are_counted_where_the_mosaic_has_data(small):
    first = outline(small.wcs, "a", (-20, -20), (49.5, -20), (49.5, 120), (-20, 120))
    second = outline(small.wcs, "b", (29.5, 9.5), (79.5, 9.5), (79.5, 59.5), (29.5, 59.5))
    counts = exposure_counts([first, second], small)
    assert (counts[:, :10] == 0).all()
    assert (counts[5, 10:50] == 1).all()
    assert (counts[10:60, 30:50] == 2).all()
    assert (counts[10:60, 50:80] == 1).all()
    assert counts.sum() == 40 * SIDE + 50 * 50


def test_an_exposure_counts_once_where_its_chips_overlap(small):
    one = outline(small.wcs, "a", (20, 20), (40, 20), (40, 40), (20, 40))
    assert exposure_counts([replace(one, chips=one.chips * 2)], small).max() == 1


def test_areas_by_weight_add_up_to_the_area_with_data(small):
    measured = measure(small, "f160w")
    assert sum(area for _, area in measured.area_by_weight) == pytest.approx(measured.area_arcmin2)
    assert [area > 0 for _, area in measured.area_by_weight].count(True) == 2
    assert measured.area_by_weight[-1][0] == 3.0


def test_the_depth_is_five_times_the_noise_of_apertures(small):
    measured = measure(small, "f160w")
    assert measured.zero_point == pytest.approx(ab_zero_point(1e-19, 15369))
    assert measured.depth == pytest.approx(measured.zero_point - 2.5 * math.log10(5 * 0.2))
    assert limiting_magnitude(float("nan"), 25.0) is None
    assert limiting_magnitude(0.2, None) is None


@pytest.mark.parametrize(
    "names",
    [
        ("F225W", "F350LP", "F606W", "F814W", "F850LP", "F098M", "F105W", "F160W"),
        ("F115LP", "F165LP", "F220W", "F435W"),
    ],
)
def test_filters_follow_their_wavelengths_without_photplam(small, names):
    assert [filter_.name for filter_ in sorted((Filter(n, small) for n in names), key=lambda f: f.wavelength)] == [
        *names
    ]


def test_crossed_and_unknown_filters():
    assert pivot_wavelength("f606w-pol0v") == pivot_wavelength("pol0v-F606W") == 5922
    assert pivot_wavelength("g280") == 0


def test_position_angles_are_those_of_the_detectors_y_axis(simulated):
    for path in simulated.demo(200).paths:
        exposure = read_exposure(path)
        chip = exposure.chips[0]
        ra, dec = chip.wcs.all_pix2world([[0, 0], [0, 50]], 0).T
        east, north = (ra[1] - ra[0]) * math.cos(math.radians(dec[0])), dec[1] - dec[0]
        found = position_angle(Outline(path.name, "layer", (thin_outline(chip),)))
        assert found == pytest.approx(math.degrees(math.atan2(east, north)) % 360, abs=0.1)


def test_skies_are_medians_less_what_was_subtracted(simulated, tmp_path):
    exposures = [read_exposure(path) for path in simulated.demo(200).paths[:2]]
    table = fits.BinTableHDU.from_columns(
        [
            fits.Column("ROOTNAME", "9A", array=[e.rootname for e in exposures]),
            fits.Column("EXTVER", "J", array=[1, 1]),
            fits.Column("MDRIZSKY", "D", array=[0.0, 12.0]),
        ],
        name="HDRTAB",
    )
    fits.HDUList([fits.PrimaryHDU(), table]).writeto(tmp_path / "mosaic.fits")
    subtracted_by_chip = subtracted_skies(tmp_path / "mosaic.fits")
    levels = sky_levels(subtracted_by_chip, exposures)
    for exposure, subtracted in zip(exposures, (0.0, 12.0), strict=True):
        rate = np.median(fits.getdata(exposure.path, "SCI")) / exposure.exptime  # WFC3/UVIS counts electrons
        level = levels[exposure.name]
        assert level.before == pytest.approx(rate, rel=0.05)
        assert level.before - level.after == pytest.approx(subtracted / exposure.exptime)
    gone = replace(exposures[0], path=tmp_path / "gone.fits")
    assert sky_levels(subtracted_by_chip, [gone]) == {}
