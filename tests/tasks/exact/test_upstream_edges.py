"""Edges are those of scikit-image."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.feature import canny

from hstmosaic.tasks.exact.edges import find_edges

pytestmark = pytest.mark.upstream

sides = st.one_of(st.integers(1, 60), st.integers(60, 130))


@given(ny=sides, nx=sides, seed=st.integers(0, 10_000), sigma=st.sampled_from([0.7, 1.0, 2.5, 4.0]),
       high=st.sampled_from([0.0, 0.5, 25.0, 1e9]), low=st.sampled_from([0, 0.01]), trimmed=st.booleans())  # fmt: skip
@settings(max_examples=300, deadline=None)
def test_edges_are_those_of_canny(ny, nx, seed, sigma, high, low, trimmed):
    rng = np.random.default_rng(seed)
    image = np.clip(rng.normal(0, 1, (ny + 4, nx + 4)), 0, None).astype(np.float32)
    for _ in range(5):
        row, column = rng.integers(0, ny + 4), rng.integers(0, nx + 4)
        image[row : row + 3, column : column + 20] += np.float32(rng.exponential(300))
    image = image[2:-2, 2:-2] if trimmed else np.ascontiguousarray(image[2:-2, 2:-2])
    high = max(low, high)
    found = find_edges(image, sigma=sigma, low_threshold=low, high_threshold=high)
    expected = canny(image, sigma=sigma, low_threshold=low, high_threshold=high)
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected)


def test_other_images_are_left_to_canny():
    image = np.random.default_rng(4).normal(0, 50, (40, 50))
    mask = np.random.default_rng(5).random((40, 50)) < 0.9
    np.testing.assert_array_equal(find_edges(image, 1.5, 0, 5), canny(image, 1.5, 0, 5))
    single = image.astype(np.float32)
    np.testing.assert_array_equal(find_edges(single, 1.5, 0, 5, mask=mask), canny(single, 1.5, 0, 5, mask=mask))
