"""Offsets between mosaics are measured on their stars; half a pixel is a warning."""

import numpy as np
import pytest
from astropy.io import fits

from hstmosaic.products.registration import find_stars, measure_registration
from hstmosaic.run.stages.registration import report_registration
from hstmosaic.store.events import EventLog

SHAPE = (700, 600)
SKY = np.random.default_rng(2).uniform((25, 25), (SHAPE[1] - 25, SHAPE[0] - 25), (60, 2))


def mosaic(path, offset=(0.0, 0.0), width=2.2, stars=60, corner=0, seed=1):
    """Write a mosaic with stars displaced from the sky, whose grid begins ``corner`` pixels later."""
    rng = np.random.default_rng(seed)
    image, (y, x) = rng.normal(0, 1, SHAPE), np.indices(SHAPE)
    for (sx, sy), flux in zip(SKY[:stars] + offset - corner, rng.uniform(60, 900, stars), strict=True):
        near = np.s_[max(0, int(sy) - 15) : int(sy) + 16, max(0, int(sx) - 15) : int(sx) + 16]
        distance = (x[near] - sx) ** 2 + (y[near] - sy) ** 2
        image[near] += flux * np.exp(-distance / (2 * (width / 2.3548) ** 2))
    header = fits.Header({"CRPIX1": 101.0 - corner, "CRPIX2": 201.0 - corner})
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
    found = measure_registration(first, second)
    assert found.stars > 40
    assert (found.x, found.y) == pytest.approx(offset, abs=0.04)
    assert found.is_bad == (np.hypot(*offset) > 0.5)


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
    report_registration(mosaics, EventLog(events.append))
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
    report_registration(mosaics, EventLog(events.append))
    assert [event.level for event in events] == ["info"]


def test_compressed_mosaics_are_read(tmp_path):
    plain = mosaic(tmp_path / "a.fits")
    with fits.open(plain) as hdus:
        how = {"compression_type": "GZIP_2", "quantize_level": 0.0}
        made = [fits.CompImageHDU(hdus[name].data, hdus[name].header, name, **how) for name in ("SCI", "WHT")]
        fits.HDUList([fits.PrimaryHDU(), *made]).writeto(tmp_path / "b.fits")
    np.testing.assert_array_equal(find_stars(tmp_path / "b.fits"), find_stars(plain))
