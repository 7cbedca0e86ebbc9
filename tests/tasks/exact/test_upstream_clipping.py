"""Clipped statistics are those of astropy, to the last bit."""

import numpy as np
import pytest
from astropy.stats import sigma_clipped_stats
from hypothesis import given, settings
from hypothesis import strategies as st

from hstmosaic.tasks.exact import clipping
from hstmosaic.tasks.exact.clipping import clip_statistics, find_median

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
