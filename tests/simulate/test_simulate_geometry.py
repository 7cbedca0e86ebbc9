from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.io import fits
from hypothesis import given
from hypothesis import strategies as st

from hstmosaic.errors import HstMosaicError
from hstmosaic.simulate import Pointing, PointingError, camera, cut
from hstmosaic.simulate.attitude import chip_aims, sky_vectors
from hstmosaic.simulate.geometry import chip_wcs

CAMERAS = ["acs_wfc", "acs_hrc", "acs_sbc", "wfc3_uvis", "wfc3_ir"]
HEADERS = Path(__file__).parents[2] / ".." / "shared" / "data" / "headers"
REAL = {
    "acs_wfc": "acs_wfc_jbt122x8q_flc.fits",
    "wfc3_uvis": "wfc3_uvis_ib4606c5q_flc.fits",
    "wfc3_ir": "wfc3_ir_ib4606cpq_flt.fits",
}


def rigid_body(crval, cd):
    """Three vectors of one chip: where it is, and its pixel axes in degrees per pixel."""
    ra, dec = np.deg2rad(crval)
    east = np.array([-np.sin(ra), np.cos(ra), 0])
    centre = sky_vectors(*np.asarray(crval))
    north = np.array([-np.sin(dec) * np.cos(ra), -np.sin(dec) * np.sin(ra), np.cos(dec)])
    return [centre, *(np.stack([east, north], axis=1) @ np.asarray(cd) * 1e5).T]


def inner_products(bodies):
    """Relative geometry, the same for all attitudes of a rigid body."""
    vectors = np.array([vector for body in bodies for vector in body])
    return vectors @ vectors.T


def simulated_geometry(name, pointing):
    return inner_products(rigid_body(aim.crval, aim.cd) for aim in chip_aims(camera(name), pointing))


@pytest.mark.parametrize("name", REAL)
def test_geometry_is_that_of_the_real_headers(name):
    path = HEADERS / REAL[name]
    if not path.exists():
        pytest.skip(f"no real headers at {HEADERS}")
    with fits.open(path) as hdus:
        headers = [hdus["SCI", chip + 1].header.copy() for chip in range(len(camera(name).chips))]
    real = [
        rigid_body(
            (header["CRVAL1A"], header["CRVAL2A"]),
            [[header[f"CD{i}_{j}A"] for j in (1, 2)] for i in (1, 2)],
        )
        for header in headers
    ]
    np.testing.assert_allclose(
        simulated_geometry(name, Pointing(10, -20, 77)), inner_products(real), rtol=0, atol=1e-11
    )
    for chip, header in zip(camera(name).chips, headers, strict=True):
        assert {key: header[key] for key in chip.sip} == chip.sip
        assert {key: header[key] for key in chip.linear} == chip.linear
        assert chip.crpix == (header["CRPIX1"], header["CRPIX2"])


def test_acs_hrc_has_the_scale_and_skew_of_a_real_exposure():
    # the linear WCS of an exposure of 2002, which spherical_geometry tests itself with
    path = Path(str(files("spherical_geometry"))) / "tests" / "data" / "j8bt06nyq_flt.fits"
    if not path.exists():
        pytest.skip("spherical_geometry comes without its test data")
    header = fits.getheader(path, "SCI")
    real = np.array([[header[f"CD{i}_{j}"] for j in (1, 2)] for i in (1, 2)])
    (aim,) = chip_aims(camera("acs_hrc"), Pointing(10.0, -20.0))
    simulated = np.array(aim.cd)
    assert (header["CRPIX1"], header["CRPIX2"]) == camera("acs_hrc").chips[0].crpix
    assert np.linalg.det(simulated) == pytest.approx(np.linalg.det(real), rel=1e-3)
    np.testing.assert_allclose(simulated.T @ simulated, real.T @ real, rtol=0, atol=1e-3 * (real.T @ real).max())


@pytest.mark.parametrize(
    ("name", "width", "height"), [("acs_hrc", 29.1, 25.6), ("acs_sbc", 34.6, 30.6)], ids=["ACS/HRC", "ACS/SBC"]
)
def test_small_detectors_see_as_much_sky_as_the_handbook_says(name, width, height):
    body = camera(name)
    wcs = chip_wcs(body, chip_aims(body, Pointing(10.0, -20.0)), 0)
    x, y = np.array([0.5, 1023.5, 512, 512]), np.array([512, 512, 0.5, 1023.5])
    left, right, low, high = SkyCoord(*wcs.all_pix2world(x, y, 0), unit="deg")
    assert left.separation(right).arcsec == pytest.approx(width, rel=0.02)
    assert low.separation(high).arcsec == pytest.approx(height, rel=0.02)


@given(ra=st.floats(0, 360), dec=st.floats(-90, 90), orient=st.floats(-180, 360))
def test_chips_stay_together_at_any_pointing(ra, dec, orient):
    for name in CAMERAS:
        np.testing.assert_allclose(
            simulated_geometry(name, Pointing(ra, dec, orient)),
            simulated_geometry(name, Pointing(0, 0, 0)),
            rtol=0,
            atol=1e-10,
        )


