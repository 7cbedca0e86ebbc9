"""Clipped statistics are those of astropy and of stsci.imagestats, to the last bit."""

import numpy as np
import pytest
from astropy.stats import sigma_clipped_stats
from hypothesis import given, settings
from hypothesis import strategies as st
from stsci import imagestats

from hstmosaic.tasks.exact import clipping, smoothing
from hstmosaic.tasks.exact.clipping import clip_statistics, compute_statistics_fast, find_median

pytestmark = pytest.mark.upstream

sizes = st.one_of(st.integers(1, 30), st.integers(900, 40_000))


def make_numbers(count, seed):
    """Numbers around a background, with outliers and many that are equal."""
    rng = np.random.default_rng(seed)
    numbers = rng.normal(rng.normal(0, 50), rng.exponential(10), count).astype(np.float32)
    far = rng.random(count) < 0.03
    numbers[far] += rng.exponential(3000, np.count_nonzero(far)).astype(np.float32)
    if seed % 3 == 0:
        numbers = np.round(numbers)
    if seed % 5 == 0:
        numbers[: count // 2] = np.float32(7)
    return numbers


@given(count=sizes, seed=st.integers(0, 10_000), kind=st.sampled_from(["any", "sorted", "equal", "nan"]))
@settings(max_examples=300, deadline=None)
def test_median_is_that_of_numpy(count, seed, kind):
    numbers = make_numbers(count, seed)
    if kind == "sorted":
        numbers.sort()
    elif kind == "equal":
        numbers[:] = np.float32(0.1)
    elif kind == "nan":
        numbers[seed % count] = np.nan
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(clipping, "_SAMPLE", 50)
        found = find_median(numbers)
    expected = np.median(numbers)
    assert type(found) is type(expected)
    assert found.tobytes() == expected.tobytes()


@given(count=sizes, seed=st.integers(0, 10_000), rounds=st.integers(0, 5), finite=st.booleans(),
       kind=st.sampled_from(["f4", ">f4", "f8"]))  # fmt: skip
@settings(max_examples=300, deadline=None)
@pytest.mark.filterwarnings("ignore:Input data contains invalid values")
def test_clipped_statistics_are_those_of_astropy(count, seed, rounds, finite, kind):
    numbers = make_numbers(2 * count, seed).reshape(2, count).astype(kind)
    if not finite:
        numbers[0, seed % count] = [np.nan, np.inf][seed % 2]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(clipping, "_SAMPLE", 50)
        found = clip_statistics(numbers, maxiters=rounds)
    expected = sigma_clipped_stats(numbers, maxiters=rounds)
    assert [type(number) for number in found] == [type(number) for number in expected]
    assert [number.tobytes() for number in found] == [number.tobytes() for number in expected]


def fast(*args, **options):
    """Return the summary as tasks compute it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(clipping, "_SAMPLE", 50)
        patch.setattr(imagestats, "computeMean", imagestats.computeMean)
        patch.setattr(imagestats.ImageStats, "_computeStats", imagestats.ImageStats._computeStats)
        compute_statistics_fast()
        return summary(*args, **options)


def summary(*args, **options):
    """Return all results of statistics, and the error where there are none."""
    try:
        made = imagestats.ImageStats(*args, **options)
    except ValueError as error:
        return str(error)
    names = ("npix", "min", "max", "mean", "stddev", "mode", "median", "midpt", "fields", "lower", "upper")
    rest = tuple(np.asarray(getattr(made, name, 0)).tobytes() for name in ("histogram", "hmin", "hwidth"))
    return (*((type(getattr(made, name)), repr(getattr(made, name))) for name in names), *rest)


@given(count=sizes, seed=st.integers(0, 10_000), rounds=st.integers(0, 5), sigma=st.floats(0.5, 5),
       fields=st.sampled_from(["median", "mode", "mean", "midpt", "mode,median", "npix,min,max,mean,stddev"]),
       limits=st.booleans(), kind=st.sampled_from(["f4", ">f4", "f8"]))  # fmt: skip
@settings(max_examples=400, deadline=None)
@pytest.mark.filterwarnings("ignore")
def test_image_statistics_are_those_of_imagestats(count, seed, rounds, sigma, fields, limits, kind):
    image = make_numbers(2 * count, seed).reshape(2, count).astype(kind)
    options = {"fields": fields, "nclip": rounds, "lsig": sigma, "usig": sigma}
    if limits:
        options |= {"lower": float(np.percentile(image, 10)), "upper": float(np.percentile(image, 97)) + 0.1}
    assert fast(image, **options) == summary(image, **options)
    assert fast(image[:, ::2], **options) == summary(image[:, ::2], **options)


def test_pixels_that_are_no_numbers_are_handled_alike():
    image = make_numbers(5000, 1)
    image[::9] = np.nan
    options = {"fields": "mode", "nclip": 3, "lower": np.nanmin(image), "upper": np.nanmax(image)}
    assert fast(image, **options) == summary(image, **options)


def test_statistics_stay_without_the_extension(monkeypatch):
    monkeypatch.setattr(clipping, "is_compiled", lambda: False)
    before = imagestats.computeMean
    compute_statistics_fast()
    assert imagestats.computeMean is before


@given(count=st.integers(1, 200), seed=st.integers(0, 10_000), low=st.floats(-50, 50), high=st.floats(-50, 50))
@settings(max_examples=300)
def test_sums_are_those_of_imagestats(count, seed, low, high):
    if not smoothing.is_compiled():
        pytest.skip("the filters are not compiled")
    from hstmosaic.tasks.exact.filters import moments

    numbers = make_numbers(count, seed)
    if seed % 4 == 0:
        numbers[seed % count] = [np.nan, np.inf, -np.inf][seed % 3]
    assert str(moments(numbers, low, high)) == str(imagestats.computeMean(numbers, low, high))
    with pytest.raises(ValueError, match="no numbers"):
        moments(numbers[:0], low, high)
