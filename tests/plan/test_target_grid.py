"""Grids, scales and bounds of the user."""

import json
import shutil
from types import SimpleNamespace

import asdf
import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from astropy.wcs import WCS

from helpers.pointed_exposures import Aim, aimed, sky_of, write_aimed
from helpers.sky_fields import UVIS, visit
from hstmosaic.errors import BadInputError, OptionError, OutputError
from hstmosaic.plan.build import make_plan
from hstmosaic.plan.cells import load_sky_grid
from hstmosaic.plan.footprints import exposure_outlines, to_pixels
from hstmosaic.plan.request import MosaicRequest
from hstmosaic.plan.requested_grids import exclude_off_grid, requested_grids
from hstmosaic.plan.target_grid import PROJECTIONS, Bounds, TargetGrid, parse_bounds, read_grid
from hstmosaic.run.driver import run_mosaic
from hstmosaic.run.options import RunOptions

RA, DEC = sky_of(1889, 225000, 225000)
CELL = load_sky_grid().cell(1889)
DESCRIPTION = {"ra": RA, "dec": DEC, "scale": 0.03, "width": 400, "height": 300, "rotation": 40.0}
SIP = {"A_ORDER": 2, "A_2_0": 1e-6, "B_ORDER": 2, "B_2_0": 1e-6}
PLANE = {
    "CTYPE1": "RA---TAN",
    "CTYPE2": "DEC--TAN",
    "CRVAL1": RA,
    "CRVAL2": DEC,
    "CRPIX1": 200.5,
    "CRPIX2": 150.5,
    "CD1_1": -1e-5,
    "CD1_2": 0.0,
    "CD2_1": 0.0,
    "CD2_2": 1e-5,
}


def write_image(path, shape=(300, 400), **cards):
    """Write an image with a WCS; cards that are None are left out."""
    image = fits.ImageHDU(np.zeros(shape, np.int16), name="SCI")
    image.header.update({key: value for key, value in (PLANE | cards).items() if value is not None})
    fits.HDUList([fits.PrimaryHDU(), image]).writeto(path)
    return path


@pytest.fixture
def exposures():
    return [aimed(Aim(RA, DEC, **UVIS, more=visit(1))), aimed(Aim(RA, DEC, **UVIS, more=visit(2)))]


@pytest.mark.parametrize("extension", ["", "[SCI]", "[1]", "[SCI,1]"])
def test_the_grid_of_an_image_is_read(tmp_path, extension):
    grid = read_grid(f"{write_image(tmp_path / 'a.fits')}{extension}")
    assert grid == TargetGrid((300, 400), (200.5, 150.5), (RA, DEC), (-1e-5, 0.0, 0.0, 1e-5))
    assert grid.scale == pytest.approx(0.036)


@pytest.mark.parametrize("projection", PROJECTIONS)
def test_a_grid_has_the_sky_positions_of_its_image(tmp_path, projection):
    axes = {"CTYPE1": f"RA---{projection}", "CTYPE2": f"DEC--{projection}", "CRPIX1": 9000.5, "CD1_2": 1e-9}
    path = write_image(tmp_path / "a.fits", **axes)
    request = MosaicRequest(grid=read_grid(str(path)))
    grid, _ = requested_grids([], CELL, MosaicRequest.from_dict(json.loads(json.dumps(request.to_dict()))))
    pixels = [[1, 1], [400, 1], [1, 300]]
    expected = WCS(fits.getheader(path, 1)).wcs_pix2world(pixels, 1)
    np.testing.assert_array_equal(grid.wcs.wcs_pix2world(pixels, 1), expected)


def test_a_description_can_name_its_projection(tmp_path):
    path = tmp_path / "grid.json"
    path.write_text(json.dumps(DESCRIPTION | {"projection": "sin"}))
    assert read_grid(str(path)).projection == "SIN"
    path.write_text(json.dumps(DESCRIPTION | {"projection": "HPX"}))
    with pytest.raises(BadInputError, match="has the projection HPX"):
        read_grid(str(path))


