"""Limits of the mosaic, and the pixels of its products."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.brute_force import edge_pixels, gnomonic
from helpers.pointed_exposures import Aim, aimed, sky_of
from helpers.sky_fields import ACS, FIELDS, LAST, UVIS, visit
from hstmosaic.plan.cells import load_sky_grid
from hstmosaic.plan.limits import COARSE_RATIO, PAD, Limits, mosaic_limits, outside, product_grid, tight_limits
from hstmosaic.plan.sky import choose_projection_cell, find_sky_cells

LARGEST = 450_287
SINGLE = Limits(214420, 236373, 214420, 236373)


def sky_cells(*indices: tuple[int, int], cell: int = 1889):
    """Sky cells of a projection cell by name."""
    return {f"x{x}y{y}": load_sky_grid().cell(cell).sky_cell(x, y) for x, y in indices}


@pytest.mark.parametrize(
    ("indices", "limits", "clipped"),
    [
        ([(11, 11)], [214420, 236373, 214420, 236373], []),
        ([(10, 10), (11, 10), (10, 11), (11, 11)], [192978, 236373, 192978, 236373], []),
        ([(1, 1)], [0, 21953, 0, 21953], []),
        ([(3, 20), (5, 2)], [42884, 107721, 21442, 429351], []),
        ([(21, 1)], [428840, LARGEST, 0, 21953], ["xmax"]),
        ([(1, 21)], [0, 21953, 428840, LARGEST], ["ymax"]),
        ([(20, 20), (21, 21)], [407398, LARGEST, 407398, LARGEST], ["xmax", "ymax"]),
    ],
)
def test_limits_hold_whole_sky_cells(indices, limits, clipped):
    assert mosaic_limits(sky_cells(*indices)) == (Limits(*limits), clipped)


limit = st.integers(0, LARGEST)


@given(limit, limit, limit, limit)
def test_three_fine_pixels_make_a_coarse_one(a, b, c, d):
    limits = Limits(min(a, b), max(a, b), min(c, d), max(c, d))
    fine, coarse = limits.shape(), limits.shape(COARSE_RATIO)
    assert fine == (limits.ymax - limits.ymin + 1, limits.xmax - limits.xmin + 1)
    for many, few in zip(fine, coarse, strict=True):
        assert abs(few - (many - 1) / 3 - 1) < 1
    assert limits.as_list() == [limits.xmin, limits.xmax, limits.ymin, limits.ymax]


pointings = st.builds(
    lambda x, y, orient, kind, turn: (x, y, orient + turn, kind),
    st.floats(0, LAST),
    st.floats(0, LAST),
    st.sampled_from([0.0, 45.0, 90.0]),
    st.sampled_from([{}, UVIS, ACS, {"camera": "wfc3_uvis", "shape": None}]),
    st.floats(0, 360),
)


@settings(max_examples=60)
@given(pointings, st.lists(st.tuples(st.floats(-3000, 3000), st.floats(-3000, 3000)), max_size=2))
def test_tight_limits_hold_every_edge_pixel_and_keep_the_phase(pointing, dithers):
    x, y, orient, kind = pointing
    cell = load_sky_grid().cell(1889)
    places = [(x, y)] + [(x + dx, y + dy) for dx, dy in dithers]
    aims = [Aim(*sky_of(1889, *at), orient, **kind, more=visit(1, k + 1)) for k, at in enumerate(places)]
    exposures = [aimed(aim) for aim in aims]
    columns, rows = (sorted({min(max(int(at[k] // 21442) + 1, 1), 21) for at in places}) for k in (0, 1))
    limits, _ = mosaic_limits(sky_cells(*((i, j) for i in columns for j in rows)))
    exposures = [exposure for exposure in exposures if outside(exposure, cell, limits) != "outside"]
    if not exposures:
        return
    tight = tight_limits(exposures, cell, limits)
    pixels = np.concatenate([gnomonic(edge_pixels(exposure), *cell.center) for exposure in exposures])
    for axis, low, high, first, last in (
        (0, tight.xmin, tight.xmax, limits.xmin, limits.xmax),
        (1, tight.ymin, tight.ymax, limits.ymin, limits.ymax),
    ):
        assert first <= low < high <= last
        assert (low - first) % COARSE_RATIO == 0
        assert low == first or 1 <= PAD - 0.2 <= pixels[:, axis].min() - low < PAD + COARSE_RATIO + 0.2
        assert high == last or 1 <= PAD - 0.2 <= high - pixels[:, axis].max() < PAD + 1.2


@settings(max_examples=60)
@given(pointings, st.sampled_from([(0, 0), (1, 0), (0, 1), (1, 1), (2, 2)]), st.floats(-600, 600), st.floats(-600, 600))
def test_verdicts_by_brute_force(pointing, place, dx, dy):
    _, _, orient, kind = pointing
    x = [SINGLE.xmin, SINGLE.xmax, (SINGLE.xmin + SINGLE.xmax) / 2][place[0]] + dx
    y = [SINGLE.ymin, SINGLE.ymax, (SINGLE.ymin + SINGLE.ymax) / 2][place[1]] + dy
    cell = load_sky_grid().cell(1889)
    exposure = aimed(Aim(*sky_of(1889, x, y), orient, **kind))
    pixels = gnomonic(edge_pixels(exposure), *cell.center)
    room = np.concatenate([pixels - [SINGLE.xmin, SINGLE.ymin], [SINGLE.xmax, SINGLE.ymax] - pixels], axis=1)
    if np.abs(np.concatenate([room.min(axis=0), room.max(axis=0)])).min() < 0.2:
        return  # as close as a tenth of a pixel either verdict is good
    verdict = "inside" if (room > 0).all() else "outside" if (room < 0).all(axis=0).any() else "clipped"
    assert outside(exposure, cell, SINGLE) == verdict


def test_the_other_side_of_the_sky_is_outside():
    assert outside(aimed(Aim(0.0, -26.0)), load_sky_grid().cell(1889), SINGLE) == "outside"


@pytest.mark.parametrize("field", [name for name in FIELDS if "far apart" not in name and "right edge" not in name])
def test_tight_limits_do_not_change_the_pixels_of_products(field):
    exposures = [aimed(aim) for aim in FIELDS[field]]
    choice = choose_projection_cell(find_sky_cells(exposures, load_sky_grid()))
    limits, _ = mosaic_limits(choice.sky_cells)
    tight = tight_limits(exposures, choice.cell, limits)
    for ratio in (1, 3):
        whole, small = (product_grid(exposures, choice.cell, box, ratio) for box in (limits, tight))
        assert whole == small
        assert small.scale == pytest.approx(0.04 * ratio)
        assert small.crval == choice.cell.center


def test_a_product_is_about_as_large_as_its_data():
    exposures = [aimed(Aim(180.0, 26.0, 0.0, camera="acs_wfc", shape=None))]
    cell = load_sky_grid().cell(1889)
    pixels = gnomonic(edge_pixels(exposures[0]), *cell.center)
    width, height = np.ptp(pixels, axis=0)
    tight = tight_limits(exposures, cell, SINGLE)
    fine, coarse = (product_grid(exposures, cell, tight, ratio) for ratio in (1, 3))
    assert fine.shape == pytest.approx((height, width), abs=2)
    assert coarse.shape == pytest.approx((height / 3, width / 3), abs=2)
    assert fine.crpix[0] == pytest.approx(225144 - pixels[:, 0].min(), abs=2)


def test_pixels_hold_those_of_every_exposure():
    places = [(225000, 225000), (228000, 226000), (227000, 229000), (224000, 227000), (226500, 227000)]
    exposures = [aimed(Aim(*sky_of(1889, *at), 20.0 * k, more=visit(k))) for k, at in enumerate(places, start=1)]
    cell = load_sky_grid().cell(1889)
    for ratio in (1, 3):
        together = product_grid(exposures, cell, SINGLE, ratio)
        each = [product_grid([exposure], cell, SINGLE, ratio) for exposure in exposures]
        for axis in (0, 1):
            length = 1 - axis
            first = [together.crpix[axis] - grid.crpix[axis] for grid in each]
            last = [start + grid.shape[length] for start, grid in zip(first, each, strict=True)]
            assert (min(first), max(last)) == (0, together.shape[length])
