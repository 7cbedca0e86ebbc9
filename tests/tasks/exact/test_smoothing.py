"""Filters have the bits of scipy, with and without the compiled ones and AVX2."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from hstmosaic.tasks.exact import smoothing
from hstmosaic.tasks.exact.smoothing import CONSTANT, REFLECT, gaussian, is_compiled, slopes, stretch

sides = st.integers(1, 90)
sigmas = st.one_of(st.floats(0.1, 6), st.sampled_from([1.0, 1.5, 2.5]))


def make_image(shape, seed):
    """Pixels of any size and sign, single bright ones, zeros, and some that are no numbers."""
    rng = np.random.default_rng(seed)
    image = rng.normal(0, np.exp(rng.normal(0, 5)), shape).astype(np.float32)
    image[rng.random(shape) < 0.05] *= 1e4
    image[rng.random(shape) < 0.2] = 0
    if seed % 4 == 0:
        image[rng.random(shape) < 0.01] = rng.choice([np.nan, np.inf, -np.inf])
    return image


@given(ny=sides, nx=st.one_of(sides, st.integers(500, 1100)), sigma=sigmas, mode=st.sampled_from([REFLECT, CONSTANT]),
       seed=st.integers(0, 10_000))  # fmt: skip
@settings(max_examples=300)
def test_gaussian_is_that_of_scipy(ny, nx, sigma, mode, seed):
    image = make_image((ny, nx), seed)
    kept = image.copy()
    found, expected = gaussian(image, sigma, mode), ndimage.gaussian_filter(image, sigma, mode=mode)
    np.testing.assert_array_equal(found, expected)
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(image, kept)


@given(ny=sides, nx=st.one_of(sides, st.integers(500, 1100)), seed=st.integers(0, 10_000))
@settings(max_examples=200)
def test_slopes_are_those_of_sobel(ny, nx, seed):
    image = make_image((ny, nx), seed)
    up, right = slopes(image)
    np.testing.assert_array_equal(up, ndimage.sobel(image, axis=0))
    np.testing.assert_array_equal(right, ndimage.sobel(image, axis=1))


@given(rows=st.integers(1, 9), columns=st.integers(1, 9), ny=st.integers(1, 90), nx=st.integers(1, 700),
       seed=st.integers(0, 10_000), compiled=st.booleans())  # fmt: skip
@settings(max_examples=300)
def test_cells_are_stretched_as_by_zoom(rows, columns, ny, nx, seed, compiled):
    cells = make_image((rows, columns), 4 * seed + 1)
    expected = ndimage.zoom(cells, (ny / rows, nx / columns), order=1, grid_mode=True, mode="nearest")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(smoothing, "is_compiled", lambda: compiled and is_compiled())
        np.testing.assert_array_equal(stretch(cells, (ny, nx)), expected)
    if compiled and is_compiled():
        from hstmosaic.tasks.exact.filters import stretch as compiled_stretch

        found = np.empty((ny, nx), np.float32)
        compiled_stretch(cells, found, "plain")
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("kind", [np.float64, ">f4", np.int16])
def test_other_images_are_left_to_scipy(kind):
    image = np.random.default_rng(3).normal(0, 100, (30, 40)).astype(kind)
    for one in (image, image[::2], image.T):
        np.testing.assert_array_equal(gaussian(one, 1.3), ndimage.gaussian_filter(one, 1.3))


def test_images_are_filtered_without_the_extension(monkeypatch):
    monkeypatch.setattr(smoothing, "is_compiled", lambda: False)
    image = make_image((30, 40), 3)
    np.testing.assert_array_equal(gaussian(image, 2.0), ndimage.gaussian_filter(image, 2.0))
    np.testing.assert_array_equal(slopes(image)[1], ndimage.sobel(image, axis=1))


def test_nothing_is_stretched_over_nothing():
    if not is_compiled():
        pytest.skip("the filters are not compiled")
    from hstmosaic.tasks.exact.filters import stretch as compiled_stretch

    with pytest.raises(ValueError, match="do not fit"):
        compiled_stretch(np.zeros((0, 3), np.float32), np.zeros((4, 4), np.float32))


@pytest.fixture(scope="module")
def correlate():
    if not is_compiled():
        pytest.skip("the filters are not compiled")
    from hstmosaic.tasks.exact.filters import correlate

    return correlate


@given(seed=st.integers(0, 10_000), reach=st.integers(0, 12), axis=st.sampled_from([0, 1]), symmetric=st.booleans(),
       constant=st.booleans())  # fmt: skip
def test_any_weights_with_and_without_avx2(correlate, seed, reach, axis, symmetric, constant):
    rng = np.random.default_rng(seed)
    image = make_image((13 + seed % 20, 600), seed)
    half = rng.normal(0, 1, reach)
    middle = [rng.normal() if symmetric else 0.0]
    weights = np.concatenate([half, middle, half[::-1] * (1 if symmetric else -1)])
    expected = ndimage.correlate1d(image, weights, axis, mode=CONSTANT if constant else REFLECT)
    for instructions in ("auto", "plain"):
        found = np.empty_like(image)
        correlate(image, found, weights, axis, symmetric, constant, instructions)
        np.testing.assert_array_equal(found, expected)


def test_shapes_that_do_not_fit_are_refused(correlate):
    image = np.zeros((4, 9), np.float32)
    for found, weights, axis in (
        (np.zeros((4, 8), np.float32), np.ones(3), 0),
        (np.zeros_like(image), np.ones(4), 0),
        (np.zeros_like(image), np.ones(11), 0),
        (image, np.ones(3), 0),
    ):
        with pytest.raises(ValueError, match="do not fit"):
            correlate(image, found, weights, axis, True, False)
    with pytest.raises(ValueError, match="type d"):
        correlate(image, np.zeros_like(image), np.ones(3, np.float32), 0, True, False)