@pytest.mark.parametrize("name", CAMERAS)
@pytest.mark.parametrize(
    "where", [(0.0, 0.0), (359.9999, 12.0), (0.0001, -60.0), (123.0, 89.99), (40.0, 90.0), (7.0, -90.0)]
)
def test_pointing_and_orientation_are_as_requested(name, where):
    pointing = Pointing(*where, 33.3)
    aims = chip_aims(camera(name), pointing)
    wcs = chip_wcs(camera(name), aims, 0)
    # A column of pixels is a great circle on the tangent plane, so its bearing is exact over any length.
    x, y = wcs.wcs_world2pix(*where, 0)
    top = SkyCoord(*wcs.wcs_pix2world([x], [y + 500.0], 0), unit="deg")
    start = SkyCoord(*where, unit="deg")
    assert start.position_angle(top)[0].deg == pytest.approx(33.3, abs=1e-6)

    middles = []
    for number, chip in enumerate(camera(name).chips):
        height, width = chip.shape
        sip_only = chip_wcs(camera(name), aims, number)
        sip_only.cpdis1 = sip_only.cpdis2 = sip_only.det2im1 = sip_only.det2im2 = None
        position = sip_only.all_pix2world((width - 1) / 2, (height - 1) / 2, 0)
        middles.append(sky_vectors(*np.array(position, dtype=float)))
    middle = np.sum(middles, axis=0)
    offset = middle / np.linalg.norm(middle) - sky_vectors(*np.array(where))
    assert np.rad2deg(np.linalg.norm(offset)) * 3600 < 1e-5


@pytest.mark.parametrize("name", CAMERAS)
def test_world_to_pixel_inverts_pixel_to_world_with_all_tables(name):
    whole = camera(name)
    aims = chip_aims(whole, Pointing(200.0, 50.0, 120.0))
    for number, chip in enumerate(whole.chips):
        wcs = chip_wcs(whole, aims, number)
        y, x = (axis.ravel() for axis in np.mgrid[0 : chip.shape[0] : 97, 0 : chip.shape[1] : 97].astype(float))
        back = wcs.all_world2pix(*wcs.all_pix2world(x, y, 0), 0, tolerance=1e-8, maxiter=50)
        np.testing.assert_allclose(back, [x, y], rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", ["acs_wfc", "wfc3_uvis"])
def test_tables_move_pixels_by_a_tenth(name):
    aims = chip_aims(camera(name), Pointing(200.0, 50.0))
    wcs = chip_wcs(camera(name), aims, 1)
    y, x = (axis.ravel() for axis in np.mgrid[0:2048:64, 0:4096:64].astype(float))
    d2im = np.abs(wcs.det2im(np.stack([x, y], axis=1), 0) - np.stack([x, y], axis=1)).max()
    npol = np.abs(wcs.p4_pix2foc(np.stack([x, y], axis=1), 0) - np.stack([x, y], axis=1)).max()
    assert 0.03 < d2im < 0.06
    assert 0.08 < npol < 0.15


@pytest.mark.parametrize("name", CAMERAS)
@pytest.mark.parametrize("corner", ["center", "lower-left", "lower-right", "upper-left", "upper-right"])
def test_subarray_has_the_distortion_of_its_place_on_the_chip(name, corner):
    whole = camera(name)
    extver = len(whole.chips)
    part = cut(whole, (300, 500), extver=extver, corner=corner)
    aims = chip_aims(whole, Pointing(30.0, 5.0, 12.0))
    x0, y0 = part.chips[0].origin
    x, y = np.array([0.0, 499, 250, 33]), np.array([0.0, 299, 10, 211])
    of_part = chip_wcs(part, aims[-1:], 0).all_pix2world(x, y, 0)
    of_whole = chip_wcs(whole, aims, extver - 1).all_pix2world(x + x0, y + y0, 0)
    np.testing.assert_allclose(of_part, of_whole, rtol=0, atol=1e-9)


def test_pointing_error_moves_and_turns_the_header():
    true = Pointing(359.99999, 60.0, 350.0)
    stated = true.moved(PointingError(0.3, -0.2, 0.02))
    a, b = SkyCoord(true.ra, true.dec, unit="deg"), SkyCoord(stated.ra, stated.dec, unit="deg")
    east, north = a.spherical_offsets_to(b)
    assert (east.to_value(u.arcsec), north.to_value(u.arcsec)) == pytest.approx((0.3, -0.2), abs=1e-6)
    assert (stated.orient - true.orient) % 360 == pytest.approx(0.02, abs=1e-3)
    level = Pointing(10.0, 0.0, 350.0)
    assert (level.moved(PointingError(roll=0.02)).orient - 350) % 360 == pytest.approx(0.02, abs=1e-10)


def test_dither_goes_along_the_image_axes():
    start = Pointing(80.0, 70.0, 25.0)
    aims = chip_aims(camera("wfc3_ir"), start)
    wcs = chip_wcs(camera("wfc3_ir"), aims, 0)
    up = start.dithered(0.0, 10.0)
    x0, y0 = wcs.wcs_world2pix(start.ra, start.dec, 0)
    x, y = wcs.wcs_world2pix(up.ra, up.dec, 0)
    assert (x - x0, y - y0) == pytest.approx((0.0, 10 / 0.121), abs=0.5)


@pytest.mark.parametrize(
    "make",
    [
        lambda: camera("nicmos"),
        lambda: camera("wfc3_ir").filter("F606W"),
        lambda: cut(camera("wfc3_ir"), (2000, 10)),
        lambda: cut(camera("wfc3_ir"), (10, 10), extver=2),
        lambda: cut(camera("wfc3_ir"), (10, 10), corner="middle"),
        lambda: cut(cut(camera("wfc3_ir"), (10, 10)), (5, 5)),
        lambda: Pointing(0.0, 91.0),
        lambda: Pointing(float("nan"), 0.0),
    ],
)
def test_unusable_arguments_are_refused(make):
    with pytest.raises(HstMosaicError):
        make()
