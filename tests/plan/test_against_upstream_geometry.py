"""Projection cell, sky cells, members, limits and poller are those that drizzlepac itself works out."""

from __future__ import annotations

import gzip
import logging
import shutil
import warnings
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from helpers.exposure_files import SHARED
from helpers.pointed_exposures import Aim, aimed, sky_of, write_aimed
from helpers.sky_fields import FIELDS, LAST, UVIS, visit
from hstmosaic.plan.build import make_plan
from hstmosaic.plan.cells import SkyCell, load_sky_grid
from hstmosaic.plan.exposures import read_exposure
from hstmosaic.plan.footprints import exposure_outlines, to_pixels
from hstmosaic.plan.limits import Limits, framing_exposures, limits_wcs, mosaic_limits, product_grid, tight_limits
from hstmosaic.plan.pollers import poller_text
from hstmosaic.plan.sky import choose_projection_cell, corner_sky_cell, find_sky_cells

pytestmark = pytest.mark.upstream

GOODS_S = sorted((SHARED / "goods-s").glob("*_flt.fits.gz"))


@pytest.fixture(scope="module")
def upstream():
    """Modules of drizzlepac; they warn and log a lot."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.disable(logging.CRITICAL)
        from drizzlepac import make_custom_mosaic
        from drizzlepac.haputils import cell_utils, product

        yield SimpleNamespace(mosaic=make_custom_mosaic, cells=cell_utils, product=product)
        logging.disable(logging.NOTSET)


def assert_same_geometry(upstream, names: list[str], monkeypatch) -> None:
    """Compare everything about a list of files in the current directory."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = upstream.cells.get_sky_cells(names)
        monkeypatch.setattr(upstream.cells, "get_sky_cells", lambda _: theirs)
        their_choice = upstream.mosaic.determine_projection_cell(names)
        their_limits = upstream.mosaic.compute_mosaic_limits(their_choice)
        their_poller = Path(upstream.mosaic.create_poller_file(names, their_choice))
    exposures = [read_exposure(Path(name).absolute()) for name in names]
    ours = find_sky_cells(exposures, load_sky_grid())
    assert {name: cell.members for name, cell in ours.items()} == {name: cell.members for name, cell in theirs.items()}
    choice = choose_projection_cell(ours)
    assert list(choice.sky_cells) == list(their_choice)
    assert mosaic_limits(choice.sky_cells)[0].as_list() == their_limits
    corner = corner_sky_cell(choice.sky_cells).sky_cell_id
    assert their_poller.name == f"temp_{corner}_mvm.out"
    assert poller_text(exposures, corner) == their_poller.read_text()


