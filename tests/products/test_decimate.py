"""Mosaics made small: block means against plain sums, noise that was put in, memory that does not grow."""

import tracemalloc

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from hstmosaic.products.decimate import decimate


def plane(nx, ny):
    header = fits.Header()
    header["CTYPE1"], header["CTYPE2"] = "RA---TAN", "DEC--TAN"
    header["CRVAL1"], header["CRVAL2"] = 180.0, 26.0
    header["CRPIX1"], header["CRPIX2"] = nx / 3, -ny
    header["CD1_1"], header["CD1_2"], header["CD2_1"], header["CD2_2"] = -0.04 / 3600, 0.0, 0.0, 0.04 / 3600
    return header


def write(path, science, weight):
    header = plane(*science.shape[::-1])
    sci, wht = fits.ImageHDU(science, header, name="SCI"), fits.ImageHDU(weight, header, name="WHT")
    fits.HDUList([fits.PrimaryHDU(), sci, wht]).writeto(path)
    return path


@pytest.mark.parametrize(("shape", "side"), [((70, 50), 20), ((41, 90), 90), ((1500, 1203), 97)])
def test_blocks_are_means_of_the_pixels_with_weight(tmp_path, shape, side):
    rng = np.random.default_rng(1)
    science = rng.normal(5, 1, shape).astype("f4")
    weight = rng.uniform(0, 9, shape).astype("f4")
    weight[rng.uniform(size=shape) < 0.3] = 0
    weight[:, : shape[1] // 4] = 0
    weight[-shape[0] // 5 :] = 0
    science[weight == 0] = np.nan
    science[3, shape[1] // 2] = np.nan
    weight[3, shape[1] // 2] = 7
    small = decimate(write(tmp_path / "mosaic.fits", science, weight), side)
    factor = -(-max(shape) // side)
    assert small.factor == factor
    assert max(small.science.shape) <= side
    good = (weight > 0) & np.isfinite(science)
    assert small.covered_pixels == good.sum()
    assert small.weight_range == (weight[good].min(), weight[good].max())
    for row, column in np.ndindex(small.science.shape):
        box = np.s_[row * factor : (row + 1) * factor, column * factor : (column + 1) * factor]
        assert small.covered[row, column] == good[box].any()
        if good[box].any():
            assert small.science[row, column] == pytest.approx(science[box][good[box]].mean(dtype=float), rel=1e-5)
            assert small.weight[row, column] == pytest.approx(weight[box][good[box]].mean(dtype=float), rel=1e-5)
        else:
            assert np.isnan(small.science[row, column])
            assert small.weight[row, column] == 0


def test_blocks_are_where_their_pixels_are(tmp_path):
    small = decimate(write(tmp_path / "mosaic.fits", np.ones((40, 60), "f4"), np.ones((40, 60), "f4")), 20)
    full = WCS(plane(60, 40))
    assert small.factor == 3
    for row, column in [(0, 0), (13, 19), (5, 7)]:
        middle = full.all_pix2world(3 * column + 1, 3 * row + 1, 0)
        assert np.allclose(small.wcs.all_pix2world(column, row, 0), middle, rtol=0, atol=1e-10)


def test_noise_is_that_of_the_sky_whatever_stands_in_it(tmp_path):
    rng = np.random.default_rng(2)
    science = rng.normal(0, 0.02, (900, 900)) + np.linspace(0, 0.2, 900)[:, None]
    science[rng.uniform(size=science.shape) < 0.01] += 50
    weight = np.ones((900, 900), "f4")
    weight[:200] = 0
    small = decimate(write(tmp_path / "mosaic.fits", science.astype("f4"), weight), 300)
    assert small.noise == pytest.approx(0.02, rel=0.1)


@pytest.mark.parametrize("correlated", [False, True])
def test_noise_of_apertures_counts_the_correlation_of_pixels(tmp_path, correlated):
    rng = np.random.default_rng(4)
    science = rng.normal(0, 0.02, (900, 900))
    if correlated:
        science = sum(np.roll(science, shift, axis) for shift in (0, 1) for axis in (0, 1)) / 2
    small = decimate(write(tmp_path / "mosaic.fits", science.astype("f4"), np.ones((900, 900), "f4")), 300)
    # 0.4 arcsec are ten pixels; the sum of neighbours grows with twice their correlated noise
    sums = science.reshape(90, 10, 90, 10).sum(axis=(1, 3))
    assert small.aperture_noise == pytest.approx(sums.std(), rel=0.1)
    assert (small.aperture_noise > 12 * small.noise) == correlated


def test_an_empty_mosaic_has_no_noise(tmp_path):
    small = decimate(write(tmp_path / "empty.fits", np.full((9, 9), np.nan, "f4"), np.zeros((9, 9), "f4")))
    assert np.isnan(small.noise)
    assert small.weight_range == (0, 0)
    assert not small.covered.any()


def test_memory_stays_where_it_is_when_mosaics_grow(tmp_path):
    size, lines = 9000, 600
    path = tmp_path / "large.fits"
    with path.open("wb") as file:
        file.write(fits.PrimaryHDU().header.tostring().encode())
        for name in ("SCI", "WHT"):
            header = fits.ImageHDU(np.zeros((1, 1), "f4"), plane(size, size), name=name).header
            header["NAXIS1"] = header["NAXIS2"] = size
            file.write(header.tostring().encode())
            begin = file.tell()
            file.write(np.ones((lines, size), ">f4").tobytes())
            # the rest is a hole, which reads as zeros
            file.truncate(begin + -(-size * size * 4 // 2880) * 2880)
            file.seek(0, 2)
    tracemalloc.start()
    small = decimate(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert small.covered_pixels == lines * size
    assert peak < size * size * 4 / 4
