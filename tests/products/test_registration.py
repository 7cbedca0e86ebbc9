"""Offsets between mosaics are measured on their stars; half a pixel is a warning."""

from dataclasses import astuple

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from hstmosaic.plan.catalog_replies import COLUMNS, reply_text
from hstmosaic.plan.catalog_table import CatalogTable
from hstmosaic.products.registration import find_stars, measure_registration, star_width
from hstmosaic.run.stages.registration import (
    CheckedMosaic,
    measure_widths,
    report_catalog,
    report_registration,
    stars_of,
)
from hstmosaic.store.events import EventLog
from hstmosaic.store.stage_events import Registered

SHAPE = (700, 600)
SKY = np.random.default_rng(2).uniform((25, 25), (SHAPE[1] - 25, SHAPE[0] - 25), (60, 2))


def grid():
    """Return the WCS of a mosaic whose grid begins at its first pixel: 0.04 arcsec per pixel."""
    wcs = WCS(naxis=2)
    wcs.wcs.ctype, wcs.wcs.crval, wcs.wcs.crpix = ("RA---TAN", "DEC--TAN"), (150.0, 2.0), (101.0, 201.0)
    wcs.wcs.cd = np.diag([-0.04, 0.04]) / 3600
    return wcs


def mosaic(path, offset=(0.0, 0.0), width=2.2, stars=60, corner=0, seed=1):
    """Write a mosaic with stars displaced from the sky, whose grid begins ``corner`` pixels later."""
    rng = np.random.default_rng(seed)
    image, (y, x) = rng.normal(0, 1, SHAPE), np.indices(SHAPE)
    for (sx, sy), flux in zip(SKY[:stars] + offset - corner, rng.uniform(60, 900, stars), strict=True):
        near = np.s_[max(0, int(sy) - 15) : int(sy) + 16, max(0, int(sx) - 15) : int(sx) + 16]
        distance = (x[near] - sx) ** 2 + (y[near] - sy) ** 2
        image[near] += flux * np.exp(-distance / (2 * (width / 2.3548) ** 2))
    header = grid().to_header()
    header.update({"CRPIX1": 101.0 - corner, "CRPIX2": 201.0 - corner})
    weight = np.ones(SHAPE, np.float32)
    weight[:, :10] = 0
    hdus = [
        fits.PrimaryHDU(),
        fits.ImageHDU(image.astype(np.float32), header, name="SCI"),
        fits.ImageHDU(weight, name="WHT"),
    ]
    fits.HDUList(hdus).writeto(path)
    return path


@pytest.mark.parametrize("offset", [(0.0, 0.0), (0.2, -0.3), (4.0, -6.5)])
def test_the_offset_of_a_mosaic_is_measured(tmp_path, offset):
    first = find_stars(mosaic(tmp_path / "a.fits"))
    second = find_stars(mosaic(tmp_path / "b.fits", offset, width=4.5, corner=7, seed=2))
    found = measure_registration(first.places, second.places)
    assert found.stars > 40
    assert (found.x, found.y) == pytest.approx(offset, abs=0.04)
    assert Registered("b", "a", *astuple(found)).is_bad == (np.hypot(*offset) > 0.5)


def test_mosaics_without_common_stars_have_no_offset():
    rng = np.random.default_rng(5)
    for _ in range(50):
        first, second = (rng.uniform(0, 1000, (count, 2)) for count in (300, 200))
        assert measure_registration(first, second).stars == 0


def test_bad_registration_is_a_warning(tmp_path):
    events = []
    mosaics = {
        "uvis": mosaic(tmp_path / "a.fits"),
        "good": mosaic(tmp_path / "b.fits", (0.1, 0.1), stars=40, seed=2),
        "bad": mosaic(tmp_path / "c.fits", (4.0, 0.0), stars=40, seed=3),
        "empty": mosaic(tmp_path / "d.fits", stars=0, seed=4),
    }
    stars = {layer: find_stars(path).places for layer, path in mosaics.items()}
    report_registration(stars, EventLog(events.append))
    assert [(event.data["layer"], event.level) for event in events] == [
        ("good", "info"),
        ("bad", "warning"),
        ("empty", "info"),
    ]
    assert "bad is offset from uvis by (+4.0" in events[1].message
    assert "too few common stars" in events[2].message


