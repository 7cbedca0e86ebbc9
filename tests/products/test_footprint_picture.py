"""The picture of the footprints: what is clipped is red, what is left out is dashed."""

import json
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from hstmosaic.plan.build import make_plan
from hstmosaic.plan.cells import load_sky_grid
from hstmosaic.plan.footprints import exposure_outlines, to_pixels
from hstmosaic.plan.limits import Limits
from hstmosaic.plan.outlines import read_outlines, write_outlines
from hstmosaic.products import footprint_picture
from hstmosaic.products.footprint_picture import draw_footprints
from hstmosaic.products.layer_marks import layer_colors


@pytest.fixture(scope="module")
def plan(simulated):
    return make_plan(str(simulated.demo(300).list))


@pytest.fixture(scope="module")
def outlines(plan, tmp_path_factory):
    path = tmp_path_factory.mktemp("run") / "footprints.json"
    write_outlines(path, plan)
    return read_outlines(path)


def painted(image, color, close=0.06):
    """Count the pixels of a colour in the main part of the picture."""
    pixels = np.asarray(image)[:, :800] / 255
    return int((np.abs(pixels - np.array(to_rgb(color))).max(axis=2) < close).sum())


def test_outlines_are_kept_with_their_corners(plan, outlines):
    assert [outline.name for outline in outlines] == [exposure.name for exposure in plan.exposures]
    for exposure, outline in zip(plan.exposures, outlines, strict=True):
        for chip, thin, full in zip(exposure.chips, outline.chips, exposure_outlines(exposure), strict=True):
            ny, nx = chip.shape
            corners = np.column_stack(chip.wcs.all_pix2world([0, nx - 1, nx - 1, 0], [0, 0, ny - 1, ny - 1], 0))
            assert all(np.abs(thin - corner).max(axis=1).min() < 1e-7 for corner in corners)
            assert len(thin) <= len(full)


def test_every_layer_can_be_seen_though_they_lie_on_each_other(plan, outlines):
    image = draw_footprints(plan, outlines, [])
    for color in layer_colors(plan).values():
        assert painted(image, color) > 200


def test_only_what_the_limits_cut_off_is_red(plan, outlines):
    whole = draw_footprints(plan, outlines, [])
    assert painted(whole, footprint_picture._ALARM) == 0
    plane = load_sky_grid().cell(int(plan.projection_cell[1:])).wcs
    points = np.concatenate([to_pixels(plane, chip) for outline in outlines for chip in outline.chips])
    low, high = points.min(axis=0), points.max(axis=0)
    middle = (low + high) / 2
    limits = Limits(0, int(middle[0]), 0, int(high[1]) + 1000)
    image = draw_footprints(replace(plan, limits=limits), outlines, [])
    pixels = np.asarray(image)[:, :800] / 255
    red = (np.abs(pixels - np.array(to_rgb(footprint_picture._ALARM))).max(axis=2) < 0.06).nonzero()[1]
    # the mosaic is left of the middle of the picture, and so nothing there is clipped off
    assert len(red) > 300
    assert red.min() >= 16 + 780 / 2 - 3


def test_what_is_left_out_has_gaps(plan, outlines):
    name = plan.layers[-1].exposures[-1]
    color = layer_colors(plan)[plan.layers[-1].name]
    solid, dashed = (draw_footprints(plan, [o for o in outlines if o.name == name], out) for out in ([], [name]))
    assert 0.3 < painted(dashed, color) / painted(solid, color) < 1.5
    # dark gaps are drawn over the line, and the inside is not filled
    assert painted(dashed, footprint_picture.EMPTY, 0.01) > painted(solid, footprint_picture.EMPTY, 0.01)


def test_exposures_far_away_do_not_shape_the_picture(plan, outlines, tmp_path):
    far = [replace(outlines[0], name="far_flt.fits", chips=tuple(chip + 1.0 for chip in outlines[0].chips))]
    near = draw_footprints(plan, outlines, [])
    with_far = draw_footprints(plan, [*outlines, *far], ["far_flt.fits"])
    assert np.array_equal(np.asarray(near)[64:, :800], np.asarray(with_far)[64:, :800])


def test_dropped_exposures_also_have_outlines(plan, tmp_path):
    dropped = replace(plan, exposures=plan.exposures[1:], dropped=plan.exposures[:1])
    write_outlines(tmp_path / "footprints.json", dropped)
    names = {item["exposure"] for item in json.loads((tmp_path / "footprints.json").read_text())}
    assert names == {exposure.name for exposure in plan.exposures}
    assert "dropped" not in json.loads(dropped.to_json())
