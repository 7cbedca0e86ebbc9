"""A run is repeated from its provenance, unless its inputs have changed."""

import json
import re
import shutil
import sys
from dataclasses import replace
from types import SimpleNamespace

import pytest

from hstmosaic.cli import main
from hstmosaic.errors import ExitCode, OutputError
from hstmosaic.plan.parameters import read_parameters
from hstmosaic.plan.plan import plan_from_json
from hstmosaic.plan.request import MosaicRequest, Sky
from hstmosaic.plan.target_grid import read_grid
from hstmosaic.plan.tiles import Tiling
from hstmosaic.products.manifest import manifest_from_json
from hstmosaic.products.provenance import read_provenance
from hstmosaic.products.run_record import read_record
from hstmosaic.run.driver import run_mosaic
from hstmosaic.run.options import RunOptions
from hstmosaic.run.profiles.profile import Profile
from hstmosaic.simulate import sky_cell_corner
from hstmosaic.store import image_identity as image

FIRST = "idem01a0q_flc.fits"


@pytest.fixture(scope="module")
def exposures(simulated, tmp_path_factory):
    folder = simulated.demo(300).copy_to(tmp_path_factory.mktemp("exposures")).folder
    (folder / "two.txt").write_text("".join(f"{name}\n" for name in (FIRST, "idem01a1q_flc.fits")))
    return folder


def run_stub(exposures, folder, **options):
    """Run placeholder tasks on a copy of exposures, since nothing checks pixels here; return copy and provenance."""
    field = folder / "exposures"
    shutil.copytree(exposures, field)
    made = RunOptions(str(field / "list.txt"), "foo", output=folder / "out", stub=True, log_level="warning", **options)
    assert run_mosaic(made, lambda event: None).exit_code is ExitCode.OK
    return field, folder / "out" / "stub-foo_provenance.json"


@pytest.fixture(scope="module")
def shared_run(exposures, tmp_path_factory):
    """A run that tests only read."""
    return run_stub(exposures, tmp_path_factory.mktemp("shared"), skip_alignment=True)


@pytest.fixture
def stub_run(shared_run, tmp_path):
    """Exposures and a provenance that a test may change, of a run whose other files it only reads."""
    field, provenance = shared_run
    changed = tmp_path / "changed_provenance.json"
    shutil.copyfile(provenance, changed)
    return field, changed


@pytest.fixture
def call(monkeypatch, capsys):
    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["hstmosaic", "run", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        return ended.value.code, printed.out + printed.err

    return run


def mosaics(folder, prefix="foo"):
    listed = manifest_from_json((folder / f"{prefix}_manifest.json").read_text())
    return {file.name: file.sha256 for file in listed.products if file.kind == "mosaic"}


@pytest.mark.upstream
def test_what_is_done_needs_no_room_again(exposures, tmp_path, monkeypatch):
    field, _ = run_stub(exposures, tmp_path, skip_alignment=True)
    options = RunOptions(str(field / "list.txt"), prefix="foo", skip_alignment=True, output=tmp_path / "out", stub=True)
    run = tmp_path / "out" / "stub-foo_run"
    plan = plan_from_json((run / "plan.json").read_text())
    # a disk on which others have left so much, which is faked
    free_mb = 0
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=free_mb * 1_000_000))
    assert run_mosaic(options, lambda event: None).exit_code is ExitCode.OK

    layer = plan.layers[0]
    task = run / "tasks" / f"drizzle-{layer.name}"
    (tmp_path / "out" / layer.products[0].name).unlink()
    with pytest.raises(OutputError, match=f"has 0 MB left, the run needs about {layer.estimate.disk_mb} MB"):
        run_mosaic(options, lambda event: None)
    (task / "result.json").unlink()
    (task / "work").mkdir()
    (task / "work" / "half.fits").write_bytes(bytes(2_000_000))
    with pytest.raises(OutputError, match=f"the run needs about {layer.estimate.disk_mb - 2} MB"):
        run_mosaic(options, lambda event: None)
    # what an attempt has left is removed, so that it counts as room
    free_mb = layer.estimate.disk_mb - 2
    assert run_mosaic(options, lambda event: None).exit_code is ExitCode.OK


@pytest.mark.upstream
def test_working_copies_on_scratch_need_no_output_space(exposures, tmp_path, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=0))
    options = RunOptions(str(exposures / "list.txt"), prefix="foo", skip_alignment=True, output=tmp_path / "out")

    def needed(**changes):
        with pytest.raises(OutputError) as raised:
            run_mosaic(replace(options, **changes), lambda event: None)
        return int(re.search(r"needs about (\d+) MB", raised.value.message)[1])

    nodes = Profile("nodes", scratch=True)
    copies = sum(path.stat().st_size for path in exposures.glob("*_fl?.fits")) / 1e6
    # rounded for each of three layers
    assert needed() - needed(profile=nodes) == pytest.approx(copies, abs=3)
    assert needed(profile=nodes, keep_work=True) == needed()


