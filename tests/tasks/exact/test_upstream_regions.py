"""Outlines of the data are those of drizzlepac, on coverages of any shape."""

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from drizzlepac.haputils import cell_utils
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw
from scipy import ndimage
from simplify_polyline import simplifiers
from simplify_polyline.simplifiers import simplify as original_simplify

from hstmosaic.tasks.exact import regions, tiles
from hstmosaic.tasks.exact.polygons import simplify
from hstmosaic.tasks.upstream import dependencies

pytestmark = pytest.mark.upstream


@pytest.fixture(scope="module", autouse=True)
def _ties_broken_in_order():
    point, names = simplifiers.Point, ("__init__", "__lt__", "_sorting_key")
    before = {name: point.__dict__[name] for name in names}
    dependencies.break_ties_in_order()
    yield
    for name, value in before.items():
        setattr(point, name, value)


def grid(shape):
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crval, wcs.wcs.crpix, wcs.wcs.cd = [53.1, -27.8], [100.0, 200.0], [[-1e-5, 0], [0, 1e-5]]
    wcs.array_shape = shape
    return wcs


def original(data, path):
    fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(data, name="SCI")]).writeto(path, overwrite=True)
    footprint = cell_utils.SkyFootprint(grid(data.shape))
    footprint.extract_mask(path)
    footprint.find_corners()
    return footprint.xy_corners


def covered(shape, seed, chips, holes, rough):
    """Science pixels of a mosaic of tilted chips with gaps, bad pixels and rough edges; NaN where no data is."""
    rng = np.random.default_rng(seed)
    image = Image.new("L", shape[::-1], 0)
    for _ in range(chips):
        angle, size = rng.uniform(0, np.pi), rng.uniform(0.05, 0.9, 2) * min(shape)
        centre = rng.uniform(-0.2, 1.2, 2) * shape[::-1]
        turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
        corners = centre + (np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * size / 2) @ turn
        ImageDraw.Draw(image).polygon([tuple(corner) for corner in corners], fill=int(rng.integers(0, 4) > 0))
    mask = np.array(image) > 0
    mask &= rng.random(shape) >= holes
    mask |= rng.random(shape) < rough
    for _ in range(int(rng.integers(0, 4))):
        row, column = (int(rng.integers(0, length)) for length in shape)
        mask[row : row + int(rng.integers(1, 40)), column : column + int(rng.integers(1, 40))] ^= True
    return np.where(mask, np.float32(1.5), np.float32(np.nan))


@given(
    shape=st.tuples(st.integers(60, 700), st.integers(60, 700)),
    seed=st.integers(0, 10**6),
    chips=st.integers(1, 7),
    holes=st.sampled_from([0.0, 0.002, 0.05]),
    rough=st.sampled_from([0.0, 0.0, 0.001]),
)
@settings(max_examples=60)
def test_outlines_are_drizzlepacs(tmp_path_factory, shape, seed, chips, holes, rough):
    data = covered(shape, seed, chips, holes, rough)
    if not np.isfinite(data).any():
        return
    if np.isfinite(data).all():
        data[0, 0] = np.nan
    try:
        expected = original(data, tmp_path_factory.getbasetemp() / "mosaic.fits")
    except ValueError as error:
        assert "3 points" in str(error)
        return
    mask = tiles.TiledMask(shape)
    for top in range(0, shape[0], 2 * tiles.TILE):
        mask.put(top, 0, np.isfinite(data[top : top + 2 * tiles.TILE]))
    found = regions.find_outlines(mask)
    assert len(found) == len(expected)
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), min_size=3, max_size=60, unique=True))
@settings(max_examples=300)
def test_polygons_lose_the_same_corners(corners):
    polygon = np.array([*corners, corners[0]])
    np.testing.assert_array_equal(simplify(polygon, 3.0), original_simplify(polygon, min_dist=3.0))


@given(
    seed=st.integers(0, 10**6), density=st.floats(0.05, 0.95), shape=st.tuples(st.integers(1, 300), st.integers(1, 300))
)
@settings(max_examples=60)
def test_holes_are_filled_as_in_scipy(seed, density, shape):
    from scipy import ndimage

    data = np.random.default_rng(seed).random(shape) < density
    mask = tiles.TiledMask(shape)
    mask.put(0, 0, data)
    tiles.fill_holes(mask)
    whole = mask.window(slice(0, shape[0]), slice(0, shape[1]))
    np.testing.assert_array_equal(whole, ndimage.binary_fill_holes(data))


@given(shape=st.tuples(st.integers(1, 40), st.integers(1, 40)), seed=st.integers(0, 10**6), times=st.integers(1, 12))
@settings(max_examples=100)
def test_masks_grow_and_shrink_as_with_scipy(shape, seed, times):
    mask = np.random.default_rng(seed).random(shape) < 0.5 ** (1 + seed % 4)
    for found in (mask, ~mask):
        np.testing.assert_array_equal(regions.dilate(found, times), ndimage.binary_dilation(found, iterations=times))
        np.testing.assert_array_equal(regions.erode(found, times), ndimage.binary_erosion(found, iterations=times))
