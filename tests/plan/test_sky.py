"""Which sky cells and which projection cell."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.brute_force import all_sky_cells, angle_between, direction, edge_pixels, gnomonic, sky_cells_of
from helpers.pointed_exposures import Aim, aimed, sky_of
from helpers.sky_fields import FIELDS, UVIS, visit
from hstmosaic.plan.cells import load_sky_grid
from hstmosaic.plan.footprints import SAMPLE_STEP, chip_outline, exposure_outlines, perimeter, to_pixels
from hstmosaic.plan.sky import (
    choose_projection_cell,
    corner_sky_cell,
    find_sky_cells,
    mean_direction,
    sky_cell_distance,
)

NEIGHBOURS_ONLY = {
    "seam of a band, east": "p1929",
    "four cells next to the north pole": "all but the nearest and its neighbours",
    "right edge of a projection cell": "an exposure beyond the edge, whose visit reaches over it",
}
"""Fields where drizzlepac does not look at every projection cell, or looks at one more; compared with it elsewhere."""


def found(aims: list[Aim]):
    """Sky cells of exposures."""
    return find_sky_cells([aimed(aim) for aim in aims], load_sky_grid())


def choice(aims: list[Aim]):
    """Projection cell of exposures."""
    return choose_projection_cell(found(aims))


@pytest.mark.parametrize("field", sorted(set(FIELDS) - set(NEIGHBOURS_ONLY)))
def test_sky_cells_by_brute_force(field):
    exposures = [aimed(aim) for aim in FIELDS[field]]
    ours = find_sky_cells(exposures, load_sky_grid())
    assert {name: sorted(cell.members) for name, cell in ours.items()} == all_sky_cells(exposures)


def test_full_frames_by_brute_force():
    aims = [Aim(*sky_of(1889, 214676, 214676), 40.0, camera="acs_wfc", shape=None)]
    aims += [Aim(53.1, -27.8, 70.0, camera="wfc3_uvis", shape=None, more=visit(2))]
    exposures = [aimed(aim) for aim in aims]
    ours = find_sky_cells(exposures, load_sky_grid())
    assert {name: sorted(cell.members) for name, cell in ours.items()} == all_sky_cells(exposures)
    assert len(ours) >= 5


@settings(max_examples=40)
@given(st.integers(0, 2643), st.integers(0, 20), st.integers(0, 20), st.floats(-400, 400), st.floats(-400, 400))
def test_corners_of_sky_cells_by_brute_force(number, column, row, dx, dy):
    cell = load_sky_grid().cell(number)
    aim = Aim(*sky_of(number, column * 21442 + dx, row * 21442 + dy), 45.0, more=visit(1))
    exposure = aimed(aim)
    pixels = gnomonic(edge_pixels(exposure), *cell.center)
    ours = {(s.x_index, s.y_index) for s in found([aim]).values() if s.projection_cell == cell}
    if ours:  # some corners of a projection cell are beyond its band, and not looked at
        assert ours == sky_cells_of(pixels)


@pytest.mark.parametrize("along", [-60, 0, 60])
def test_an_edge_across_a_corner_of_a_sky_cell(along):
    """The corner of a sky cell reaches 20 pixels over the edge of a chip, whose samples are 200 pixels apart."""
    cell = load_sky_grid().cell(1889)
    corner = cell.sky_cell(12, 12).origin
    half, step = 128 * 0.128 / 0.04 / 2 - 20, 2**-0.5
    places = [
        (corner[0] + (-half + sign * along) * step, corner[1] + (-half - sign * along) * step) for sign in (1, -1)
    ]
    for at in places:
        aim = Aim(*sky_of(1889, *at), 45.0)
        pixels = gnomonic(edge_pixels(aimed(aim)), *cell.center)
        ours = {(s.x_index, s.y_index) for s in found([aim]).values() if s.projection_cell == cell}
        assert ours == sky_cells_of(pixels) == {(11, 11), (11, 12), (12, 11), (12, 12)}


def test_a_seam_is_looked_at_from_the_west_only():
    """drizzlepac never takes the western neighbour of the first cell of a band."""
    east, west = (found(FIELDS[f"seam of a band, {side}"]) for side in ("east", "west"))
    assert {cell.projection_cell.name for cell in east.values()} == {"p1848"}
    assert {cell.projection_cell.name for cell in west.values()} == {"p1848", "p1929"}


def test_sky_cells_come_with_their_exposures_visit_by_visit():
    aims = [Aim(180.0, 26.0, more=visit(k, n)) for k, n in ((2, 1), (1, 1), (2, 2))]
    (cell,) = found(aims).values()
    assert cell.sky_cell_id == "skycell-p1889x11y11"
    assert cell.members == ["icab02a0q_flt.fits", "icab02a1q_flt.fits", "icab01a0q_flt.fits"]


@pytest.mark.parametrize(
    ("aims", "number"),
    [
        ([Aim(180.0, 26.0)], 1889),
        ([Aim(183.0, 26.0)], 1890),
        ([Aim(181.5, 27.7)], 1889),
        ([Aim(180.5, 28.3)], 1970),
        ([Aim(358.5, 26.0)], 1848),
        ([Aim(357.0, 26.3, **UVIS)], 1929),
        ([Aim(1.0, 0.2)], 1322),
        ([Aim(1.0, -0.2)], 1232),
        ([Aim(310.0, 88.0)], 2643),
        ([Aim(0.0, -87.3)], 1),
        ([Aim(181.8, 26.0), Aim(182.0, 26.0, more=visit(2)), Aim(182.3, 26.0, more=visit(3))], 1889),
    ],
)
def test_nearest_centre_is_chosen(aims, number):
    """In clear-cut cases distances in sky cells and angles on the sky agree."""
    chosen = choice(aims)
    assert chosen.cell.cell_id == number
    mean = direction(*np.array([(aim.ra, aim.dec) for aim in aims]).T).mean(axis=0)
    centres = {n: direction(*load_sky_grid().cell(n).center) for n in range(2644)}
    assert min(centres, key=lambda n: angle_between(mean, centres[n])) == number


def test_distances_include_the_alternatives():
    chosen = choice(FIELDS["between two cells of a band"])
    assert chosen.distances == {"p1889": pytest.approx(8.0), "p1890": pytest.approx(8.7, abs=0.1)}
    assert {cell.projection_cell.name for cell in chosen.sky_cells.values()} == {"p1889"}


def test_ties_go_to_the_first_as_in_drizzlepac():
    chosen = choice(FIELDS["at the equator, in two bands"])
    assert chosen.distances == {"p1242": 8.0, "p1332": 8.0}
    assert chosen.cell.name == "p1242"


@pytest.mark.parametrize(
    ("indices", "corner"),
    [([(10, 10), (10, 11), (11, 10), (11, 11)], (10, 10)), ([(3, 9), (9, 3)], (3, 9)), ([(9, 3), (3, 9)], (9, 3))],
)
def test_corner_is_the_sky_cell_nearest_to_the_lower_left(indices, corner):
    cells = [load_sky_grid().cell(1).sky_cell(x, y) for x, y in indices]
    nearest = corner_sky_cell({cell.sky_cell_id: cell for cell in cells})
    assert (nearest.x_index, nearest.y_index) == corner


def test_distance_in_sky_cells():
    assert sky_cell_distance(4, 5, 1, 1) == 5.0


@pytest.mark.parametrize("ra", [0.0, 359.999, 123.4])
@pytest.mark.parametrize("dec", [0.0, 89.9, -60.0])
def test_mean_direction_of_an_exposure_is_where_it_points(ra, dec):
    outlines = exposure_outlines(aimed(Aim(ra, dec)))
    assert angle_between(direction(*mean_direction(outlines)), direction(ra, dec)) * 3600 < 1.0


def test_perimeter_goes_round_once():
    points = perimeter((3, 4))
    assert points.tolist() == [[0, 0], [1, 0], [2, 0], [3, 0], [3, 1], [3, 2], [2, 2], [1, 2], [0, 2], [0, 1]]
    assert perimeter((2051, 4096), 64).shape[0] < 200
    assert {(0, 0), (4095, 0), (4095, 2050), (0, 2050)} <= set(map(tuple, perimeter((2051, 4096), 64).astype(int)))


@pytest.mark.parametrize("camera", ["acs_wfc", "wfc3_uvis", "wfc3_ir"])
def test_distortion_bends_an_edge_little_between_samples(camera):
    """Straight lines between sampled points keep to the edge within 0.1 fine pixels."""
    plane = load_sky_grid().cell(1889).wcs
    for chip in aimed(Aim(180.0, 26.0, camera=camera, shape=None)).chips:
        sampled, every = (to_pixels(plane, chip_outline(chip, step)) for step in (SAMPLE_STEP, 1))
        corners = perimeter(chip.shape, SAMPLE_STEP)
        along = perimeter(chip.shape)
        number = {tuple(point): k for k, point in enumerate(along.tolist())}
        at = [number[tuple(point)] for point in corners.tolist()]
        straight = np.column_stack([np.interp(np.arange(len(along)), at, sampled[:, axis]) for axis in (0, 1)])
        inner = slice(0, at[-1])
        assert np.abs(straight - every)[inner].max() < 0.1