@pytest.mark.parametrize("ending", [".json", ".toml", ".ecsv", ".asdf"])
def test_a_described_grid_is_read(tmp_path, ending):
    path = tmp_path / f"grid{ending}"
    if ending == ".json":
        path.write_text(json.dumps(DESCRIPTION))
    elif ending == ".toml":
        path.write_text("\n".join(f"{name} = {value}" for name, value in DESCRIPTION.items()))
    elif ending == ".asdf":
        asdf.AsdfFile(DESCRIPTION).write_to(path)
    else:
        Table(rows=[DESCRIPTION]).write(path, format="ascii.ecsv")
    grid = read_grid(str(path))
    assert (grid.shape, grid.scale) == ((300, 400), pytest.approx(0.03))
    assert np.degrees(np.arctan2(grid.cd[1], grid.cd[3])) == pytest.approx(40.0)
    assert grid.cd[0] * grid.cd[3] - grid.cd[1] * grid.cd[2] < 0


@pytest.mark.parametrize(
    ("shape", "cards", "cause"),
    [
        ((300, 400), {"CTYPE1": None, "CTYPE2": None}, "has no celestial WCS"),
        ((2, 300, 400), {}, "has 3 axes instead of 2"),
        ((300, 400), {"CTYPE1": "RA---SFL", "CTYPE2": "DEC--SFL"}, "has the axes RA---SFL, DEC--SFL"),
        ((300, 400), {"CTYPE1": "RA---ZPN", "CTYPE2": "DEC--ZPN"}, "has an invalid WCS"),
        (
            (300, 400),
            {"CTYPE1": "DEC--TAN", "CTYPE2": "RA---TAN", "CRVAL1": DEC, "CRVAL2": RA},
            "has the axes DEC--TAN, RA---TAN",
        ),
        ((300, 400), {"CTYPE1": "RA---TAN-SIP", "CTYPE2": "DEC--TAN-SIP"} | SIP, "has a distorted WCS"),
        ((300, 400), {"CTYPE1": "RA---SIN", "CTYPE2": "DEC--SIN", "PV2_1": 0.1}, "SIN with PV parameters"),
        ((300, 400), {"CTYPE1": "RA---CAR", "CTYPE2": "DEC--CAR", "CRVAL2": 0.0, "CRPIX2": -4.5e6}, "at its centre"),
        ((300, 400), {"RADESYS": "FK4", "EQUINOX": 1950.0}, "has coordinates of 1950"),
        ((300, 400), {"CTYPE1": "GLON-TAN", "CTYPE2": "GLAT-TAN"}, "has the axes GLON-TAN, GLAT-TAN"),
        ((300, 400), {"CD1_1": 0.0}, "has pixels that are not square"),
        ((300, 400), {"CD2_2": 2e-5}, "has pixels that are not square"),
        ((300, 400), {"CD1_2": 5e-6}, "has pixels that are not square"),
        ((300, 400), {"LONPOLE": 90.0}, "has LONPOLE 90 instead of 180"),
    ],
)
def test_other_images_are_refused(tmp_path, shape, cards, cause):
    path = write_image(tmp_path / "a.fits", shape, **cards)
    with pytest.raises(BadInputError, match=cause):
        read_grid(f"{path}[SCI]")


@pytest.mark.parametrize(
    ("changes", "cause"),
    [
        ({"width": 0}, "has a size of 0 x 300 pixels"),
        ({"width": 100_000, "height": 100_000}, "less than 2"),
        ({"scale": "x"}, "not a number"),
        ({"ra": None}, "not a number"),
    ],
)
def test_other_descriptions_are_refused(tmp_path, changes, cause):
    path = tmp_path / "grid.json"
    path.write_text(json.dumps(DESCRIPTION | changes))
    with pytest.raises(BadInputError, match=cause):
        read_grid(str(path))


def test_missing_files_and_extensions_are_refused(tmp_path):
    with pytest.raises(BadInputError, match="cannot be read"):
        read_grid(str(tmp_path / "gone.fits"))
    path = write_image(tmp_path / "a.fits")
    with pytest.raises(BadInputError, match=r"has no extension DQ; use one of PRIMARY, SCI"):
        read_grid(f"{path}[DQ]")