def test_mosaics_that_cannot_be_read_do_not_end_the_run(tmp_path):
    (tmp_path / "broken.fits").write_text("broken")
    events = []
    mosaics = {"uvis": mosaic(tmp_path / "a.fits"), "broken": tmp_path / "broken.fits"}
    report_registration({layer: stars_of(path).places for layer, path in mosaics.items()}, EventLog(events.append))
    assert [event.level for event in events] == ["info"]


def test_compressed_mosaics_are_read(tmp_path):
    plain = mosaic(tmp_path / "a.fits")
    with fits.open(plain) as hdus:
        how = {"compression_type": "GZIP_2", "quantize_level": 0.0}
        made = [fits.CompImageHDU(hdus[name].data, hdus[name].header, name, **how) for name in ("SCI", "WHT")]
        fits.HDUList([fits.PrimaryHDU(), *made]).writeto(tmp_path / "b.fits")
    np.testing.assert_array_equal(find_stars(tmp_path / "b.fits").places, find_stars(plain).places)


@pytest.mark.parametrize("width", [1.8, 2.2, 3.0, 4.5])
def test_the_width_of_stars_is_measured(tmp_path, width):
    found = find_stars(mosaic(tmp_path / "a.fits", width=width))
    stars, measured = star_width(found.widths, 2.2)
    assert stars > 30
    assert measured == pytest.approx(width, rel=0.03)


def test_galaxies_and_cosmic_rays_do_not_change_the_width_of_stars():
    rng = np.random.default_rng(4)
    stars, galaxies, rays = rng.normal(2.2, 0.06, 12), rng.uniform(2.6, 6.5, 100), rng.uniform(0.8, 1.4, 300)
    assert star_width(np.concatenate([galaxies, stars, rays, [np.nan]]), 2.2)[1] == pytest.approx(2.2, rel=0.04)
    assert star_width(np.concatenate([stars[:3], rays]), 2.2)[0] == 0


def test_widths_are_in_arcsec(tmp_path):
    path, events = mosaic(tmp_path / "a.fits"), []
    checked = {"uvis": CheckedMosaic(path, "uvis", 0.04, 2012.0)}
    (measured,) = measure_widths(checked, {"uvis": find_stars(path)}, EventLog(events.append))
    assert measured.fwhm_arcsec == pytest.approx(0.04 * 2.2, rel=0.03)
    assert events[0].kind == "stars"


@pytest.mark.parametrize(("shift", "level"), [(0.1, "info"), (0.9, "warning")])
def test_mosaics_are_compared_with_the_catalogue_of_their_epoch(tmp_path, shift, level):
    path = mosaic(tmp_path / "a.fits", (shift, 0.0))
    motion = 20.0  # mas per year to the north, over ten years: five pixels
    rows = [
        (k, ra, dec, 1, 1, 0, 0.1, motion, 0.1, 18, 2002.0) for k, (ra, dec) in enumerate(grid().wcs_pix2world(SKY, 0))
    ]
    rows = [(*row[:2], row[2] - 10 * motion / 3.6e6, *row[3:]) for row in rows]
    catalog = CatalogTable.from_reply(reply_text(COLUMNS["GAIAeDR3"], rows), "GAIAeDR3")
    checked, events = {"uvis": CheckedMosaic(path, "uvis", 0.04, 2012.0)}, []
    (found,) = report_catalog(checked, {"uvis": find_stars(path)}, catalog, EventLog(events.append))
    assert (found.reference, found.stars > 40) == ("GAIAeDR3", True)
    assert (found.x, found.y) == pytest.approx((shift, 0), abs=0.04)
    assert events[0].level == level
