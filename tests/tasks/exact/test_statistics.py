"""Means and medians in pieces are numpy's, to the last bit."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hstmosaic.tasks.exact import statistics
from hstmosaic.tasks.exact.statistics import PositiveMedian, chunk_mean, count_numbers, median, tree_mean

lengths = st.one_of(st.integers(1, 40), st.integers(100, 70_000))


def weights(count, seed):
    """Numbers of any size, few of them twice, and a few that come often."""
    rng = np.random.default_rng(seed)
    numbers = np.exp(rng.normal(3, 4, count)).astype(np.float32)
    numbers[rng.random(count) < 0.2] = 512.5
    return numbers


def pieces(numbers, seed):
    cuts = np.sort(np.random.default_rng(seed).integers(0, len(numbers) + 1, 7))
    return np.split(numbers, cuts)


@given(count=lengths, seed=st.integers(0, 1000), leaf=st.sampled_from([128, 1000, 1 << 20]))
@settings(max_examples=200)
def test_mean_of_native_numbers(count, seed, leaf):
    numbers = weights(count, seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(statistics, "LEAF", leaf)
        assert tree_mean(pieces(numbers, seed), count).tobytes() == np.mean(numbers).tobytes()


@given(count=lengths, seed=st.integers(0, 1000), chunks=st.sampled_from([1, 3, 128]))
@settings(max_examples=200)
def test_mean_of_swapped_numbers(count, seed, chunks):
    numbers = weights(count, seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(statistics, "LEAF", chunks * statistics.CHUNK)
        swapped = numbers.astype(">f4")
        assert chunk_mean(pieces(swapped, seed), count).tobytes() == np.float32(np.mean(swapped)).tobytes()


@given(count=lengths, seed=st.integers(0, 1000))
@settings(max_examples=200)
def test_median_of_positive_numbers(count, seed):
    numbers = weights(count, seed).astype(">f4")
    found = PositiveMedian()
    for piece in pieces(numbers, seed):
        found.add(piece)
    assert found.count == count
    assert found.find(lambda: iter(pieces(numbers, seed))) == np.median(numbers)


@given(count=lengths, seed=st.integers(0, 1000), dtype=st.sampled_from([np.float32, np.int16]))
@settings(max_examples=200)
def test_median_of_counted_numbers(count, seed, dtype):
    numbers = np.random.default_rng(seed).choice(np.array([1, 2, 5, 7]), count).astype(dtype)
    if dtype is np.float32:
        numbers *= np.float32(101.3)
    repeats = np.random.default_rng(seed).integers(1, 4, count)
    counts = Counter()
    for piece in pieces(np.arange(count), seed):
        count_numbers(counts, numbers[piece], repeats[piece])
    found, expected = median(counts, dtype), np.median(np.repeat(numbers, repeats))
    assert found.dtype == expected.dtype
    assert found == expected
