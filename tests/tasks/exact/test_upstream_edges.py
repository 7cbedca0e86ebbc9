"""Edges are those of scikit-image."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.feature import canny
from skimage.feature._canny_cy import _nonmaximum_suppression_bilinear

from hstmosaic.tasks.exact import smoothing
from hstmosaic.tasks.exact.edges import find_edges, keep_ridges

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


@given(ny=sides, nx=st.one_of(sides, st.integers(500, 1100)), seed=st.integers(0, 10_000),
       least=st.sampled_from([0.0, 0.3]), rounded=st.booleans())  # fmt: skip
@settings(max_examples=300, deadline=None)
def test_ridges_are_those_of_scikit_image(ny, nx, seed, least, rounded):
    rng = np.random.default_rng(seed)
    up, right, size = rng.normal(0, 1, (3, ny, nx)).astype(np.float32)
    if rounded:
        up, right, size = np.round(up), np.round(right), np.round(size)
    if seed % 4 == 0:
        right[rng.random(right.shape) < 0.02] = [np.nan, np.inf][seed % 8 // 4]
    size = np.abs(size) if seed % 3 else np.sqrt(up * up + right * right)
    inner = np.zeros(size.shape, bool)
    inner[1:-1, 1:-1] = True
    expected = _nonmaximum_suppression_bilinear(up, right, size, inner, least)
    np.testing.assert_array_equal(keep_ridges(up, right, size, least), expected)
    if smoothing.is_compiled():
        from hstmosaic.tasks.exact.filters import thin

        found = np.empty_like(size)
        thin(up, right, size, found, least or 1e-14, "plain")
        np.testing.assert_array_equal(found, expected)
        with pytest.raises(ValueError, match="do not fit"):
            thin(up, right, size, np.empty((ny + 1, nx), np.float32), least)


def test_edges_are_found_without_the_extension(monkeypatch):
    monkeypatch.setattr(smoothing, "is_compiled", lambda: False)
    image = np.random.default_rng(4).normal(0, 50, (40, 50)).astype(np.float32)
    np.testing.assert_array_equal(find_edges(image, 1.5, 0, 5), canny(image, 1.5, 0, 5))
