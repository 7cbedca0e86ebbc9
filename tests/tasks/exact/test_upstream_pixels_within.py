"""Clipped statistics have the bits of `stsci.imagestats` and of numpy."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stsci import imagestats

from hstmosaic.tasks.exact import pixels_within
from hstmosaic.tasks.upstream.image_statistics import compute_statistics_fast

if not pixels_within.is_compiled():
    pytest.skip("the functions are not compiled here", allow_module_level=True)
from hstmosaic.tasks.exact.clip import count, moments, take

pytestmark = pytest.mark.upstream

FIELDS = ("npix,median", "npix,mode", "npix,mean", "npix,midpt", "mode,median", "npix,min,max,stddev")
SPECIAL = (np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-30, 3e38, 1e-45)


@st.composite
def images(draw, longest=30_000):
    """Noise on a sky, in whole numbers or not, with cosmic rays and a few special numbers."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    size = draw(st.integers(1, longest))
    image = rng.normal(draw(st.sampled_from([0, 0.001, 1, -3, 60, 4000])), draw(st.sampled_from([0, 0.02, 1, 9])), size)
    image[rng.random(size) < draw(st.sampled_from([0, 0.02]))] *= draw(st.sampled_from([-5, 30]))
    if draw(st.booleans()):
        image = np.round(image)
    for number in draw(st.lists(st.sampled_from(SPECIAL), max_size=3)):
        image[draw(st.integers(0, size - 1))] = number
    return image.astype(np.float32)


@st.composite
def limited_images(draw):
    """An image and two limits, which are often pixels of it."""
    image = draw(images())
    pixels = [float(image[draw(st.integers(0, len(image) - 1))]) for _ in range(2)]
    return image, *sorted(draw(st.sampled_from([pixel, -1e30, 1e30, 0.5])) for pixel in pixels)


def same(one, other):
    """Tell whether numbers are equal or both not a number."""
    return np.array_equal(np.array(one), np.array(other), equal_nan=True)


@given(limited_images())
@settings(max_examples=400)
def test_moments_are_those_of_imagestats(given_image):
    image, low, high = given_image
    with np.errstate(all="ignore"):
        assert same(moments(image, low, high), imagestats.computeMean(image, low, high))


@pytest.mark.parametrize("shape", [(2051, 4096), (1, 1_000_003)])
@pytest.mark.parametrize(("sky", "noise"), [(60.0, 9.0), (0.0, 0.03), (1000.0, 0.001)])
def test_moments_of_large_images_are_those_of_imagestats(shape, sky, noise):
    image = np.random.default_rng(8).normal(sky, noise, shape).astype(np.float32)
    low, high = sky - 3 * noise, sky + 3 * noise
    assert moments(image, low, high) == imagestats.computeMean(image, low, high)


def test_moments_half_way_between_two_numbers_are_rounded_as_by_imagestats():
    # the mean of both is a tie: the order of additions decides
    image = np.tile(np.array([1.1, np.nextafter(np.float32(1.1), np.float32(2))], np.float32), 50_000)
    for length in range(len(image) - 20, len(image)):
        assert moments(image[:length], 0, 2) == imagestats.computeMean(image[:length], 0, 2)


@given(limited_images(), st.sampled_from([16, 1 << 17]))
@settings(max_examples=400)
def test_medians_are_those_of_numpy(given_image, sample):
    image, low, high = given_image
    inside = image[(image >= np.float32(low)) & (image <= np.float32(high))]
    if inside.size:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(pixels_within, "SAMPLE", sample)
            with np.errstate(all="ignore"):
                assert same(pixels_within.median_within(image, low, high), np.median(inside))


def test_a_sample_that_misleads_does_not_change_the_median(monkeypatch):
    monkeypatch.setattr(pixels_within, "SAMPLE", 1000)
    image = np.arange(100_000, dtype=np.float32)
    image[::100] = 5
    assert pixels_within.median_within(image, 0, 1e6) == np.median(image)


@given(limited_images())
def test_pixels_are_counted_and_taken_in_their_order(given_image):
    image, first, last = given_image
    below, within = count(image, -np.inf, first, last)
    inside = (image >= np.float32(first)) & (image <= np.float32(last))
    assert (below, within) == (np.count_nonzero(image < np.float32(first)), np.count_nonzero(inside))
    out = np.empty(within, np.float32)
    assert take(image, first, last, out) == within
    np.testing.assert_array_equal(out, image[inside])


@given(
    image=images(5000),
    fields=st.sampled_from(FIELDS),
    nclip=st.integers(0, 5),
    lower=st.sampled_from([None, -100.0, 0.01]),
    sigmas=st.sampled_from([1.0, 3.0, 4.0]),
)
@settings(max_examples=300)
def test_statistics_are_those_of_imagestats(image, fields, nclip, lower, sigmas):
    options = {"fields": fields, "nclip": nclip, "lower": lower, "lsig": sigmas, "usig": sigmas}
    expected = statistics(image, options)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(imagestats, "computeMean", imagestats.computeMean)
        patch.setattr(imagestats.ImageStats, "_computeStats", imagestats.ImageStats._computeStats)
        compute_statistics_fast()
        assert repr(statistics(image, options)) == repr(expected)


def statistics(image, options):
    with np.errstate(all="ignore"):
        try:
            made = imagestats.ImageStats(image, **options)
        except (ValueError, OverflowError) as error:
            return type(error)
    return [(name, getattr(made, name)) for name in ("npix", "mean", "stddev", "min", "max", "median", "mode", "midpt")]


def test_arrays_of_other_types_are_refused():
    with pytest.raises(ValueError, match="type f"):
        moments(np.zeros(5), 0, 1)
    with pytest.raises(ValueError, match="without pixels"):
        moments(np.zeros(0, np.float32), 0, 1)
    for other in (np.zeros((4, 4), np.float32).T[:2], np.zeros((2, 2, 2), np.float32), np.zeros(5)):
        assert not pixels_within.can_measure(other)
