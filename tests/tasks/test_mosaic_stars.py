"""Stars are found in mosaics of any form, and come back from the result of a task as they were."""

import json

import numpy as np
import pytest
from astropy.io import fits
from scipy import ndimage

from helpers.star_mosaic import mosaic
from hstmosaic.store.task_results import DrizzleResult
from hstmosaic.tasks.mosaic_stars import find_peaks, find_stars


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


@pytest.mark.parametrize("shape", [(40, 60), (13, 13), (12, 30), (300, 200)])
@pytest.mark.parametrize("seed", range(5))
def test_peaks_are_those_of_filters(shape, seed):
    rng = np.random.default_rng(seed)
    image = ndimage.gaussian_filter(rng.normal(size=shape).astype(np.float32), seed)
    image = np.round(image, 2)  # some neighbours are equal
    usable = rng.random(shape) > 0.003
    threshold = float(np.percentile(image, 40))
    expected = (image == ndimage.maximum_filter(image, 13)) & (image > threshold) & ndimage.minimum_filter(usable, 13)
    expected[:6] = expected[-6:] = expected[:, :6] = expected[:, -6:] = False
    np.testing.assert_array_equal(find_peaks(image, threshold, usable), np.nonzero(expected))