@pytest.mark.parametrize("text", ["1:2", "a:b,c:d", "5:4,1:2", "1:2,4:3", "150:151,-95:2d", "10:50,1:2d"])
def test_invalid_bounds_are_refused(text):
    with pytest.raises(OptionError):
        parse_bounds(text)


def test_bounds_across_right_ascension_zero():
    assert parse_bounds("359.9:0.1,-1:1d") == Bounds((359.9, -1.0), (360.1, 1.0), sky=True)


@pytest.mark.parametrize("scale", [0.02, 0.03, 0.04, 0.05, 0.08])
def test_scaled_grids_hold_all_exposures(exposures, scale):
    fine, coarse = requested_grids(exposures, CELL, MosaicRequest(scale=scale))
    for grid in (fine, coarse):
        height, width = grid.shape
        for outline in exposure_outlines(exposures[0], step=1):
            x, y = to_pixels(grid.wcs, outline).T
            assert x.min() > -0.5
            assert y.min() > -0.5
            assert x.max() < width - 0.5
            assert y.max() < height - 0.5
    assert (coarse.shape[0] * 3, coarse.shape[1] * 3) == fine.shape
    corner = np.array([[0.5, 0.5]])
    np.testing.assert_allclose(fine.wcs.wcs_pix2world(corner, 1), coarse.wcs.wcs_pix2world(corner, 1), atol=1e-11)


@pytest.mark.parametrize(("wide", "narrow"), [(0.04, 0.02), (0.06, 0.03), (0.08, 0.04), (0.12, 0.04)])
def test_grids_nest_where_scales_do(exposures, wide, narrow):
    outer, inner = (requested_grids(exposures, CELL, MosaicRequest(scale=scale))[0] for scale in (wide, narrow))
    corner = outer.wcs.wcs_pix2world([[0.5, 0.5]], 1)
    place = inner.wcs.wcs_world2pix(corner, 1) - 0.5
    np.testing.assert_allclose(place, np.round(place), atol=1e-5)


@pytest.mark.parametrize("scale", [0.02, 0.03, 0.05, 0.12])
def test_headers_hold_scaled_grids_exactly(exposures, scale):
    for grid in requested_grids(exposures, CELL, MosaicRequest(scale=scale)):
        numbers = [*grid.crpix, *grid.crval, *grid.matrix]
        header = fits.Header([(f"N{place}", number) for place, number in enumerate(numbers)])
        assert list(fits.Header.fromstring(header.tostring()).values()) == numbers


def test_the_usual_scale_has_drizzlepacs_phase(exposures):
    fine, coarse = requested_grids(exposures, CELL, MosaicRequest(scale=0.04))
    assert all(value == round(value) for value in (*fine.crpix, *coarse.crpix))


def test_bounds_in_pixels_are_those_of_the_projection_cell():
    fine, _ = requested_grids([], CELL, MosaicRequest(bounds=Bounds((224_000, 225_000), (224_299, 225_599), sky=False)))
    x, y = CELL.wcs.wcs_world2pix(fine.wcs.wcs_pix2world([[0, 0]], 0), 0)[0]
    assert 0 <= 224_000 - x < 3
    assert 0 <= 225_000 - y < 3
    assert 300 <= fine.shape[1] <= 304
    assert 600 <= fine.shape[0] <= 604


@pytest.mark.parametrize("scale", [None, 0.03])
def test_the_margin_lies_around_the_exposures(exposures, scale):
    grid, _ = requested_grids(exposures, CELL, MosaicRequest(scale=scale, margin=50))
    outlines = [outline for exposure in exposures for outline in exposure_outlines(exposure, step=1)]
    pixels = np.concatenate([to_pixels(grid.wcs, outline) for outline in outlines])
    for free in (pixels.min(axis=0) + 0.5, np.array(grid.shape[::-1]) - 0.5 - pixels.max(axis=0)):
        assert (free >= 50).all()
        assert (free < 55).all()


