"""The alignment stage on simulated visits of three cameras, against a catalogue service on the loopback."""

import hashlib
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from helpers.aligned_stage import align_all, run_of
from helpers.alignment_fields import OBSERVED, distances_from_truth, product_offsets, three_cameras
from helpers.catalog_service import Stars, catalog_service
from hstmosaic.errors import AlignmentError
from hstmosaic.plan.build import make_plan
from hstmosaic.run.options import RunOptions
from hstmosaic.run.pool.local import local_cluster
from hstmosaic.run.stages.catalog import Service
from hstmosaic.run.stages.order import make_mosaics
from hstmosaic.run.stages.run_state import Run
from hstmosaic.run.stages.scheduler import Scheduler
from hstmosaic.simulate import simulate_field, three_camera_field
from hstmosaic.store.alignment_results import CARRIED
from hstmosaic.store.events import EventLog
from hstmosaic.store.run_directory import run_directory

pytestmark = [pytest.mark.upstream, pytest.mark.slow]

NOWHERE = Service(url="http://127.0.0.1:9", cache=None, attempts=1, timeout=2)


class Bench:
    """A simulated field, a cluster, and a run directory whose finished tasks are used again."""

    def __init__(self, folder, client):
        self.field = three_cameras()
        self.paths = simulate_field(self.field, folder / "exposures")
        self.truth = Table.read(folder / "exposures" / "truth.ecsv")
        self.before = {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in self.paths}
        self.stars = Stars.from_truth(self.truth, OBSERVED, motion=8.0, error=1.0)
        self.plan = make_plan(str(folder / "exposures" / "list.txt"))
        self.directory = run_directory(folder / "out", "field")
        self.directory.create()
        self.client = client

    def align(self, plan=None, **options):
        events = []
        run = run_of(plan or self.plan, self.directory, self.client, listener=events.append, **options)
        return align_all(run), events

    def aligned(self, **changes):
        stars = Stars(**{**vars(self.stars), **changes})
        with catalog_service(stars) as service:
            return self.align(service=Service(url=service.url, cache=None))


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    with local_cluster(2) as client:
        yield Bench(tmp_path_factory.mktemp("stage"), client)


@pytest.fixture(scope="module")
def first(bench):
    return bench.aligned()


def test_every_exposure_is_where_it_was_taken(bench, first):
    run, _ = first
    assert run.result.aligned
    assert set(run.exposures) == {path.name for path in bench.paths}
    for plan in bench.field.exposures:
        before = distances_from_truth(plan, next(p for p in bench.paths if p.name == plan.filename))
        assert 90 < np.hypot(*before.mean(axis=0)) < 510
        assert abs(plan.error.roll) == 0.02
        after = distances_from_truth(plan, run.exposures[plan.filename])
        assert np.hypot(*after.mean(axis=0)) < 5, plan.filename
        assert np.sqrt((after**2).sum(axis=1).mean()) < 5, plan.filename
        if not plan.camera.is_infrared:
            assert np.hypot(*after.T).max() < 4, plan.filename


def test_the_users_files_are_not_touched(bench, first):
    assert {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in bench.paths} == bench.before


def test_files_are_as_upstream_makes_them(first):
    run, _ = first
    for name, path in run.exposures.items():
        header = fits.getheader(path, "SCI", 1)
        assert header["WCSNAME"].endswith("-FIT_MVM_GAIAeDR3")
        assert header["WCSTYPE"] == "undistorted a posteriori solution aligned across visits to GAIAEDR3"
        assert header["NMATCHES"] == run.result.exposures[name].matches
        assert fits.getheader(path, 0)["ROOTNAME"] in name
        assert fits.getheader(path, 0)["HAPLEVEL"] == 1
        with fits.open(path) as hdus:
            assert "HDRLET" in [hdu.name for hdu in hdus]
        assert fits.getheader(run.headerlets[name], "SIPWCS", 1)["WCSNAME"] == header["WCSNAME"]
    reference = Table.read(run.reference_catalog, format="ascii.ecsv")
    assert run.reference_catalog.name == f"{run.plan.prefix}_GAIAeDR3_ref_cat.ecsv"
    assert {"RA", "DEC", "mag"} <= set(reference.colnames)


