"""North: its direction by spherical geometry, and stars that stay where they belong when a mosaic is turned."""

from dataclasses import replace

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.io import fits

from hstmosaic.plan.cells import load_sky_grid
from hstmosaic.products.decimate import Decimated
from hstmosaic.products.orient import SMALL_ANGLE, north_angle, north_up, pixel_size

PLACES = [(1889, 0.5, 0.5), (1889, 0.1, 0.9), (2643, 0.7, 0.6), (2643, 0.4, 0.45), (0, 0.3, 0.7), (2500, 0.02, 0.9)]
"""Projection cells (the first and the last hold the poles), and places in them."""


@pytest.mark.parametrize(("number", "across", "up"), PLACES)
def test_north_is_where_spherical_geometry_has_it(number, across, up):
    cell = load_sky_grid().cell(number)
    x, y = across * cell.naxis[0], up * cell.naxis[1]
    here, above = (SkyCoord(*cell.wcs.all_pix2world(x, y + dy, 0), unit="deg") for dy in (0, 1))
    # seen from north, "up" is turned to the east by as much as north is turned to the west when seen from "up"
    expected = -here.position_angle(above)
    found = north_angle(cell.wcs, x, y) * u.deg
    # a tangent plane keeps angles in its middle only: 2.5 degrees off, by 0.03 degrees
    assert abs((found - expected).wrap_at(180 * u.deg).to_value("deg")) < 0.03


def small_mosaic(number, across, up, side=240, factor=10):
    """A decimated mosaic with five stars; return it and them."""
    cell = load_sky_grid().cell(number)
    wcs = cell.wcs.deepcopy()
    corner = np.array([across * cell.naxis[0], up * cell.naxis[1]]).round()
    wcs.wcs.crpix = (wcs.wcs.crpix - corner - 0.5) / factor + 0.5
    wcs.wcs.cd = wcs.wcs.cd * factor
    wcs.pixel_shape = None
    places = np.array([(60, 50), (180, 66), (118, 121), (55, 190), (170.4, 171.7)])
    y, x = np.mgrid[:side, : side + 60]
    image = sum(1000 * np.exp(-((x - px) ** 2 + (y - py) ** 2) / 8) for px, py in places).astype("f4")
    weight = np.ones_like(image)
    weight[:, side:] = 0
    image[:, side:] = np.nan
    stars = SkyCoord(wcs.pixel_to_world(*places.T))
    whole = (factor * side, factor * side)
    return Decimated(image, weight, wcs, factor, side * side, (1.0, 1.0), 0.0, fits.Header(), whole), stars


@pytest.mark.parametrize(("number", "across", "up"), PLACES)
def test_stars_are_where_the_view_says(number, across, up):
    small, stars = small_mosaic(number, across, up)
    view = north_up(small)
    assert pixel_size(view.wcs) == pytest.approx(pixel_size(small.wcs))
    before = north_angle(small.wcs, 120, 120)
    assert (view.north == 0) == (abs(before) > SMALL_ANGLE)
    for x, y in zip(*view.wcs.world_to_pixel(stars), strict=True):
        rows, columns = np.mgrid[round(y) - 6 : round(y) + 7, round(x) - 6 : round(x) + 7]
        stamp = view.science[rows, columns]
        assert np.average(columns, weights=stamp) == pytest.approx(x, abs=0.1)
        assert np.average(rows, weights=stamp) == pytest.approx(y, abs=0.1)


@pytest.mark.parametrize(("number", "across", "up"), PLACES)
def test_north_is_up_in_the_middle_of_a_turned_view(number, across, up):
    small, _ = small_mosaic(number, across, up)
    view = north_up(replace(small, weight=np.ones_like(small.weight)))
    middle = (view.science.shape[1] - 1) / 2, (view.science.shape[0] - 1) / 2
    here = SkyCoord(view.wcs.pixel_to_world(*middle))
    x, y = view.wcs.world_to_pixel(here.directional_offset_by(0 * u.deg, 5 * u.arcsec))
    found = np.degrees(np.arctan2(-(x - middle[0]), y - middle[1]))
    assert found == pytest.approx(view.north, abs=0.05)
    assert abs(found) <= SMALL_ANGLE + 0.05


def test_what_is_not_covered_is_cut_off():
    small, _ = small_mosaic(*PLACES[0])
    view = north_up(small)
    assert view.science.shape == (240, 240)
    assert (view.weight > 0).all()
