"""The colour composite: long wavelengths are red, flat sources white, single filters grey."""

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from hstmosaic.products.colour import Filter, compose
from hstmosaic.products.decimate import Decimated

SIDE = 200
RED, BLUE, OUTSIDE = (60, 60), (140, 60), (60, 180)
FLAT = [(20 + 16 * k, 110 + 3 * k) for k in range(9)]


def layer(name, wavelength, covered=slice(None), noise=0.05, **stars):
    """A filter with flat sources, and stars of its own; flux is per frequency."""
    header = fits.Header()
    header["PHOTFLAM"], header["PHOTPLAM"] = 1e-19, wavelength
    wcs = WCS(naxis=2)
    wcs.wcs.ctype, wcs.wcs.crval, wcs.wcs.crpix = ["RA---TAN", "DEC--TAN"], [180, 26], [100, 100]
    wcs.wcs.cd = np.diag([-1e-4, 1e-4])
    y, x = np.mgrid[:SIDE, :SIDE]
    sky = np.random.default_rng(int(wavelength)).normal(3, noise, (SIDE, SIDE))
    for column, row, flux in [*((c, r, 40) for c, r in FLAT), *stars.values()]:
        sky += flux * np.exp(-((x - column) ** 2 + (y - row) ** 2) / 18)
    if not noise:
        sky = np.round(sky)  # as exposures are whose publisher has kept integers only
    image = (sky / wavelength**2 * 1e8).astype("f4")
    weight = np.zeros_like(image)
    weight[:, covered] = 1
    image[weight == 0] = np.nan
    return Filter(name, Decimated(image, weight, wcs, 1, int(weight.sum()), (1, 1), 0.1, header, image.shape))


@pytest.fixture
def filters():
    return {
        "F160W": layer("F160W", 15369.0, red=(*RED, 60), outside=(*OUTSIDE, 40)),
        "F814W": layer("F814W", 8039.0, slice(0, 170), red=(*RED, 10), blue=(*BLUE, 10)),
        "F606W": layer("F606W", 5889.0, slice(0, 170), blue=(*BLUE, 60)),
    }


def colour(composite, place):
    return composite.pixels[place[1], place[0]].astype(int)


@pytest.mark.parametrize("order", [("F160W", "F814W", "F606W"), ("F814W", "F606W", "F160W")])
def test_colours_follow_the_wavelength_whatever_the_order(filters, order):
    made = compose([filters[name] for name in order])
    assert made.channels == (("F160W",), ("F814W",), ("F606W",))
    red, _, blue = colour(made, RED)
    assert red > 2 * blue
    red, _, blue = colour(made, BLUE)
    assert blue > 2 * red


def test_sources_that_are_alike_in_all_filters_are_white(filters):
    made = compose(list(filters.values()))
    for place in FLAT:
        if place[0] < 170:
            levels = colour(made, place)
            assert levels.min() > 150
            assert np.ptp(levels) < 40


def test_where_there_is_one_filter_only_the_sky_is_grey(filters):
    made = compose(list(filters.values()))
    outside = made.pixels[:, 172:].astype(int)
    assert np.ptp(outside, axis=2).max() <= 1
    assert made.covered.all()
    inside = made.pixels[:, :168].astype(int)
    assert np.ptp(inside, axis=2).max() > 60


def test_a_shallow_filter_does_not_speckle_the_sky():
    deep, shallow = layer("F160W", 15369.0, noise=0.02), layer("F606W", 5889.0, noise=1.0)
    sky = compose([deep, shallow]).pixels[:90].astype(int)
    assert np.std(sky, axis=(0, 1)).max() < 15
    assert 5 < np.median(sky) < 30


def test_faint_sources_are_seen_where_nearly_all_pixels_are_equal():
    made = compose([layer("F140W", 13923.0, noise=0, faint=(*RED, 4)), layer("F098M", 9864.0, noise=0)])
    sky = made.pixels[5, 5].astype(int)
    assert np.ptp(sky) == 0
    assert colour(made, RED)[0] > sky[0] + 30


def test_two_filters_also_give_a_picture(filters):
    made = compose([filters["F606W"], filters["F160W"]])
    assert made.channels == (("F160W",), (), ("F606W",))
    assert colour(made, RED)[0] > 2 * colour(made, RED)[2]
    assert colour(made, BLUE)[2] > 2 * colour(made, BLUE)[0]


def test_more_than_three_filters_share_the_channels(filters):
    more = [layer("F105W", 10552.0), layer("F475W", 4747.0)]
    made = compose([*filters.values(), *more])
    assert made.channels == (("F160W", "F105W"), ("F814W", "F606W"), ("F475W",))


@pytest.mark.parametrize(
    ("name", "detector", "expected"),
    [
        ("F814W", "WFC", 8045),
        ("F160W", "IR", 15369),
        ("F999W", "WFC", 9990),
        ("F170M", "IR", 17000),
        ("CLEAR", "WFC", 0),
    ],
)
def test_a_filter_without_calibration_has_the_wavelength_of_its_name(filters, name, detector, expected):
    small = filters["F160W"].small
    header = fits.Header()
    header["DETECTOR"] = detector
    bare = Filter(name, Decimated(small.science, small.weight, small.wcs, 1, 1, (1, 1), 0.1, header, small.shape))
    assert bare.wavelength == expected
    assert np.isfinite(bare.flux()).all()
