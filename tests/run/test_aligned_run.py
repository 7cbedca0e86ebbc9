"""Products and reports of runs with alignment, and of runs whose alignment fails."""

import json
import re
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from astropy.io import fits
from astropy.table import Table

from helpers.alignment_fields import OBSERVED, distances_from_truth, three_cameras
from helpers.catalog_service import Stars, catalog_service
from hstmosaic import make_custom_mosaic
from hstmosaic.cli import main
from hstmosaic.errors import AlignmentError, ExitCode
from hstmosaic.plan.names import is_aligned_copy
from hstmosaic.products.manifest import manifest_from_json
from hstmosaic.run.driver import run_mosaic
from hstmosaic.run.options import RunOptions
from hstmosaic.run.stages.catalog import URL_VARIABLE
from hstmosaic.simulate import simulate_field
from hstmosaic.store.files import sha256

pytestmark = [pytest.mark.upstream, pytest.mark.slow]

NOWHERE = "http://127.0.0.1:9"


@dataclass(frozen=True)
class Field:
    """Exposures of a field, and their truth."""

    list: Path
    used: dict
    """Simulated exposures in the list, by file name."""
    stars: Stars
    content: dict
    """Bytes of every file, by path."""


@pytest.fixture(scope="module")
def field(tmp_path_factory):
    """The WFC3/IR and WFC3/UVIS visits of a field with pointing errors, and its stars."""
    folder = tmp_path_factory.mktemp("exposures")
    planned = three_cameras(rows=900)
    paths = simulate_field(planned, folder)
    used = {plan.filename: plan for plan in planned.exposures if not plan.filename.startswith("j")}
    (folder / "list.txt").write_text("".join(f"{name}\n" for name in used))
    stars = Stars.from_truth(Table.read(folder / "truth.ecsv"), OBSERVED, motion=5.0)
    return Field(folder / "list.txt", used, stars, {path: path.read_bytes() for path in paths})


