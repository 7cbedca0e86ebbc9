"""Tiles of mosaics: which pixels they have, what they are called, and where sky cells lie in a mosaic."""

import numpy as np
import pytest

from helpers.pointed_exposures import Aim, aimed, sky_of
from helpers.sky_fields import FIELDS, UVIS, visit
from hstmosaic.errors import OptionError
from hstmosaic.plan.cells import SkyCell, load_sky_grid
from hstmosaic.plan.footprints import perimeter, to_pixels
from hstmosaic.plan.layers import common_geometry, make_layers
from hstmosaic.plan.limits import mosaic_limits, tight_limits
from hstmosaic.plan.names import default_prefix
from hstmosaic.plan.request import MosaicRequest
from hstmosaic.plan.sky import find_sky_cells
from hstmosaic.plan.target_grid import TargetGrid
from hstmosaic.plan.tiles import Tiling, parse_tiling, tiles_of

CELL = load_sky_grid().cell(1889)


@pytest.fixture(scope="module")
def exposures():
    """Two exposures that lie apart, so that the mosaic has empty corners."""
    return [
        aimed(Aim(*sky_of(1889, 225000, 225000), **UVIS, more=visit(1))),
        aimed(Aim(*sky_of(1889, 226000, 225800), **UVIS, more=visit(2))),
    ]


def layers_of(exposures, tiles, prefix="foo", scale=None):
    limits, _ = mosaic_limits(find_sky_cells(exposures, load_sky_grid()))
    request = MosaicRequest(tiles=parse_tiling(tiles), scale=scale)
    geometry = common_geometry(exposures, CELL, limits, tight_limits(exposures, CELL, limits), request)
    return make_layers(exposures, geometry, prefix, request=request)


def pixels_of(exposures, grid):
    """Return the pixels of a mosaic that contain centres of pixels of exposures, as column and row."""
    found = []
    for exposure in exposures:
        for chip in exposure.chips:
            height, width = chip.shape
            x, y = np.meshgrid(np.arange(width), np.arange(height))
            sky = chip.wcs.all_pix2world(np.column_stack([x.ravel(), y.ravel()]), 0)
            found.append(np.unique(np.round(to_pixels(grid.wcs, sky)).astype(int), axis=0))
    pixels = np.concatenate(found)
    # drizzlepac leaves out the last row and column of the data
    return pixels[(pixels < np.array(grid.shape)[::-1]).all(axis=1)]


def test_every_pixel_with_data_is_in_one_tile(exposures):
    (layer,) = layers_of(exposures, "150x120")
    (product,) = layer.products
    height, width = product.grid.shape
    count = np.zeros((height, width), int)
    for _, tile in product.tiles:
        count[tile.bottom : tile.bottom + tile.height, tile.left : tile.left + tile.width] += 1
    x, y = pixels_of(exposures, product.grid).T
    assert (count[y, x] == 1).all()
    assert count.max() == 1


def test_tiles_without_data_are_not_made(exposures):
    (layer,) = layers_of(exposures, "150x120")
    (product,) = layer.products
    data = pixels_of(exposures, product.grid)
    for _, tile in product.tiles:
        low = np.array([tile.left, tile.bottom]) - 4
        high = np.array([tile.left + tile.width, tile.bottom + tile.height]) + 3
        assert ((data >= low) & (data <= high)).all(axis=1).any(), f"{tile} is empty"
    height, width = product.grid.shape
    assert len(product.tiles) < 0.8 * (width / 150) * (height / 120)


def test_sky_cells_have_the_pixels_of_drizzlepacs():
    exposures = [aimed(aim) for aim in FIELDS["corner of four sky cells"]]
    for layer in layers_of(exposures, "skycells"):
        product = layer.products[-1]
        assert len(product.tiles) == 4
        height, width = product.grid.shape
        for _, tile in product.tiles:
            cell = SkyCell.from_name(tile.name)
            first = product.grid.wcs.wcs_pix2world([[tile.left, tile.bottom]], 0)
            x, y = cell.wcs.wcs_world2pix(first, 0)[0]
            # pixel 0 of the sky cell, or the edge of the mosaic inside of it
            assert x == pytest.approx(0 if tile.left else round(x), abs=1e-4)
            assert y == pytest.approx(0 if tile.bottom else round(y), abs=1e-4)
            if tile.left + tile.width < width:
                assert round(x) + tile.width == cell.naxis[0]
            if tile.bottom + tile.height < height:
                assert round(y) + tile.height == cell.naxis[1]


