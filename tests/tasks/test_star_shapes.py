"""The background in which stars are measured is that of medians one by one."""

from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from hstmosaic.tasks.star_shapes import background


def plain_background(image):
    ny, nx = image.shape
    rows, columns = max(ny // 64, 1), max(nx // 64, 1)
    ys, xs = np.linspace(0, ny, rows + 1).astype(int), np.linspace(0, nx, columns + 1).astype(int)
    cells = np.array([[plain_median(image[y0:y1:2, x0:x1:2]) for x0, x1 in pairwise(xs)] for y0, y1 in pairwise(ys)])
    known = np.isfinite(cells)
    cells[~known] = np.median(cells[known]) if known.any() else 0.0
    cells = ndimage.median_filter(cells, 3)
    return ndimage.zoom(cells.astype(np.float32), (ny / rows, nx / columns), order=1, grid_mode=True, mode="nearest")


def plain_median(cell):
    known = cell[np.isfinite(cell)]
    return float(np.median(known)) if known.size else np.nan


@given(ny=st.integers(1, 300), nx=st.integers(1, 300), seed=st.integers(0, 1000), bad=st.sampled_from([0.0, 0.1, 1.0]))
@settings(max_examples=100, deadline=None)
def test_background_has_medians_of_cells(ny, nx, seed, bad):
    rng = np.random.default_rng(seed)
    image = rng.normal(10, 3, (ny, nx)).astype(np.float32)
    image[rng.random(image.shape) < bad] = rng.choice([np.nan, np.inf, -np.inf])
    image[: ny // 3, : nx // 2] = np.nan
    np.testing.assert_array_equal(background(image), plain_background(image))
