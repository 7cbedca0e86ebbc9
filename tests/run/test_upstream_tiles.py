"""Tiles of a run put together are its mosaics, bit for bit; manifest, verify, resume and report know them."""

import json

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from astropy.wcs import WCS
from regions import Regions

from hstmosaic.plan.plan import plan_from_json
from hstmosaic.plan.request import MosaicRequest
from hstmosaic.plan.tiles import parse_tiling
from hstmosaic.products.tile_index import read_tile
from hstmosaic.products.verify import read_manifests, verify_products
from hstmosaic.run.driver import run_mosaic
from hstmosaic.run.options import RunOptions
from hstmosaic.store.task_specs import TileSpec
from hstmosaic.tasks.cut import cut_tile

pytestmark = pytest.mark.upstream


def start(simulated, folder, tiles="200x150"):
    request = MosaicRequest(tiles=parse_tiling(tiles))
    options = RunOptions(
        str(simulated.infrared(2).list), prefix="foo", skip_alignment=True, output=folder, request=request
    )
    events = []
    outcome = run_mosaic(options, events.append)
    assert outcome.exit_code == 0, outcome.failures
    return outcome, events


@pytest.fixture(scope="module")
def outcome(simulated, tmp_path_factory):
    return start(simulated, tmp_path_factory.mktemp("tiles"))[0]


def put_together(paths, shape, extension):
    """Return the image that tiles make by their WCS, and how many tiles have each pixel."""
    headers = [fits.getheader(path, extension) for path in paths]
    crpix = max(header["CRPIX1"] for header in headers), max(header["CRPIX2"] for header in headers)
    found, count = np.full(shape, np.nan, np.float32), np.zeros(shape, int)
    for path, header in zip(paths, headers, strict=True):
        left, bottom = (round(crpix[axis] - header[f"CRPIX{axis + 1}"]) for axis in (0, 1))
        pixels = fits.getdata(path, extension)
        place = slice(bottom, bottom + pixels.shape[0]), slice(left, left + pixels.shape[1])
        found[place] = pixels
        count[place] += 1
    return found, count


def tiles_in(outcome, mosaic):
    table = Table.read(outcome.output / "foo_tiles.ecsv")
    return [outcome.output / str(row["file"]) for row in table if row["mosaic"] == mosaic.name]


def test_tiles_put_together_are_the_mosaic(outcome):
    assert len(outcome.mosaics) == 2
    for mosaic in outcome.mosaics:
        paths = tiles_in(outcome, mosaic)
        assert len(paths) >= (4 if "coarse" not in mosaic.name else 1)
        for extension in ("SCI", "WHT"):
            whole = fits.getdata(mosaic, extension).astype(np.float32)
            found, count = put_together(paths, whole.shape, extension)
            assert count.max() == 1
            assert found[count == 1].tobytes() == whole[count == 1].tobytes()
            # pixels of no tile are empty
            rest = whole[count == 0]
            assert (rest == 0).all() if extension == "WHT" else np.isnan(rest).all()


def test_headers_describe_the_tile(outcome):
    mosaic = outcome.mosaics[-1]
    plane = WCS(fits.getheader(mosaic, "SCI"))
    for path in tiles_in(outcome, mosaic):
        with fits.open(path, checksum=True) as hdus:
            primary, science, weights = hdus[0].header, hdus["SCI"].header, hdus["WHT"].data
            assert primary["FILENAME"] == path.name
            assert "NPIXFRAC" not in primary
            covered = weights[weights > 0]
            assert primary["MEDWHT"] == pytest.approx(np.median(covered) if covered.size else 0)
            corner = WCS(science).wcs_pix2world([[1, 1]], 1)
            place = plane.wcs_world2pix(corner, 1)[0]
            np.testing.assert_allclose(place, [primary["HMTILEX"], primary["HMTILEY"]], atol=1e-6)
            words = science["S_REGION"].split()
            if covered.size < 1000:  # too few pixels for an outline
                continue
            assert words[:2] == ["POLYGON", "ICRS"]
            ra, dec = np.array([word for word in words if word[0].isdigit() or word[0] == "-"], float).reshape(-1, 2).T
            x, y = WCS(science).wcs_world2pix(ra, dec, 1)
            assert x.min() > -1
            assert x.max() < science["NAXIS1"] + 2
            assert y.min() > -1
            assert y.max() < science["NAXIS2"] + 2
            assert hdus["HDRTAB"].data["ROOTNAME"].tolist() == fits.getdata(mosaic, "HDRTAB")["ROOTNAME"].tolist()


