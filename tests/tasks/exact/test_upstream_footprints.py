"""Footprints painted chip by chip have drizzlepac's bounding box and statistics, to the last bit."""

import copy
from types import SimpleNamespace

import numpy as np
import pytest
from astropy.wcs import WCS
from drizzlepac.haputils import cell_utils, product
from hypothesis import given, settings
from hypothesis import strategies as st

from hstmosaic.simulate import Pointing, Visit, build_field, simulate_field, sky_cell_corner
from hstmosaic.tasks.exact import footprints, replace

pytestmark = pytest.mark.upstream

ORIGINAL = cell_utils.SkyFootprint


@pytest.fixture(scope="module")
def exposures(tmp_path_factory):
    """Turned exposures of unlike times that overlap, and an IR exposure, whose pixels are larger than the mosaic's."""
    visits = [
        Visit(
            "wfc3_uvis", "F606W", exposures=1, subarray=(300, 260), offset=(3.0 * k, 2.0 * k), exptime=100.3 + 7.7 * k
        )
        for k in range(3)
    ]
    visits.append(Visit("wfc3_ir", "F160W", exposures=1, subarray=(100, 90)))
    field = build_field("footprints", Pointing(*sky_cell_corner(), 30.0), visits)
    return [str(path) for path in simulate_field(field, tmp_path_factory.mktemp("footprints"))]


def mosaic(width, height, shift=(0.0, 0.0), scale=0.04):
    right_ascension, declination = sky_cell_corner()
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crval, wcs.wcs.cd = [right_ascension, declination], np.array([[-scale, 0], [0, scale]]) / 3600
    wcs.wcs.crpix = [width / 2 + shift[0], height / 2 + shift[1]]
    wcs.pixel_shape = (width, height)
    return wcs


GRIDS = {
    "around all": mosaic(1900, 1700),
    "cuts through chips": mosaic(500, 430, (70.0, -110.0)),
    "coarse": mosaic(700, 800, scale=0.12),
}


@pytest.mark.parametrize("wcs", GRIDS.values(), ids=GRIDS.keys())
def test_bounding_box_is_the_same(exposures, wcs):
    expected, found = ORIGINAL(wcs), footprints.OutlinedFootprint(wcs)
    expected.build(exposures)
    found.build(exposures)
    assert found.bounding_box == expected.bounding_box
    np.testing.assert_array_equal(found.bounded_wcs.wcs.crpix, expected.bounded_wcs.wcs.crpix)
    assert found.bounded_wcs.pixel_shape == expected.bounded_wcs.pixel_shape


@pytest.mark.parametrize("wcs", GRIDS.values(), ids=GRIDS.keys())
@pytest.mark.parametrize("band", [1 << 23, 40_000])
def test_keywords_are_the_same(exposures, wcs, band, monkeypatch):
    monkeypatch.setattr(footprints, "BAND", band)

    def layer():
        edp_list = [SimpleNamespace(full_filename=name) for name in exposures]
        return SimpleNamespace(meta_wcs=wcs, edp_list=edp_list, mask_kws=copy.deepcopy(product.MASK_KWS))

    ours, theirs = layer(), layer()
    replace.measure_footprint(ours)
    monkeypatch.setattr(cell_utils, "SkyFootprint", ORIGINAL)
    product.HAPProduct.generate_footprint_mask(theirs, save_mask=False)
    for keyword, (value, _) in theirs.mask_kws.items():
        assert ours.mask_kws[keyword][0] == value, keyword
        assert np.asarray(ours.mask_kws[keyword][0]).dtype == np.asarray(value).dtype, keyword


def test_exposures_outside_of_the_mosaic_have_no_box(exposures):
    footprint = footprints.OutlinedFootprint(mosaic(300, 300, (9000.0, 0.0)))
    footprint.build(exposures)
    assert footprint.bounded_wcs is None


@given(
    angle=st.floats(0, 90),
    size=st.tuples(st.integers(1, 60), st.integers(1, 60)),
    scale=st.floats(0.2, 4),
    limits=st.tuples(st.integers(1, 300), st.integers(1, 300)),
    centre=st.tuples(st.floats(-20, 220), st.floats(-20, 220)),
)
@settings(max_examples=300, deadline=None)
def test_bounds_of_outlines_are_those_of_painted_pixels(angle, size, scale, limits, centre):
    nx, ny = size
    edge_x = np.concatenate([np.zeros(ny), np.full(ny, nx - 1), np.arange(nx), np.arange(nx)]) - nx / 2
    edge_y = np.concatenate([np.arange(ny), np.arange(ny), np.zeros(nx), np.full(nx, ny - 1)]) - ny / 2
    turn = scale * np.exp(1j * np.deg2rad(angle)) * (edge_x + 1j * edge_y)
    x = np.clip((turn.real + centre[0]).astype(np.int32), 0, limits[0] - 1)
    y = np.clip((turn.imag + centre[1]).astype(np.int32), 0, limits[1] - 1)
    painted = footprints.paint(x, y, 1.0)
    assert footprints.find_bounds(x, y) == (painted and painted.bounds)