def test_the_outcome_is_reported(bench, first):
    run, events = first
    assert run.result.method == "relative"
    assert not [event for event in events if event.level == "warning"]
    assert run.result.catalog == "GAIAeDR3"
    assert run.result.matches > 200
    for plan in bench.field.exposures:
        outcome = run.result.exposures[plan.filename]
        assert outcome.rotation_deg == pytest.approx(-plan.error.roll, abs=0.004)
        before = distances_from_truth(plan, next(p for p in bench.paths if p.name == plan.filename))
        np.testing.assert_allclose(outcome.shift_mas, -before.mean(axis=0), atol=8)
        assert outcome.matches > 0.9 * outcome.sources
        assert any(plan.filename in event.message and "mas east" in event.message for event in events)
    assert json.dumps(run.result.to_dict())


def test_grids_follow_the_aligned_exposures(bench, first):
    run, _ = first
    assert run.plan.limits == bench.plan.limits
    assert run.plan.sky_cells == bench.plan.sky_cells
    assert run.plan.tight_limits != bench.plan.tight_limits
    assert {e.name: e.path for e in run.plan.exposures} == run.exposures
    assert [layer.name for layer in run.plan.layers] == [layer.name for layer in bench.plan.layers]


def test_filters_are_registered_in_the_products(bench, first):
    run, _ = first
    options = RunOptions(run.plan.source, skip_alignment=True)
    scheduler = Scheduler(bench.directory, bench.client, run.plan.versions, EventLog())
    drizzled = Run(run.plan, options, bench.directory, scheduler, EventLog())
    scheduler.run(make_mosaics(drizzled))
    assert not drizzled.results.failures
    medians = {}
    for layer in run.plan.layers:
        flux = f"flux_{layer.name}"
        for product in layer.products:
            path = bench.directory.output / product.name
            offsets = product_offsets(path, bench.truth, flux, infrared=layer.detector == "ir")
            assert len(offsets) > 40
            medians[product.name] = np.median(offsets, axis=0)
    assert len(medians) == 4
    for median in medians.values():
        assert np.hypot(*median) < 5
        for other in medians.values():
            assert np.hypot(*(median - other)) < 3


def test_a_finished_stage_is_not_done_again(bench, first):
    tasks = bench.directory.path / "tasks"
    results = {p: p.stat().st_mtime_ns for k in ("sources-*", "align") for p in tasks.glob(f"{k}/result.json")}
    assert len(results) == 7
    again, _ = bench.aligned()
    assert again.result == first[0].result
    assert {path: path.stat().st_mtime_ns for path in results} == results


SERIAL = """
import sys
from astropy.io import fits
from drizzlepac.haputils.align_utils import AlignmentTable, HAPImage
from drizzlepac.haputils.config_utils import AlignmentPars, read_index
from hstmosaic.plan.star_widths import STAR_WIDTHS
from hstmosaic.tasks.upstream import source_finding
source_finding.centre_narrow_stars()
build_kernel = HAPImage.build_kernel
for name in sys.argv[1:]:
    header = fits.getheader(name)
    HAPImage.build_kernel = build_kernel
    source_finding.expect_width(STAR_WIDTHS[header["DETECTOR"].lower()])
    index, folder = read_index(header["INSTRUME"].lower(), header["DETECTOR"].lower(), "mvm")
    pars = AlignmentPars(index["alignment"], [], "mvm", folder, "alignment", True, None).outpars
    table = AlignmentTable([name], process_type="MVM", **pars)
    table.find_alignment_sources(output=False, crclean=[False])
    for chip, sources in table.extracted_sources[name].items():
        sources.write(f"{name}-{chip}.ecsv", format="ascii.ecsv")
"""