@pytest.mark.upstream
def test_the_same_bytes_come_out_wherever_the_exposures_are(exposures, tmp_path, call):
    first = ("-s", "-o", "foo", "--keep", FIRST, "-l", "warning")
    code, _ = call(exposures / "two.txt", *first, "--output-dir", tmp_path / "first")
    assert code == ExitCode.OK
    provenance = tmp_path / "first" / "foo_provenance.json"
    moved = tmp_path / "moved"
    shutil.copytree(exposures, moved)
    code, printed = call("--like", provenance, moved / "*.fits", "--output-dir", tmp_path / "again", "--workers", 1)
    assert (code, printed) == (ExitCode.OK, "")
    assert mosaics(tmp_path / "again") == mosaics(tmp_path / "first") != {}

    content = bytearray((moved / FIRST).read_bytes())
    content[-1] ^= 1
    (moved / FIRST).write_bytes(content)
    code, printed = call("--like", provenance, moved / "*.fits", "--output-dir", tmp_path / "third")
    assert code == ExitCode.BAD_INPUT
    assert f"{moved / FIRST}: it is not the file that the run used" in printed
    assert "idem01a1q" not in printed
    assert not (tmp_path / "third").exists()


def test_typed_options_override_recorded_ones(stub_run, tmp_path, call):
    _, provenance = stub_run
    code, printed = call("--like", provenance, "-o", "bar", "-l", "info", "--output-dir", tmp_path / "again")
    assert code == ExitCode.OK
    assert len(mosaics(tmp_path / "again", "stub-bar")) == 4
    assert "finished" in printed


@pytest.fixture(scope="module")
def custom_run(exposures, tmp_path_factory):
    """Exposures, options and provenance of a run whose grid has changed since, and whose parameters are gone."""
    folder = tmp_path_factory.mktemp("custom")
    ra, dec = sky_cell_corner()
    grid, parameters = folder / "grid.json", folder / "drizzle.toml"
    grid.write_text(json.dumps({"ra": ra, "dec": dec, "scale": 0.05, "rotation": 30, "width": 700, "height": 600}))
    parameters.write_text("[wfc3.uvis]\nfinal_pixfrac = 0.7\n")
    request = MosaicRequest(
        read_parameters(parameters),
        Sky.LOCALMIN,
        compress=True,
        grid=read_grid(str(grid)),
        tiles=Tiling((200, 200)),
        error=True,
        context=True,
    )
    field, provenance = run_stub(exposures, folder, skip_alignment=True, request=request)
    grid.write_text(grid.read_text().replace("0.05", "0.08"))
    parameters.unlink()
    return field, request, provenance


def test_grid_and_parameters_are_repeated_without_their_files(custom_run, tmp_path, call):
    _, request, first = custom_run
    again = tmp_path / "again" / first.name
    code, printed = call("--like", first, "--output-dir", again.parent)
    assert code == ExitCode.OK, printed
    assert read_provenance(again.read_text()).options.request == request
    plans = [plan_from_json((path.parent / "stub-foo_run" / "plan.json").read_text()) for path in (first, again)]
    assert plans[0].layers == plans[1].layers
    assert any(product.tiles for product in plans[1].layers[0].products)


def test_a_run_with_a_grid_of_its_own_is_resumed(custom_run, call):
    _, _, first = custom_run
    same, run = ("--like", first, "--output-dir", first.parent), first.parent / "stub-foo_run"
    assert call(*same)[0] == ExitCode.OK
    assert len(read_record(run).starts) == 1, "nothing was to do"
    # a scale that is typed replaces the recorded grid
    changes = {("--scale", "0.06"): "here: scale=0.06 arcsec", ("--sky", "none"): "its drizzle options:"}
    for changed, words in changes.items():
        code, printed = call(*same, *changed)
        assert (code, words in printed, "files would be replaced" in printed) == (ExitCode.OUTPUT, True, True)
    mosaic = first.parent / sorted(mosaics(first.parent, "stub-foo"))[0]
    mosaic.unlink()
    assert call(*same)[0] == ExitCode.OK
    assert mosaic.is_file()
    last = read_record(run).starts[-1]
    # screening and two layers were finished
    assert (last.tasks, last.kept) == (1, 8)


