"""drizzlepac's functions are replaced by ones with equal results."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hstmosaic.tasks.exact.replace import find_data, weight_statistics

pytestmark = pytest.mark.upstream


@given(seed=st.integers(0, 10**6), shape=st.tuples(st.integers(1, 700), st.integers(1, 60)), empty=st.floats(0, 1))
@settings(max_examples=100)
def test_weights_have_numpys_mean_and_median(seed, shape, empty):
    rng = np.random.default_rng(seed)
    weights = np.exp(rng.normal(5, 3, shape)).astype(">f4")
    weights[rng.random(shape) < empty] = 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        expected = np.mean(weights[weights > 0]), np.median(weights[weights > 0])
    np.testing.assert_array_equal(weight_statistics(weights), expected)


@pytest.mark.parametrize("empty", [np.nan, 0.0])
def test_data_are_where_numbers_are_not_missing_or_zero(empty):
    pixels = np.full((300, 140), empty, ">f4")
    pixels[10:270, 3:] = 1.5
    mask = find_data(pixels)
    np.testing.assert_array_equal(mask.window(slice(0, 300), slice(0, 140)), pixels == 1.5)


def test_zeros_are_data_where_others_are_missing():
    pixels = np.zeros((300, 140), ">f4")
    pixels[7, 7] = np.nan
    assert np.count_nonzero(~find_data(pixels).window(slice(0, 300), slice(0, 140))) == 1
