"""Stars are found in mosaics of any form, and come back from the result of a task as they were."""

import json

from astropy.io import fits

from helpers.star_mosaic import mosaic
from hstmosaic.store.task_results import DrizzleResult
from hstmosaic.tasks.mosaic_stars import find_stars


def test_compressed_mosaics_are_read(tmp_path):
    plain = mosaic(tmp_path / "a.fits")
    with fits.open(plain) as hdus:
        how = {"compression_type": "GZIP_2", "quantize_level": 0.0}
        made = [fits.CompImageHDU(hdus[name].data, hdus[name].header, name, **how) for name in ("SCI", "WHT")]
        fits.HDUList([fits.PrimaryHDU(), *made]).writeto(tmp_path / "b.fits")
    assert find_stars(tmp_path / "b.fits") == find_stars(plain) != ()


def test_the_result_of_a_task_holds_the_stars_of_its_mosaic(tmp_path):
    made = DrizzleResult((), sources=find_stars(mosaic(tmp_path / "a.fits")))
    assert len(made.sources) > 40
    assert DrizzleResult.from_dict(json.loads(json.dumps(made.to_dict()))) == made


def test_a_mosaic_without_data_has_no_stars(tmp_path):
    path = mosaic(tmp_path / "a.fits")
    with fits.open(path, mode="update") as hdus:
        hdus["WHT"].data[:] = 0
    assert find_stars(path) == ()