def test_the_index_is_read_by_astropy_and_ds9(outcome):
    table = Table.read(outcome.output / "foo_tiles.ecsv")
    listed = {product.name for product in outcome.products if product.kind == "tile"}
    assert set(table["file"]) == listed
    regions = Regions.read(outcome.output / "foo_tiles.reg")
    assert {region.meta["text"] for region in regions} == set(table["tile"])
    row = table[-1]
    tile = read_tile(outcome.output / row["file"])
    shape = fits.getdata(outcome.output / row["file"], "SCI").shape
    assert (row["height"], row["width"]) == shape
    x, y = tile.wcs.wcs_world2pix([[row["ra"], row["dec"]]], 0)[0]
    assert (x, y) == (pytest.approx((shape[1] - 1) / 2, abs=1e-3), pytest.approx((shape[0] - 1) / 2, abs=1e-3))


def faults(folder):
    return {
        fault.name: str(fault) for fault in verify_products(folder, read_manifests(folder), lambda size: None).faults
    }


def test_verify_finds_a_changed_and_a_missing_tile(outcome):
    path = tiles_in(outcome, outcome.mosaics[-1])[0]
    content = path.read_bytes()
    assert faults(outcome.output) == {}
    try:
        path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        assert list(faults(outcome.output)) == [path.name]
        path.unlink()
        assert "is missing" in faults(outcome.output)[path.name]
    finally:
        path.write_bytes(content)


def test_a_lost_tile_is_made_again_and_nothing_else_is(outcome, simulated):
    _, events = start(simulated, outcome.output)
    assert not any(event.kind == "drizzling" for event in events)
    path = tiles_in(outcome, outcome.mosaics[-1])[0]
    content = path.read_bytes()
    path.unlink()
    start(simulated, outcome.output)
    assert path.read_bytes() == content


def test_plan_and_report_show_tiles(outcome):
    plan = plan_from_json((outcome.directory / "plan.json").read_text())
    assert plan.layers[0].products[0].tiles
    report = outcome.report.read_text()
    names = [path.name for path in tiles_in(outcome, outcome.mosaics[-1])]
    assert all(name in report for name in names)
    manifest = json.loads((outcome.output / "foo_manifest.json").read_text())
    assert {product["name"] for product in manifest["products"]} >= set(names)


def test_compressed_tiles_of_compressed_mosaics_have_the_same_pixels(outcome, tmp_path):
    from hstmosaic.tasks.finish import finish_fits

    mosaic = tmp_path / "mosaic.fits"
    mosaic.write_bytes(outcome.mosaics[-1].read_bytes())
    whole = fits.getdata(mosaic, "SCI").astype(np.float32)
    finish_fits(mosaic, compress=True)
    made = cut_tile(mosaic, TileSpec(mosaic.name, "tile.fits", "tile", 20, 10, 300, 280), compress=True)
    with fits.open(tmp_path / made.name, checksum=True) as hdus:
        assert isinstance(hdus["SCI"], fits.CompImageHDU)
        assert hdus["SCI"].data.tobytes() == whole[10:290, 20:320].tobytes()
        assert hdus["SCI"].header["CRPIX1"] == fits.getheader(mosaic, "SCI")["CRPIX1"] - 20