def test_sources_are_those_of_upstream_with_the_detectors_parameters(bench, first, tmp_path):
    spec = json.loads((bench.directory.task("align").path / "spec.json").read_text())
    names = [name for name, _ in spec["exposures"]]
    for path in bench.paths:
        (tmp_path / path.name).symlink_to(path)
    done = subprocess.run(
        [sys.executable, "-c", SERIAL, *names], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    for name, tables in spec["sources"]:
        for chip, table in enumerate(tables, start=1):
            serial = (tmp_path / f"{name}-{chip}.ecsv").read_text()
            assert Path(table).read_text() == serial, name


def test_a_users_catalogue_needs_no_network(bench, tmp_path):
    stars = bench.stars
    table = Table({"RA": stars.ra, "DEC": stars.dec, "pmra": stars.pmra, "pmdec": stars.pmdec, "mag": stars.mag})
    table["ra_error"] = table["dec_error"] = stars.error
    table.meta["epoch"] = stars.epoch
    table.write(tmp_path / "own.ecsv")
    run, _ = bench.align(catalog=tmp_path / "own.ecsv", service=NOWHERE)
    assert run.result.aligned
    for plan in bench.field.exposures:
        path = run.exposures[plan.filename]
        assert fits.getheader(path, "SCI", 1)["WCSNAME"].endswith("-FIT_MVM_USER")
        assert np.hypot(*distances_from_truth(plan, path).mean(axis=0)) < 5


def test_a_users_catalogue_of_another_field_is_named(bench, tmp_path):
    path = tmp_path / "own.ecsv"
    Table({"ra": bench.stars.ra / 15, "dec": bench.stars.dec}).write(path)
    run, _ = bench.align(catalog=path, service=NOWHERE)
    assert not run.result.aligned
    assert run.result.cause.startswith(f"{path} has no source within")


def test_without_a_catalogue_exposures_are_registered_to_each_other(bench):
    run, events = bench.align(service=NOWHERE)
    assert not run.result.aligned
    assert "http://127.0.0.1:9" in run.result.cause
    (warning,) = [event for event in events if event.kind == "not aligned"]
    assert (warning.level, "relative only" in warning.message) == ("warning", True)
    offsets = []
    for plan in bench.field.exposures:
        path = run.exposures[plan.filename]
        assert fits.getval(path, "WCSNAME", "SCI", 1).endswith("-FIT_MVM_NONE")
        offsets.append(distances_from_truth(plan, path).mean(axis=0))
    assert np.hypot(*(np.array(offsets) - offsets[0]).T).max() < 3
    with pytest.raises(AlignmentError, match="cannot be aligned"):
        bench.align(service=NOWHERE, require_alignment=True)


def test_a_run_that_goes_on_without_a_service_stays_aligned(bench, first, tmp_path):
    with catalog_service(bench.stars, "empty", "good") as service:
        run, _ = bench.align(service=Service(url=service.url, cache=None))
        assert run.result.catalog == "GSC242"
        assert len(service.requests) == 2, "2MASS is not needed"
    again, events = bench.align(service=Service(url=service.url, cache=None, attempts=1))
    assert again.result == run.result
    (warning,) = [event for event in events if event.level == "warning"]
    assert warning.message.startswith("GAIAeDR3: the catalogue service does not answer")


@pytest.mark.parametrize(
    ("mode", "cause"),
    [
        ("500", "does not answer .*HTTP status 500"),
        ("404", "refuses .*HTTP status 404"),
        ("rubbish", "answers no table"),
        ("error", "Cannot find table 0"),
        ("cut", "breaks off after"),
        ("hang", "timed out"),
        ("slow", "not finished after 0.2 s"),
        ("empty", "no catalogue has a source"),
    ],
)
def test_a_useless_service(bench, mode, cause):
    with catalog_service(bench.stars, mode) as service:
        run, events = bench.align(service=Service(url=service.url, cache=None, attempts=1, timeout=0.2))
    assert not run.result.aligned
    assert re.search(cause, run.result.cause)
    (event,) = [event for event in events if event.kind == "not aligned"]
    assert (event.level, run.result.cause in event.message) == ("warning", True)


@pytest.mark.parametrize(("count", "aligned"), [(2, False), (11, True)])
def test_few_stars_in_the_catalogue(bench, count, aligned):
    middle = np.argsort(np.hypot(bench.stars.ra - 150.1, bench.stars.dec - 2.2))[:count]
    few = {key: getattr(bench.stars, key)[middle] for key in ("ra", "dec", "mag", "pmra", "pmdec", "error")}
    run, _ = bench.aligned(**few)
    assert run.result.aligned == aligned
    if not aligned:
        assert f"{count} in" in run.result.cause
        return
    for plan in bench.field.exposures:
        after = distances_from_truth(plan, run.exposures[plan.filename])
        assert np.hypot(*after.mean(axis=0)) < 5, plan.filename


def test_stars_of_another_field(bench):
    run, _ = bench.aligned(ra=bench.stars.ra, dec=2.2 - (bench.stars.dec - 2.2))
    assert not run.result.aligned
    assert run.result.cause


def spoil(bench, folder, rootname, change):
    """Plan the field with one exposure spoilt."""
    for path in bench.paths:
        (folder / path.name).symlink_to(path)
    spoilt = next(folder.glob(f"*{rootname}*"))
    original = spoilt.resolve()
    spoilt.unlink()
    shutil.copyfile(original, spoilt)
    with fits.open(spoilt, mode="update") as hdus:
        change(hdus)
    (folder / "list.txt").write_text("\n".join(path.name for path in bench.paths))
    return make_plan(str(folder / "list.txt")), spoilt.name


def empty(hdus):
    hdus["SCI"].data = np.random.default_rng(1).normal(1, 0.02, hdus["SCI"].data.shape).astype(np.float32)


def upside_down(hdus):
    for kind in ("SCI", "DQ"):
        hdus[kind].data = hdus[kind].data[::-1].copy()


@pytest.mark.parametrize(
    ("rootname", "change", "reason", "required"),
    [
        ("02a1", empty, "background|source", True),
        ("02a1", upside_down, "match", False),
        ("01a0", upside_down, "match", False),
    ],
)
def test_a_bad_exposure_follows_its_visit(bench, tmp_path, rootname, change, reason, required):
    plan, name = spoil(bench, tmp_path, rootname, change)
    with catalog_service(bench.stars) as service:
        how = Service(url=service.url, cache=None)
        run, events = bench.align(plan=plan, service=how)
        if required:
            assert bench.align(plan=plan, service=how, require_alignment=True)[0].result.aligned
        else:
            with pytest.raises(
                AlignmentError, match=f"not all exposures can be aligned: {name} .*could not be matched"
            ):
                bench.align(plan=plan, service=how, require_alignment=True)
    assert run.result.aligned
    assert not run.result.left_out
    assert run.result.exposures[name].status == CARRIED
    assert re.search(reason, run.result.exposures[name].reason)
    assert any(name in event.message and event.kind == "carried" and event.level == "warning" for event in events)
    for exposure in bench.field.exposures:
        after = distances_from_truth(exposure, run.exposures[exposure.filename])
        assert np.hypot(*after.mean(axis=0)) < 5


def test_exposures_that_do_not_overlap_are_as_good(bench, tmp_path):
    field = three_cameras(rows=800, exposures=1, apart=100.0)
    simulate_field(field, tmp_path)
    stars = Stars.from_truth(Table.read(tmp_path / "truth.ecsv"), OBSERVED, error=1.0)
    with catalog_service(stars) as service:
        how = Service(url=service.url, cache=None)
        run, events = bench.align(plan=make_plan(str(tmp_path / "list.txt")), service=how)
    assert run.result.aligned
    assert run.result.groups == 3
    assert not [event for event in events if event.level == "warning"]
    for plan in field.exposures:
        after = distances_from_truth(plan, run.exposures[plan.filename])
        assert np.hypot(*after.mean(axis=0)) < 2, plan.filename
        found = run.result.exposures[plan.filename]
        assert fits.getval(run.exposures[plan.filename], "NMATCHES", "SCI", 1) == found.matches > 10


def test_faint_stars_of_three_cameras_do_as_well(bench, tmp_path):
    field = three_camera_field(subarray=(900, 900))
    simulate_field(field, tmp_path)
    stars = Stars.from_truth(Table.read(tmp_path / "truth.ecsv"), OBSERVED, motion=8.0, error=1.0)
    with catalog_service(stars) as service:
        how = Service(url=service.url, cache=None)
        run, _ = bench.align(plan=make_plan(str(tmp_path / "list.txt")), service=how)
    assert set(run.exposures) == {plan.filename for plan in field.exposures}
    for plan in field.exposures:
        after = distances_from_truth(plan, run.exposures[plan.filename])
        assert np.sqrt((after**2).sum(axis=1).mean()) < 2, plan.filename