@pytest.fixture
def service(field, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with catalog_service(field.stars) as running:
        monkeypatch.setenv(URL_VARIABLE, running.url)
        yield running


@pytest.fixture
def no_service(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv(URL_VARIABLE, NOWHERE)


def test_an_aligned_run(field, service, tmp_path):
    source, used, before = field.list, field.used, field.content
    events = []
    options = RunOptions(source=str(source), prefix="foo", output=tmp_path / "out")
    outcome = run_mosaic(options, events.append)
    assert outcome.exit_code is ExitCode.OK
    assert {path: path.read_bytes() for path in before} == before

    manifest = (options.output / "foo_manifest.txt").read_text().split()
    there = {path.name for path in options.output.iterdir() if path.is_file()}
    listed = manifest_from_json((options.output / "foo_manifest.json").read_text())
    assert {file.name for file in listed.products} == there - {"foo_manifest.json", "foo_report.html"}
    pictures = [f for f in listed.products if f.kind in ("preview", "colour", "footprints", "regions", "coverage")]
    assert len(pictures) == 2 + 1 + 1 + 4 + 3
    others = {"foo_manifest.txt", "foo_manifest.json", "foo_provenance.json", "foo_report.html"}
    assert there == {*manifest, *others, *(file.name for file in pictures)}
    for file in listed.products:
        assert file.sha256 == sha256(options.output / file.name)
        if file.name.endswith(".fits"):
            with fits.open(options.output / file.name, checksum=True) as hdus:
                assert [hdu.verify_checksum() for hdu in hdus] == [1] * len(hdus)
    assert {(file.name[-14:-10], file.exposures) for file in listed.products if file.kind == "headerlet"} == {
        (name[4:8], (name,)) for name in used
    }
    aligned = [name for name in manifest if name.endswith(("_flc.fits", "_flt.fits"))]
    assert all(map(is_aligned_copy, aligned)), "or the same pattern would not do again"
    assert sorted(name.rsplit("-", 1)[1][:8] for name in aligned) == sorted(name[:8] for name in used)
    assert len([name for name in manifest if name.endswith("_hlet.fits")]) == len(used)
    assert [name for name in manifest if name.endswith(".ecsv")] == ["foo_GAIAeDR3_ref_cat.ecsv"]
    for name in aligned:
        plan = next(plan for file, plan in used.items() if file[:8] in name)
        (tmp_path / plan.filename).symlink_to(options.output / name)
        assert abs(distances_from_truth(plan, tmp_path / plan.filename).mean(axis=0)).max() < 5

    recorded = json.loads((outcome.directory / "alignment.json").read_text())
    for product in options.output.glob("*_dr?.fits"):
        header = fits.getheader(product)
        assert (header["ALIGNED"], header["ALNCAT"]) == (True, "GAIAeDR3")
        inside = [name for name in used if any(name[:8] in str(value) for value in header["D*DATA"].values())]
        assert header["ALNMATCH"] == sum(recorded["exposures"][name]["matches"] for name in inside)
        assert header["ALNERRRA"] == pytest.approx(
            max(recorded["exposures"][name]["error_mas"][0] for name in inside), abs=1e-3
        )
        history = " ".join(str(header["HISTORY"]).split("\n"))
        assert all(name in history for name in inside)
        assert not any(name in history for name in set(used) - set(inside))

    report = " ".join(re.sub("<[^>]+>", " ", (options.output / "foo_report.html").read_text()).split())
    for product in options.output.glob("*_dr?.fits"):
        shape = fits.getheader(product, "SCI")
        assert f"{shape['NAXIS1']} \N{MULTIPLICATION SIGN} {shape['NAXIS2']}" in report
    given = json.loads((outcome.directory / "tasks" / "drizzle-wfc3_uvis_f606w" / "spec.json").read_text())["limits"]
    assert "limits of the data x {} to {}, y {} to {}".format(*given) in report
    planned = json.loads((outcome.directory / "plan.json").read_text())["tight_limits"]
    assert planned != given, "the alignment has moved them"

    requests = len(service.requests)
    again = []
    run_mosaic(options, again.append)
    assert {event.data["layer"] for event in again if event.kind == "reused"} == {"wfc3_ir_f160w", "wfc3_uvis_f606w"}
    assert len(service.requests) == requests, "replies are kept"


def test_without_a_service_a_run_ends_before_drizzling_or_goes_on_with_a_warning(field, no_service, tmp_path):
    options = RunOptions(str(field.list), prefix="foo", output=tmp_path / "out")
    events = []
    with pytest.raises(AlignmentError) as raised:
        run_mosaic(replace(options, require_alignment=True), events.append)
    assert raised.value.exit_code is ExitCode.ALIGNMENT
    assert not [event for event in events if event.kind == "drizzling"]
    assert not list((tmp_path / "out").glob("*.fits"))

    events = []
    outcome = run_mosaic(options, events.append)
    assert outcome.exit_code is ExitCode.OK
    (warning,) = [event for event in events if event.kind == "not aligned"]
    assert NOWHERE in warning.message
    for product in (tmp_path / "out").glob("*_dr?.fits"):
        assert fits.getval(product, "ALIGNED") is False
    assert "relative only" in warning.message
    headerlets = list((tmp_path / "out").glob("*_hlet.fits"))
    assert len(headerlets) == 4, "exposures are registered to each other"
    assert all(fits.getval(path, "WCSNAME", "SIPWCS", 1).endswith("-FIT_MVM_NONE") for path in headerlets)
    assert not json.loads((outcome.directory / "alignment.json").read_text())["aligned"]


def test_a_catalogue_fetched_in_advance_needs_no_service(field, service, tmp_path, monkeypatch, capsys):
    source = field.list
    stars = tmp_path / "stars.ecsv"
    monkeypatch.setattr("sys.argv", ["hstmosaic", "catalog", str(source), "-o", str(stars)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == ExitCode.OK
    assert "GAIAeDR3" in capsys.readouterr().out
    monkeypatch.setenv(URL_VARIABLE, NOWHERE)
    requests = len(service.requests)
    options = RunOptions(str(source), prefix="foo", output=tmp_path / "out", catalog=stars, require_alignment=True)
    assert run_mosaic(options, lambda event: None).exit_code is ExitCode.OK
    assert len(service.requests) == requests


def test_perform_aligns_by_default(field, service, tmp_path, monkeypatch):
    source = field.list
    monkeypatch.chdir(tmp_path)
    assert make_custom_mosaic.perform(str(source), output_file_prefix="foo") == 0
    products = list(tmp_path.glob("foo_*_dr?.fits"))
    assert len(products) == 3
    assert all(fits.getval(product, "ALIGNED") for product in products)