@pytest.mark.parametrize("scale", [None, 0.03])
def test_coarse_and_scaled_pixels_of_a_sky_cell_have_their_centres_in_it(scale):
    exposures = [aimed(aim) for aim in FIELDS["corner of four sky cells"][:1]]
    (layer,) = layers_of(exposures, "skycells", scale=scale)
    for product in layer.products:
        for _, tile in product.tiles:
            cell = SkyCell.from_name(tile.name)
            edge = perimeter((tile.height, tile.width)) + np.array([tile.left, tile.bottom])
            inside = cell.wcs.wcs_world2pix(product.grid.wcs.wcs_pix2world(edge, 0), 0)
            assert (inside > -0.51).all()
            assert (inside < np.array(cell.naxis) - 0.49).all()
            beyond = cell.wcs.wcs_world2pix(product.grid.wcs.wcs_pix2world([[tile.left - 1, tile.bottom - 1]], 0), 0)[0]
            assert tile.left == 0 or beyond[0] < -0.49
            assert tile.bottom == 0 or beyond[1] < -0.49


def test_sky_cells_are_named_as_in_multi_visit_mosaics():
    exposures = [aimed(FIELDS["inside one sky cell"][0])]
    (layer,) = layers_of(exposures, "skycells", default_prefix(CELL))
    ((coarse, tile),), ((fine, _),) = (product.tiles for product in layer.products)
    assert coarse == f"hst_{tile.name}_wfc3_ir_f160w_coarse-all_drz.fits"
    assert fine == f"hst_{tile.name}_wfc3_ir_f160w_all_drz.fits"
    (layer,) = layers_of(exposures, "skycells", "foo")
    assert layer.products[1].tiles[0][0] == f"foo_{tile.name}_wfc3_ir_f160w_all_drz.fits"


def test_regular_tiles_are_named_by_column_and_row(exposures):
    (layer,) = layers_of(exposures, "150x120")
    name, tile = layer.products[0].tiles[0]
    column, row = tile.left // 150 + 1, tile.bottom // 120 + 1
    assert name == f"foo_tile-x{column:02d}y{row:02d}_wfc3_uvis_f606w_all_drz.fits".replace("drz", "drc")


@pytest.mark.parametrize("text", ["", "skycell", "100", "100x", "63x100", "100x-5", "1e3x1e3", "0x0"])
def test_invalid_tilings_are_refused(text):
    with pytest.raises(OptionError, match="--tiles"):
        parse_tiling(text)


def test_too_many_tiles_are_refused(exposures):
    (layer,) = layers_of(exposures, "150x120")
    grid = layer.products[0].grid
    vast = type(grid)(grid.scale, (40_000, 40_000), grid.crpix, grid.crval)
    with pytest.raises(OptionError, match="makes 390625 tiles"):
        tiles_of(exposures, vast, Tiling((64, 64)), CELL)


def test_sky_cells_need_the_projection_cell():
    target = TargetGrid((10, 10), (5.0, 5.0), (10.0, 20.0), (-1e-5, 0.0, 0.0, 1e-5))
    with pytest.raises(OptionError, match="--grid excludes --tiles skycells"):
        MosaicRequest(grid=target, tiles=Tiling())


@pytest.mark.parametrize("text", ["skycells", "4000x3000"])
def test_the_request_keeps_tiles_in_json(text):
    request = MosaicRequest(tiles=parse_tiling(text))
    assert MosaicRequest.from_dict(request.to_dict()) == request
    assert str(request) == f"tiles of {text}"