def test_a_margin_excludes_bounds_and_survives_json():
    request = MosaicRequest(margin=50)
    assert MosaicRequest.from_dict(json.loads(json.dumps(request.to_dict()))) == request
    with pytest.raises(OptionError, match="--exposures-only excludes"):
        MosaicRequest(margin=50, bounds=parse_bounds("1:2,3:4"))
    with pytest.raises(OptionError, match="from 0 to 10000 pixels, not -1"):
        MosaicRequest(margin=-1)


def test_bounds_on_the_sky_are_covered():
    bounds = Bounds((RA - 0.01, DEC - 0.005), (RA + 0.01, DEC + 0.005), sky=True)
    fine, _ = requested_grids([], CELL, MosaicRequest(scale=0.05, bounds=bounds))
    height, width = fine.shape
    corners = [(ra, dec) for ra in (RA - 0.01, RA + 0.01) for dec in (DEC - 0.005, DEC + 0.005)]
    x, y = fine.wcs.wcs_world2pix(corners, 0).T
    assert (x > -0.5).all()
    assert (y > -0.5).all()
    assert (x < width - 0.5).all()
    assert (y < height - 0.5).all()


def test_exposures_off_the_grid_are_excluded(exposures):
    here = MosaicRequest(grid=TargetGrid((300, 300), (150.0, 150.0), (RA, DEC), (-1e-5, 0.0, 0.0, 1e-5)))
    antipode = MosaicRequest(grid=TargetGrid((300, 300), (150.0, 150.0), ((RA + 180) % 360, -DEC), (-1e-5, 0, 0, 1e-5)))
    assert exclude_off_grid(exposures, CELL, here) == (exposures, [])
    kept, excluded = exclude_off_grid(exposures, CELL, antipode)
    assert kept == []
    assert {item.reason for item in excluded} == {"outside the requested grid"}


def test_mosaics_of_too_many_pixels_are_refused(exposures):
    with pytest.raises(OptionError, match="the mosaic would have"):
        requested_grids(
            exposures, CELL, MosaicRequest(scale=0.005, bounds=Bounds((RA, DEC), (RA + 0.5, DEC + 0.5), sky=True))
        )


def test_requests_survive_json(tmp_path):
    for request in (
        MosaicRequest(grid=read_grid(str(write_image(tmp_path / "a.fits")))),
        MosaicRequest(scale=0.03, bounds=parse_bounds("1:2,3:4d")),
    ):
        assert MosaicRequest.from_dict(json.loads(json.dumps(request.to_dict()))) == request


def test_a_grid_excludes_a_scale():
    with pytest.raises(OptionError, match="--grid excludes"):
        MosaicRequest(grid=TargetGrid((1, 1), (1, 1), (0, 0), (1e-5, 0, 0, 1e-5)), scale=0.03)


def test_a_grid_on_the_other_side_of_the_sky_is_refused(tmp_path):
    for number in (1, 2):
        write_aimed(tmp_path, Aim(RA, DEC, **UVIS, more=visit(number)))
    request = MosaicRequest(grid=read_grid(str(write_image(tmp_path / "a.image", CRVAL1=RA + 180.0, CRVAL2=-DEC))))
    with pytest.raises(BadInputError, match="outside the requested grid"):
        make_plan(str(tmp_path / "*_flc.fits"), request=request)


def test_a_grid_larger_than_the_disk_is_refused_before_anything_starts(tmp_path, monkeypatch):
    write_aimed(tmp_path, Aim(RA, DEC, **UVIS, more=visit(1)))
    path = tmp_path / "grid.json"
    path.write_text(json.dumps(DESCRIPTION | {"width": 30_000, "height": 20_000}))
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=2_000_000_000))
    options = RunOptions(
        str(tmp_path / "*_flc.fits"),
        prefix="foo",
        skip_alignment=True,
        output=tmp_path / "out",
        request=MosaicRequest(grid=read_grid(str(path))),
    )
    with pytest.raises(OutputError, match="has 2000 MB left, the run needs about 48"):
        run_mosaic(options, lambda event: None)
    assert not (tmp_path / "out").exists()
