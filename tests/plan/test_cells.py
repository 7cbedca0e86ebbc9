"""Projection cells and sky cells."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hstmosaic.errors import HstMosaicError
from hstmosaic.plan.cells import SkyCell, load_sky_grid


@pytest.fixture(scope="module")
def grid():
    return load_sky_grid()


def test_the_sky_has_2644_projection_cells_in_46_bands(grid):
    assert len(grid.bands) == 46
    assert sum(band.n_cells for band in grid.bands) == 2644
    assert [grid.cell(number).cell_id for number in range(2644)] == list(range(2644))
    assert (grid.scale, grid.overlap, grid.nxy) == (0.04, 256, 21)


def test_bands_leave_no_declination_out(grid):
    assert (grid.bands[0].dec_min, grid.bands[-1].dec_max) == (-90, 90)
    for south, north in zip(grid.bands, grid.bands[1:], strict=False):
        assert south.dec_min < north.dec_min < south.dec_max < north.dec_max


@pytest.mark.parametrize("number", [-1, 2644, 99999])
def test_no_other_projection_cells(grid, number):
    with pytest.raises(HstMosaicError, match=f"invalid projection cell {number}"):
        grid.cell(number)


def test_a_projection_cell_in_numbers(grid):
    cell = grid.cell(1889)
    assert (cell.name, cell.band_index) == ("p1889", 41)
    assert cell.center == (180.0, pytest.approx(26.0))
    assert cell.naxis == (450287, 450287)
    assert tuple(cell.wcs.wcs.crpix) == (225144, 225144)
    assert cell.pitch == (21442, 21442)
    assert cell.wcs.wcs_pix2world([[225143, 225143]], 0)[0] == pytest.approx([180.0, 26.0])
    west, north = cell.wcs.wcs_pix2world([[225144, 225143], [225143, 225144]], 0)
    assert west[0] < 180.0
    assert north[1] - 26.0 == pytest.approx(0.04 / 3600, rel=1e-4)


def test_corners_close_the_footprint(grid):
    cell = grid.cell(1322)
    assert cell.footprint.shape == (4, 2)
    assert np.array_equal(cell.corners[0], cell.corners[-1])
    sky_cell = cell.sky_cell(3, 4)
    assert sky_cell.corners.shape == (5, 2)
    assert np.array_equal(sky_cell.corners[0], sky_cell.corners[-1])


def test_sky_cells_overlap_by_512_pixels(grid):
    cell = grid.cell(7)
    first, second, last = (cell.sky_cell(i, i) for i in (1, 2, 21))
    assert first.origin == (0, 0)
    assert first.origin[0] + first.naxis[0] - second.origin[0] == 512
    assert last.origin[0] + last.naxis[0] > cell.naxis[0]


def test_pixels_of_a_sky_cell_are_pixels_of_its_projection_cell(grid):
    sky_cell = SkyCell.from_name("skycell-p1889x07y19")
    assert (sky_cell.origin, sky_cell.naxis) == ((128652, 385956), (21954, 21954))
    inside = sky_cell.wcs.wcs_pix2world([[10.0, 20.0]], 0)
    assert grid.cell(1889).wcs.wcs_world2pix(inside, 0)[0] == pytest.approx([128662, 385976], abs=1e-6)


def test_a_coarse_sky_cell_has_a_third_of_the_pixels():
    fine, coarse = (SkyCell.from_name("skycell-p0797x12y05", scale) for scale in ("fine", "coarse"))
    assert coarse.scale == 0.12
    assert coarse.wcs.pixel_shape == (7318, 7318)
    assert coarse.naxis == fine.naxis == (21954, 21954)
    assert coarse.wcs.wcs.crpix * 3 == pytest.approx(fine.wcs.wcs.crpix)
    assert SkyCell.from_name("skycell-p0797x12y05", 0.08).wcs.pscale == pytest.approx(0.08)


def test_sky_cells_do_not_share_members(grid):
    one, other = (grid.cell(5).sky_cell(1, 1) for _ in range(2))
    one.members.append("icab01a0q_flt.fits")
    assert one == other
    assert other.members == []


@settings(max_examples=60)
@given(st.integers(0, 2643), st.integers(1, 21), st.integers(1, 21))
def test_names_round_trip(number, x, y):
    sky_cell = load_sky_grid().cell(number).sky_cell(x, y)
    again = SkyCell.from_name(sky_cell.sky_cell_id)
    assert again == sky_cell
    assert (again.projection_cell.cell_id, again.x_index, again.y_index) == (number, x, y)
    assert repr(again) == f"SkyCell object: skycell-p{number:04d}x{x:02d}y{y:02d}"


@pytest.mark.parametrize(
    "name", ["", "p1889x07y19", "skycell-p1889", "skycell-p1889x7y19", "SKYCELL-P1889X07Y19", "skycell-p1889x07y19 "]
)
def test_names_that_are_none(name):
    with pytest.raises(HstMosaicError, match="not the name of a sky cell"):
        SkyCell.from_name(name)


def test_name_in_a_projection_cell_that_is_not_there():
    with pytest.raises(HstMosaicError, match="invalid projection cell 9999"):
        SkyCell.from_name("skycell-p9999x01y01")


def test_the_table_is_read_without_importing_drizzlepac():
    code = (
        "import sys; from hstmosaic.plan.cells import load_sky_grid; load_sky_grid().cell(0).wcs;"
        "print([m for m in ('drizzlepac', 'stwcs', 'scipy', 'matplotlib', 'dask') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
