"""Offsets between mosaics are measured on their stars; half a pixel is a warning."""

from dataclasses import astuple

import numpy as np
import pytest

from helpers.star_mosaic import SKY, grid, mosaic, stars_of
from hstmosaic.plan.catalog_replies import COLUMNS, reply_text
from hstmosaic.plan.catalog_table import CatalogTable
from hstmosaic.products.registration import measure_registration, star_width
from hstmosaic.run.stages.registration import (
    CheckedMosaic,
    measure_widths,
    report_catalog,
    report_registration,
)
from hstmosaic.store.events import EventLog
from hstmosaic.store.stage_events import Registered


@pytest.mark.parametrize("offset", [(0.0, 0.0), (0.2, -0.3), (4.0, -6.5)])
def test_the_offset_of_a_mosaic_is_measured(tmp_path, offset):
    first = stars_of(mosaic(tmp_path / "a.fits"))
    second = stars_of(mosaic(tmp_path / "b.fits", offset, width=4.5, corner=7, seed=2))
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
    stars = {layer: stars_of(path).places for layer, path in mosaics.items()}
    report_registration(stars, EventLog(events.append))
    assert [(event.data["layer"], event.level) for event in events] == [
        ("good", "info"),
        ("bad", "warning"),
        ("empty", "info"),
    ]
    assert "bad is offset from uvis by (+4.0" in events[1].message
    assert "too few common stars" in events[2].message


@pytest.mark.parametrize("width", [1.8, 2.2, 3.0, 4.5])
def test_the_width_of_stars_is_measured(tmp_path, width):
    found = stars_of(mosaic(tmp_path / "a.fits", width=width))
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
    (measured,) = measure_widths(checked, {"uvis": stars_of(path)}, EventLog(events.append))
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
    (found,) = report_catalog(checked, {"uvis": stars_of(path)}, catalog, EventLog(events.append))
    assert (found.reference, found.stars > 40) == ("GAIAeDR3", True)
    assert (found.x, found.y) == pytest.approx((shift, 0), abs=0.04)
    assert events[0].level == level