def test_exposures_that_are_gone_are_all_named(stub_run, tmp_path, call):
    field, provenance = stub_run
    gone = tmp_path / "gone"
    provenance.write_text(provenance.read_text().replace(str(field / "idem03"), str(gone / "idem03")))
    code, printed = call("--like", provenance, "--output-dir", tmp_path / "again")
    assert code == ExitCode.BAD_INPUT
    for name in ("idem03a0q_flt.fits", "idem03a1q_flt.fits"):
        (line,) = [line for line in printed.splitlines() if name in line]
        assert line.count(";") == 1, "cause and next step"
    assert FIRST not in printed


def test_exposures_that_a_new_list_lacks_are_named(stub_run, exposures, tmp_path, call):
    _, provenance = stub_run
    code, printed = call(exposures / "two.txt", "--like", provenance)
    assert code == ExitCode.BAD_INPUT
    assert "idem03a0q_flt.fits: the run used it" in printed


@pytest.fixture(scope="module")
def catalog_run(exposures, tmp_path_factory):
    """The provenance of a run with a catalogue that was removed, and another catalogue."""
    folder = tmp_path_factory.mktemp("catalog")
    recorded, other = folder / "stars.csv", folder / "other.csv"
    for path in (recorded, other):
        path.write_text("ra,dec\n" + "".join(f"{53 + k / 1000},-27.8\n" for k in range(9)))
    _, provenance = run_stub(exposures, folder, catalog=recorded)
    recorded.unlink()
    return provenance, recorded, other


def test_a_catalogue_that_is_gone_is_named_with_what_to_do(catalog_run, tmp_path, call):
    provenance, recorded, _ = catalog_run
    code, printed = call("--like", provenance, "--output-dir", tmp_path / "again")
    assert code == ExitCode.BAD_INPUT
    assert f"{recorded}: the run used it, and it is missing now" in printed
    assert "--catalog" in printed
    assert "-s" in printed


@pytest.mark.parametrize("typed", ["--catalog", "-s"])
def test_an_unneeded_recorded_catalogue_is_not_required(catalog_run, tmp_path, call, typed):
    provenance, _, other = catalog_run
    options = ("--catalog", other) if typed == "--catalog" else ("-s",)
    code, printed = call("--like", provenance, *options, "-l", "info", "--output-dir", tmp_path / "again")
    assert (code, "finished" in printed) == (ExitCode.OK, True)
    recorded = read_provenance((tmp_path / "again" / "stub-foo_provenance.json").read_text()).options
    assert recorded.skip_alignment == (typed == "-s")
    assert (recorded.catalog and recorded.catalog.path) == (str(other) if typed == "--catalog" else None)


def test_other_software_is_a_warning_that_names_both(stub_run, tmp_path, call, monkeypatch):
    _, provenance = stub_run
    raw = provenance.read_text().replace('\\"drizzlepac\\": \\"', '\\"drizzlepac\\": \\"0.')
    provenance.write_text(raw)
    monkeypatch.setattr("hstmosaic.run.repeat.image_identity", lambda: image.ImageIdentity("hstmosaic:9", "sha256:1"))
    code, printed = call("--like", provenance, "--output-dir", tmp_path / "again")
    assert code == ExitCode.OK
    assert "drizzlepac was 0.3" in printed
    assert "it is 3." in printed
    assert "the image was none in the run to repeat, it is hstmosaic:9 sha256:1 now" in printed
    log = (tmp_path / "again" / "stub-foo_run" / "logs" / "run.jsonl").read_text()
    assert "drizzlepac was 0.3" in log


@pytest.mark.parametrize("content", [None, "{}", "not even JSON"])
def test_other_files_are_rejected_as_provenance(tmp_path, call, content):
    path = tmp_path / "foo_provenance.json"
    if content is not None:
        path.write_text(content)
    code, printed = call("--like", path)
    assert code == ExitCode.BAD_INPUT
    assert f"{path}: cannot be used" in printed


@pytest.mark.parametrize(
    ("was", "becomes", "cause"),
    [
        ('"hm:options": "{', '"hm:options": "{\\"mode\\": 1, ', "its hm:options are damaged"),
        ('"hm:options": "{', '"hm:options": "[] ', "cannot be used"),
        ("hm:order", "hm:number", "it lacks 'hm:order'"),
    ],
)
def test_a_provenance_that_is_damaged_inside_is_refused(stub_run, call, was, becomes, cause):
    _, provenance = stub_run
    whole = provenance.read_text()
    assert was in whole
    provenance.write_text(whole.replace(was, becomes))
    code, printed = call("--like", provenance)
    assert code == ExitCode.BAD_INPUT
    assert cause in printed


def test_without_input_there_is_nothing_to_run(call):
    code, printed = call("-s")
    assert code == ExitCode.USAGE
    assert "--like" in printed
