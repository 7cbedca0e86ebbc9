"""Pictures, region files and coverage maps of a real run, against the truth that was put into its exposures."""

import json
import resource
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.table import Table
from astropy.wcs import WCS
from mocpy import MOC
from PIL import Image
from regions import Regions

from hstmosaic.cli import main
from hstmosaic.errors import ExitCode
from hstmosaic.plan.exposures import read_exposure
from hstmosaic.products.canvas import MARGIN
from hstmosaic.products.decimate import decimate
from hstmosaic.products.measurements import ab_zero_point
from hstmosaic.products.orient import north_up
from hstmosaic.products.pictures import make_pictures
from hstmosaic.products.verify import read_manifests, verify_products
from hstmosaic.run.driver import run_mosaic
from hstmosaic.run.options import RunOptions
from hstmosaic.simulate import demo_field, simulate_field

pytestmark = [pytest.mark.upstream, pytest.mark.slow]

LAYERS = {"wfc3_uvis_f606w": "drc", "wfc3_uvis_f814w": "drc", "wfc3_ir_f160w": "drz"}


@dataclass(frozen=True)
class FinishedRun:
    """A run, and the truth in its exposures."""

    directory: Path
    output: Path
    paths: dict
    """Exposures by name."""
    out: str
    """Name of the one that screening left out."""
    truth: Table
    events: list


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The demonstration, smaller, with one exposure that screening leaves out."""
    folder = tmp_path_factory.mktemp("pictures")
    field = demo_field(subarray=(500, 500), infrared=(400, 400), trailed=[3])
    paths = simulate_field(field, folder / "exposures")
    options = RunOptions(str(folder / "exposures" / "list.txt"), "foo", skip_alignment=True, output=folder / "out")
    events = []
    outcome = run_mosaic(options, events.append)
    assert outcome.exit_code == 0
    (out,) = [exclusion.name for exclusion in outcome.left_out]
    truth = Table.read(folder / "exposures" / "truth.ecsv")
    return FinishedRun(outcome.directory, options.output, {path.name: path for path in paths}, out, truth, events)


def product(output, layer):
    return output / f"foo_{layer}_all_{LAYERS[layer]}.fits"


def used(paths, out, layer):
    exposures = [read_exposure(path) for name, path in paths.items() if name != out]
    return [e for e in exposures if f"{e.instrument}_{e.detector}_{e.filter}" == layer]


def test_everything_is_there_and_whole(run):
    directory, output, events = run.directory, run.output, run.events
    made = {file["name"]: file["kind"] for file in json.loads((directory / "pictures.json").read_text())["files"]}
    stems = [product(output, layer).stem for layer in LAYERS]
    assert {name for name, kind in made.items() if kind == "preview"} == {f"{stem}_preview.png" for stem in stems}
    stems.append("foo_wfc3_ir_f160w_coarse-all_drz")
    assert {name for name, kind in made.items() if kind == "coverage"} == {f"{stem}_moc.fits" for stem in stems}
    regions = {name for name, kind in made.items() if kind == "regions"}
    assert regions == {"foo_exposures.reg", *(f"{stem}.reg" for stem in stems)}
    assert {"foo_colour.png", "foo_footprints.png"} <= made.keys()
    assert all((output / name).stat().st_size for name in made)
    assert not [path for path in output.iterdir() if path.name.startswith(".")]
    assert not [event for event in events if event.kind == "pictures"]


@pytest.mark.parametrize("layer", LAYERS)
def test_stars_are_where_the_preview_must_have_them(run, layer):
    output, truth = run.output, run.truth
    view = north_up(decimate(product(output, layer)))
    ny, nx = view.science.shape
    picture = np.asarray(Image.open(output / f"{product(output, layer).stem}_preview.png").convert("L"), float)
    zoom = max(1, 480 // max(ny, nx))
    flux = next(truth[name] for name in truth.colnames if name.lower().endswith(layer.split("_")[-1]))
    x, y = view.wcs.all_world2pix(truth["ra"], truth["dec"], 0)
    seen = 0
    for k in np.argsort(-np.asarray(flux)):
        alone = np.sum(np.hypot(x - x[k], y - y[k]) < 14) == 1
        inside = 10 < x[k] < nx - 10 and 10 < y[k] < ny - 10 and (view.weight[int(y[k]), int(x[k])] > 0)
        if truth["kind"][k] != "star" or not (alone and inside) or seen == 8:
            continue
        # a pixel of the view fills zoom x zoom pixels, from the lower left corner of the image on the sheet
        column = MARGIN + zoom * (x[k] + 0.5) - 0.5
        row = picture.shape[0] - MARGIN - zoom * (y[k] + 0.5) - 0.5
        rows, columns = np.mgrid[round(row) - 6 : round(row) + 7, round(column) - 6 : round(column) + 7]
        stamp = picture[rows, columns]
        assert stamp.max() > 180, "bright"
        excess = np.clip(stamp - np.median(stamp) - 60, 0, None)
        assert np.average(columns, weights=excess) == pytest.approx(column, abs=0.8)
        assert np.average(rows, weights=excess) == pytest.approx(row, abs=0.8)
        seen += 1
    assert seen == 8


def test_faint_stars_survive_the_decimation(run):
    output, truth = run.output, run.truth
    path = product(output, "wfc3_ir_f160w")
    small = decimate(path, 120)
    assert small.factor >= 5
    sky = np.nanmedian(small.science)
    noise = 1.4826 * np.nanmedian(np.abs(small.science - sky))
    x, y = small.wcs.all_world2pix(truth["ra"], truth["dec"], 0)
    rows, columns = np.rint(y).astype(int), np.rint(x).astype(int)
    ny, nx = small.science.shape
    inside = (rows > 2) & (rows < ny - 2) & (columns > 2) & (columns < nx - 2)
    inside[inside] &= small.covered[rows[inside], columns[inside]]
    flux = np.asarray(next(truth[name] for name in truth.colnames if name.lower().endswith("f160w")))
    chosen = inside & (flux > np.median(flux[inside]))
    assert chosen.sum() > 20
    assert (small.science[rows[chosen], columns[chosen]] > sky + 3 * noise).mean() > 0.95


@pytest.mark.parametrize("layer", LAYERS)
def test_coverage_is_that_of_the_chips(run, layer):
    output, paths, out, truth = run.output, run.paths, run.out, run.truth
    path = product(output, layer)
    coverage = MOC.from_fits(output / f"{path.stem}_moc.fits")
    with fits.open(path) as hdus:
        weight, wcs = hdus["WHT"].data, WCS(hdus["SCI"].header)
    stars = SkyCoord(truth["ra"], truth["dec"], unit="deg")
    x, y = (np.rint(value).astype(int) for value in wcs.world_to_pixel(stars))
    inside = (x >= 0) & (y >= 0) & (x < weight.shape[1]) & (y < weight.shape[0])
    inside[inside] &= weight[y[inside], x[inside]] > 0
    assert inside.sum() > 10
    assert coverage.contains_skycoords(stars[inside]).all()

    # by another route: the exposures' own pixels, through their distortion
    rng = np.random.default_rng(3)
    places = rng.uniform(-150, np.array(weight.shape[::-1]) + 150, (8000, 2))
    sky = wcs.pixel_to_world(*places.T)
    depth = np.full(len(places), -np.inf)
    for exposure in used(paths, out, layer):
        for chip in exposure.chips:
            column, row = chip.wcs.all_world2pix(sky.ra.deg, sky.dec.deg, 0, quiet=True)
            edges = [column + 0.5, chip.shape[1] - 0.5 - column, row + 0.5, chip.shape[0] - 0.5 - row]
            depth = np.maximum(depth, np.min(edges, axis=0) * wcs.proj_plane_pixel_scales()[0].to_value("arcsec"))
    cell = 58.6 * 3600 / 2**coverage.max_order
    beyond, within = depth < -2 * cell, depth > 2 * cell
    assert min(beyond.sum(), within.sum()) > 300
    found = coverage.contains_skycoords(sky)
    assert not found[beyond].any()
    assert found[within].all()
    area = coverage.sky_fraction * 4 * np.pi * u.sr
    covered = (weight > 0).sum() * np.abs(np.linalg.det(wcs.wcs.cd)) * u.deg**2
    assert covered < area < 1.1 * covered


def test_regions_hold_the_chips_of_the_exposures(run):
    output, paths, out = run.output, run.paths, run.out
    for layer in LAYERS:
        found = Regions.read(output / f"{product(output, layer).stem}.reg", format="ds9")
        exposures = used(paths, out, layer)
        assert {region.meta["text"] for region in found} == {exposure.name for exposure in exposures}
        assert sum(len(exposure.chips) for exposure in exposures) == len(found)
        for exposure in exposures:
            polygons = [region for region in found if region.meta["text"] == exposure.name]
            for chip, polygon in zip(exposure.chips, polygons, strict=True):
                ny, nx = chip.shape
                corners = chip.wcs.all_pix2world([0, nx - 1, nx - 1, 0], [0, 0, ny - 1, ny - 1], 0)
                distances = SkyCoord(*corners, unit="deg")[:, None].separation(polygon.vertices[None])
                assert distances.min(axis=1).max() < 1 * u.mas
                middle = SkyCoord(*chip.wcs.all_pix2world(nx / 2, ny / 2, 0), unit="deg")
                plane = WCS(fits.getheader(product(output, layer), "SCI"))
                assert polygon.contains(middle, plane)


def test_the_exposure_that_is_left_out_is_dashed(run):
    output, paths, out = run.output, run.paths, run.out
    lines = (output / "foo_exposures.reg").read_text().splitlines()
    for name in paths:
        polygons = [line for line in lines if name in line]
        assert polygons
        assert all(("dash=1" in line) == (name == out) for line in polygons)


def test_numbers_are_those_of_the_pixels(run):
    directory, output = run.directory, run.output
    measured = json.loads((directory / "pictures.json").read_text())["measured"]
    for name, found in measured.items():
        with fits.open(output / name) as hdus:
            weight, header = hdus["WHT"].data, hdus["SCI"].header
            science = hdus["SCI"].data
        covered = (weight > 0) & np.isfinite(science)
        pixel = abs(header["CD1_1"]) * 60
        assert tuple(found["shape"]) == science.shape
        assert found["area_arcmin2"] == pytest.approx(covered.sum() * pixel**2)
        assert found["weight_max"] == pytest.approx(weight.max())
        assert found["weight_median"] == pytest.approx(np.median(weight[covered]), rel=0.02)
        deep = science[covered & (weight > 0.8 * weight.max())]
        whole = 1.4826 * np.median(np.abs(deep - np.median(deep)))
        assert found["noise"] == pytest.approx(whole, rel=0.25)


def test_zero_point_is_that_of_the_handbook():
    # ACS/WFC F814W: PHOTFLAM 7.0723e-20 and PHOTPLAM 8047.1 give 25.937 (AB)
    assert ab_zero_point(7.0723e-20, 8047.1) == pytest.approx(25.937, abs=0.005)
    # one unit is the flux density of that magnitude: 3631 Jy
    flux = 1e-19 * 6000.0**2 / 2.99792458e18
    assert ab_zero_point(1e-19, 6000.0) == pytest.approx(-2.5 * np.log10(flux / 3631e-23), abs=0.002)


def test_pictures_made_again_are_the_same_and_old_ones_go(run):
    directory, output = run.directory, run.output
    listed = json.loads((directory / "pictures.json").read_text())
    before = {file["name"]: (output / file["name"]).read_bytes() for file in listed["files"]}
    listing = directory / "pictures.json"
    (output / "foo_wfc3_uvis_f336w_all_drc_preview.png").write_bytes(b"of an earlier time")
    listed["files"].append({"name": "foo_wfc3_uvis_f336w_all_drc_preview.png", "kind": "preview"})
    listing.write_text(json.dumps(listed))
    made = make_pictures(directory)
    assert {path.name: path.read_bytes() for path in made} == before
    assert not list(output.glob("*f336w*"))
    assert {file["name"] for file in json.loads(listing.read_text())["files"]} == before.keys()


@pytest.fixture
def copied(run, tmp_path):
    """A copy of the run that may be changed."""
    directory, output = run.directory, run.output
    shutil.copytree(output, tmp_path / "out")
    return tmp_path / "out" / directory.name


def pictures_of(directory):
    return {path.name: path.read_bytes() for path in directory.parent.glob("foo_*") if picture(path.name)}


def picture(name):
    return name.endswith((".png", ".reg", "_moc.fits"))


def start_again(directory, *events):
    with (directory / "logs" / "run.jsonl").open("a") as log:
        for kind, layer in (("planned", None), *events):
            fields = {"kind": kind, "time": 2e9, "level": "info", "message": "", "command": {}}
            log.write(json.dumps(fields | ({} if layer is None else {"layer": layer})) + "\n")


def test_layers_that_are_drawn_as_they_come_are_the_same(copied):
    before = pictures_of(copied)
    listed = (copied / "pictures.json").read_text()
    seen = []

    def gathered():
        for layer in sorted(LAYERS):
            yield layer
            # nothing changes in the output directory while the run goes on
            seen.append(pictures_of(copied) == before)

    make_pictures(copied, gathered())
    assert seen == [True] * len(LAYERS)
    assert pictures_of(copied) == before
    assert (copied / "pictures.json").read_text() == listed
    assert {path.suffix for path in (copied / "pictures").iterdir()} == {".webp"}


def test_an_early_end_keeps_earlier_pictures(copied):
    before = pictures_of(copied)
    start_again(copied)
    made = {path.name for path in make_pictures(copied)}
    assert made == {"foo_exposures.reg", "foo_footprints.png"}
    assert pictures_of(copied).keys() == before.keys()
    # once more, as the same command would after another refusal
    start_again(copied)
    make_pictures(copied)
    assert pictures_of(copied).keys() == before.keys()


@pytest.mark.parametrize("how", ["gone", "made again", "failed"])
def test_pictures_of_removed_mosaics_are_removed(copied, how):
    before = pictures_of(copied)
    layer = "wfc3_uvis_f606w"
    mosaic = product(copied.parent, layer)
    if how == "gone":
        mosaic.unlink()
    start_again(copied, *{"gone": [], "made again": [("gathered", layer)], "failed": [("failed", layer)]}[how])
    made = {path.name for path in make_pictures(copied)}
    missing = {name for name in before if mosaic.stem in name} - made
    assert len(missing) == (0 if how == "made again" else 3)
    # the picture in colour has that layer in it
    assert pictures_of(copied).keys() == before.keys() - missing - {"foo_colour.png"}


def faults(directory):
    found = read_manifests(directory.parent)
    return {fault.name for fault in verify_products(directory.parent, found, lambda count: None).faults}


def call_report(monkeypatch, *arguments):
    monkeypatch.setattr("sys.argv", ["hstmosaic", "report", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == ExitCode.OK


@pytest.mark.parametrize("lost", ["list", "folder"])
def test_pictures_that_the_verb_makes_are_in_the_manifest(copied, monkeypatch, lost):
    path = copied.parent / "foo_manifest.json"
    manifest = json.loads(path.read_text())
    whole = manifest["products"]
    # as after a run that could not draw
    manifest["products"] = [file for file in whole if not picture(file["name"])]
    path.write_text(json.dumps(manifest))
    if lost == "list":
        (copied / "pictures.json").unlink()
    else:
        shutil.rmtree(copied / "pictures")
    for name in pictures_of(copied):
        (copied.parent / name).unlink()
    call_report(monkeypatch, copied)
    assert faults(copied) == set()
    listed = json.loads(path.read_text())["products"]
    assert sorted(listed, key=lambda file: file["name"]) == sorted(whole, key=lambda file: file["name"])
    assert "foo_colour.png" in (copied.parent / "foo_report.html").read_text()


def test_pictures_of_the_verb_replace_those_in_the_manifest(copied, monkeypatch):
    path = copied.parent / "foo_manifest.json"
    manifest = json.loads(path.read_text())
    for file in manifest["products"]:
        if picture(file["name"]):
            # as drawn by another version of the library
            file["sha256"] = "0" * 64
    path.write_text(json.dumps(manifest))
    before = path.stat().st_mtime_ns
    assert faults(copied) == pictures_of(copied).keys()
    call_report(monkeypatch, "--pictures", copied)
    assert faults(copied) == set()
    assert path.stat().st_mtime_ns == before, "it is of the same start"


def test_a_disk_that_gets_full_leaves_no_drafts(copied):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5000, before[1]))
    try:
        with pytest.raises(OSError, match="too large"):
            make_pictures(copied)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not list(copied.parent.rglob(".*.part"))