@pytest.mark.parametrize("field", FIELDS)
def test_field(upstream, field, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = [write_aimed(tmp_path, aim).name for aim in FIELDS[field]]
    assert_same_geometry(upstream, names, monkeypatch)


@pytest.mark.skipif(not GOODS_S, reason="no ../shared/data/goods-s here")
def test_real_exposures_of_goods_s(upstream, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for packed in GOODS_S:
        with gzip.open(packed) as stream, (tmp_path / packed.stem).open("wb") as plain:
            shutil.copyfileobj(stream, plain)
    assert_same_geometry(upstream, [packed.stem for packed in GOODS_S], monkeypatch)


SIDES = {"left": (0, 1), "right": (0, -1), "bottom": (1, 1), "top": (1, -1)}
"""Border of a sky cell: axis, and direction into the cell."""


def across_border(side: str, depth: float, aim: Aim, sky_cell: SkyCell) -> Aim:
    """Move an exposure until its outermost pixel lies `depth` pixels inside a border of a sky cell."""
    axis, inward = SIDES[side]
    border = sky_cell.origin[axis] + (0 if inward > 0 else sky_cell.naxis[axis])
    middle = [sky_cell.origin[0] + 9000.0, sky_cell.origin[1] + 9000.0]
    middle[axis] = border
    for _ in range(3):
        ra, dec = sky_of(sky_cell.projection_cell.cell_id, *middle)
        aim = replace(aim, ra=ra, dec=dec)
        outline = np.concatenate(exposure_outlines(aimed(aim), step=1))
        entered = (inward * (to_pixels(sky_cell.projection_cell.wcs, outline)[:, axis] - border)).max()
        middle[axis] += inward * (depth - entered)
    return aim


@pytest.mark.parametrize("cell", ["skycell-p1889x11y12", "skycell-p2643x04y15"])
@pytest.mark.parametrize("orient", [0.0, 45.0])
@pytest.mark.parametrize("side", SIDES)
def test_grazed_sky_cells_count_alike_but_for_a_few_pixels(upstream, side, orient, cell, tmp_path, monkeypatch):
    """drizzlepac smooths the mask that it paints, so that it begins to count between -1 and 6 pixels."""
    monkeypatch.chdir(tmp_path)
    sky_cell = SkyCell.from_name(cell)
    start = Aim(0.0, 0.0, orient, more=visit(1))
    for number, (depth, counts) in enumerate([(-2.0, False), (8.0, True)], start=1):
        aim = across_border(side, depth, replace(start, more=visit(number)), sky_cell)
        path = write_aimed(tmp_path, aim)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            theirs = upstream.cells.get_sky_cells([path.name])
        ours = find_sky_cells([read_exposure(path)], load_sky_grid())
        assert (cell in ours, cell in theirs) == (counts, counts)


@pytest.mark.parametrize("scale", ["fine", "coarse", 0.08])
@pytest.mark.parametrize(
    "name", ["skycell-p0000x01y21", "skycell-p0797x12y05", "skycell-p1889x07y19", "skycell-p2643x21y21"]
)
def test_sky_cells_have_the_attributes_of_drizzlepacs(upstream, name, scale):
    ours, theirs = SkyCell.from_name(name, scale), upstream.cells.SkyCell.from_name(name, scale)
    assert repr(ours) == repr(theirs)
    for field in ("sky_cell_id", "x_index", "y_index", "scale", "overlap", "nxy", "members"):
        assert getattr(ours, field) == getattr(theirs, field)
    assert np.array_equal(ours.corners, theirs.corners)
    for one, other in ((ours, theirs), (ours.projection_cell, theirs.projection_cell)):
        assert one.wcs.to_header_string() == other.wcs.to_header_string()
        assert one.wcs.pixel_shape == other.wcs.pixel_shape
        assert (one.wcs.pscale, one.wcs.orientat) == (other.wcs.pscale, other.wcs.orientat)
    assert (ours.wcs.ltv1, ours.wcs.ltv2) == (theirs.wcs.ltv1, theirs.wcs.ltv2)
    for field in ("cell_id", "band_index", "scale", "sc_overlap", "sc_nxy"):
        assert getattr(ours.projection_cell, field) == getattr(theirs.projection_cell, field)
    assert np.array_equal(ours.projection_cell.footprint, theirs.projection_cell.footprint)
    assert np.array_equal(ours.projection_cell.corners, theirs.projection_cell.corners)


GRIDS = [
    "corner of four sky cells",
    "across right ascension 0",
    "over the north pole",
    "over the south pole",
    "across the seam of a band",
    "south",
    "several visits under names of both kinds",
]


def their_grid(upstream, names: list[str], sky_cell: str, scale: str, limits: Limits):
    """WCS of the trimmed product; drizzlepac's product needs no more than these attributes for it."""
    product = SimpleNamespace(skycell=upstream.cells.SkyCell.from_name(sky_cell, scale=scale), all_mvm_exposures=names)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return upstream.product.SkyCellProduct.generate_metawcs(product, custom_limits=limits.as_list())


def assert_same_grids(upstream, folder: Path, aims: list[Aim], cell_id: int | None = None) -> None:
    """Compare fine and coarse pixels."""
    exposures = [read_exposure(write_aimed(folder, aim)) for aim in aims]
    found = find_sky_cells(exposures, load_sky_grid())
    if cell_id is not None:
        found = {name: cell for name, cell in found.items() if cell.projection_cell.cell_id == cell_id}
    choice = choose_projection_cell(found)
    limits, _ = mosaic_limits(choice.sky_cells)
    tight = tight_limits(exposures, choice.cell, limits)
    for scale, ratio in (("fine", 1), ("coarse", 3)):
        grid = product_grid(exposures, choice.cell, tight, ratio)
        names = [exposure.name for exposure in exposures]
        theirs = their_grid(upstream, names, next(iter(choice.sky_cells)), scale, tight)
        assert grid.shape == theirs.array_shape
        assert grid.crpix == tuple(theirs.wcs.crpix)
        assert grid.crval == tuple(theirs.wcs.crval)
        assert grid.scale / 3600 == pytest.approx(theirs.wcs.cd[1, 1], rel=1e-12)


@pytest.mark.parametrize("field", GRIDS)
def test_pixels_of_products(upstream, field, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert_same_grids(upstream, tmp_path, FIELDS[field])


@pytest.mark.parametrize("corner", [(LAST - 60, LAST - 60), (20, 40), (LAST, 225000)])
def test_pixels_of_products_clipped_at_the_edge_of_a_projection_cell(upstream, corner, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    middle = [corner[0], corner[1]]
    second = [abs(middle[0] - 400), abs(middle[1] - 250)]
    aims = [Aim(*sky_of(1889, *middle)), Aim(*sky_of(1889, *second), **UVIS, more=visit(2))]
    assert_same_grids(upstream, tmp_path, aims, 1889)


@pytest.mark.parametrize(
    "dithers",
    [
        [(0, 0)],
        [(0, 0), (0.7, 0.4)],
        [(0, 0), (3, 0), (6, 1), (3, 5)],
        [(0, 0), (0, 0), (8, 8), (300, 0)],
        [(k % 4 * 2.3, k // 4 * 3.1) for k in range(12)],
    ],
    ids=["one", "pair", "partly over each other", "apart", "twelve"],
)
def test_depth_is_meannexp(upstream, dithers, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ra, dec = 53.1, -27.8
    aims = [
        Aim(ra + dx / 3600, dec + dy / 3600, 20.0 + 5 * k, **UVIS, more=visit(1, k + 1))
        for k, (dx, dy) in enumerate(dithers)
    ]
    names = [write_aimed(tmp_path, aim).name for aim in aims]
    plan = make_plan("*_flc.fits")
    (layer,) = plan.layers
    plane = limits_wcs(load_sky_grid().cell(int(plan.projection_cell[1:])), plan.tight_limits, 1)
    plane.pixel_shape = plan.tight_limits.shape()[::-1]
    footprint = upstream.cells.SkyFootprint(plane)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        footprint.build(names, scale=True)
    painted = footprint.total_mask
    meannexp = painted[painted > 0].mean()
    assert layer.mean_chips == pytest.approx(meannexp, rel=0.02)
    assert layer.parameter_set == ("n1" if round(meannexp) == 1 else "n2")


@pytest.mark.parametrize("seed", range(12))
def test_pixels_of_chips_that_limits_cut_through(upstream, seed, tmp_path, monkeypatch):
    """drizzlepac's filled polygon of a chip that is cut off at the limits."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(seed)
    cell, (x, y), orient = load_sky_grid().cell(1889), rng.uniform(1e3, 4e5, 2), rng.choice([45.0, rng.uniform(0, 360)])
    aims = [Aim(*sky_of(1889, x, y), orient), Aim(*sky_of(1889, x + 90, y - 110), orient, more=visit(1, 2))]
    exposures = [read_exposure(write_aimed(tmp_path, aim)) for aim in aims]
    outlines = np.concatenate([to_pixels(cell.wcs, o) for e in exposures for o in exposure_outlines(e)])
    (xmin, ymin), (xmax, ymax) = outlines.min(axis=0), outlines.max(axis=0)
    inner = Limits(*(int(v) for v in np.array([xmin, xmax, ymin, ymax]) + rng.uniform(-40, 150, 4) * [1, -1, 1, -1]))
    for ratio in (1, 3):
        plane = limits_wcs(cell, inner, ratio)
        plane.pixel_shape = inner.shape(ratio)[::-1]
        footprint = upstream.cells.SkyFootprint(plane)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            footprint.build([exposure.name for exposure in exposures])
        grid = product_grid(exposures, cell, inner, ratio)
        assert grid.shape == footprint.bounded_wcs.array_shape
        assert grid.crpix == tuple(footprint.bounded_wcs.wcs.crpix)


@pytest.mark.parametrize("cut_off", [False, True], ids=["whole", "clipped"])
def test_framing_exposures_fix_the_grid_of_all(upstream, tmp_path, monkeypatch, cut_off):
    """drizzlepac paints the same box for the framing exposures alone as for all of them."""
    monkeypatch.chdir(tmp_path)
    rng, cell = np.random.default_rng(4), load_sky_grid().cell(1889)
    places = rng.uniform(5e4, 5.3e4, (16, 2))
    aims = [
        Aim(*sky_of(1889, x, y), rng.uniform(0, 360), more=visit(k // 9 + 1, k % 9 + 1))
        for k, (x, y) in enumerate(places)
    ]
    exposures = [read_exposure(write_aimed(tmp_path, aim)) for aim in aims]
    outlines = np.concatenate([to_pixels(cell.wcs, o) for e in exposures for o in exposure_outlines(e)])
    (xmin, ymin), (xmax, ymax) = outlines.min(axis=0), outlines.max(axis=0)
    pad = -60 if cut_off else 12
    limits = Limits(*(int(v) for v in (xmin - pad, xmax + pad, ymin - pad, ymax + pad)))
    frame = framing_exposures(exposures, cell, limits)
    assert 1 <= len(frame) < len(exposures)
    for ratio in (1, 3):
        plane = limits_wcs(cell, limits, ratio)
        plane.pixel_shape = limits.shape(ratio)[::-1]
        boxes = []
        for names in ([exposure.name for exposure in exposures], list(frame)):
            footprint = upstream.cells.SkyFootprint(plane)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                footprint.build(names)
            boxes.append((footprint.bounded_wcs.array_shape, tuple(footprint.bounded_wcs.wcs.crpix)))
        assert boxes[0] == boxes[1]
