"""No start replaces the products of another run unnoticed."""

import json
import shutil
import subprocess
import sys

import pytest

from hstmosaic.cli import main
from hstmosaic.errors import ExitCode
from hstmosaic.products.manifest import manifest_from_json
from hstmosaic.products.run_record import read_record
from hstmosaic.store.events import event_from_line

PREFIX = "stub-foo"


@pytest.fixture(scope="module")
def field(simulated, tmp_path_factory):
    folder = simulated.demo(200).copy_to(tmp_path_factory.mktemp("exposures")).folder
    names = (folder / "list.txt").read_text().split()
    (folder / "four.txt").write_text("\n".join(names[:4]))
    (folder / "others.txt").write_text("\n".join(names[4:]))
    return folder


@pytest.fixture
def call(monkeypatch, capsys):
    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["hstmosaic", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        return ended.value.code, printed.out + printed.err

    return run


@pytest.fixture(scope="module")
def first(field, tmp_path_factory):
    """A finished run of four of the six exposures; its tasks only pretend."""
    from hstmosaic.run.driver import run_mosaic
    from hstmosaic.run.options import RunOptions

    output = tmp_path_factory.mktemp("first") / "out"
    options = RunOptions(str(field / "four.txt"), "foo", stub=True, skip_alignment=True, output=output)
    assert run_mosaic(options, lambda event: None).exit_code is ExitCode.OK
    return output


@pytest.fixture
def output(first, tmp_path):
    return shutil.copytree(first, tmp_path / "out")


def state(output):
    return {path: path.stat().st_mtime_ns for path in output.rglob("*") if path.name != "lock" and path.is_file()}


def start(call, field, output, source, *options):
    return call("run", field / source, "--stub", "-s", "-o", "foo", "--output-dir", output, *options)


def mosaics(output):
    listed = manifest_from_json((output / f"{PREFIX}_manifest.json").read_text())
    return {file.name for file in listed.products if file.kind == "mosaic"}


OTHERS = {
    "exposures": ("others.txt", (), "4 exposures of it are missing here: idem01a0q_flc.fits"),
    "grid": ("four.txt", ("--scale", "0.06"), "its grid: as documented; here: scale=0.06 arcsec"),
    "drizzle": ("four.txt", ("--sky", "none"), "its drizzle options: as documented; here: sky=none"),
}


@pytest.mark.parametrize("other", OTHERS)
def test_the_plan_names_what_another_run_would_replace(call, field, first, other):
    source, options, sentence = OTHERS[other]
    code, planned = call("plan", field / source, "--stub", "-s", "-o", "foo", "--output-dir", first, *options)
    assert (code, sentence in planned, "without --replace" in planned) == (ExitCode.OK, True, True)


def test_another_run_stops_before_it_changes_a_file(call, field, output):
    before = state(output)
    code, printed = start(call, field, output, "others.txt")
    assert code == ExitCode.OUTPUT
    assert OTHERS["exposures"][2] in printed
    assert all(name in printed for name in mosaics(output))
    assert "--replace" in printed
    assert state(output) == before


def test_another_alignment_stops_before_it_changes_a_file(call, field, output):
    before = state(output)
    code, printed = call("run", field / "four.txt", "--stub", "-o", "foo", "--output-dir", output)
    assert (code, state(output)) == (ExitCode.OUTPUT, before)
    assert "its alignment: none (-s); here: to the catalogue service" in printed


def test_replacing_leaves_no_file_of_the_earlier_run(call, field, output):
    earlier = mosaics(output)
    code, _ = start(call, field, output, "others.txt", "--replace")
    assert code == ExitCode.OK
    assert mosaics(output).isdisjoint(earlier)
    assert not [name for name in earlier if (output / name).exists()]
    assert call("verify", output)[0] == ExitCode.OK


def test_a_start_with_nothing_to_do_changes_no_file(call, field, output):
    before = {path: path.stat().st_mtime_ns for path in output.rglob("*")}
    code, printed = start(call, field, output, "four.txt")
    assert code == ExitCode.OK
    assert "nothing to do: 4 files in" in printed
    assert {path: path.stat().st_mtime_ns for path in output.rglob("*")} == before


def test_learned_estimates_leave_nothing_to_do(call, field, output):
    path = output / f"{PREFIX}_run" / "plan.json"
    plan = json.loads(path.read_text(encoding="utf-8"))
    for layer in plan["layers"]:
        layer["box_seconds"] *= 2
        layer["estimate"]["seconds"] *= 2
    path.write_text(json.dumps(plan), encoding="utf-8")
    code, printed = start(call, field, output, "four.txt")
    assert (code, "nothing to do" in printed) == (ExitCode.OK, True)


LOADED = """
import sys
from hstmosaic.cli import main
try:
    main()
finally:
    print(*{name.partition(".")[0] for name in sys.modules}, file=sys.stderr)
"""


def test_a_start_with_nothing_to_do_loads_no_large_library(field, first):
    options = ("--stub", "-s", "-o", "foo", "--output-dir", first)
    command = [sys.executable, "-c", LOADED, "run", field / "four.txt", *options]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "nothing to do" in done.stdout
    assert {"astropy", "dask", "distributed", "drizzlepac", "matplotlib", "scipy"}.isdisjoint(done.stderr.split())


def test_a_start_with_nothing_to_do_starts_no_process(call, field, first, monkeypatch):
    def refused(*_, **__):
        raise AssertionError("a process was started")

    monkeypatch.setattr(subprocess, "Popen", refused)
    code, printed = start(call, field, first, "four.txt")
    assert (code, "nothing to do" in printed) == (ExitCode.OK, True)


def test_what_a_run_made_is_listed_as_json(call, first):
    code, printed = call("clean", first, "--json")
    found = json.loads(printed)
    assert (code, found["removed"], found["changed"], found["unknown"]) == (ExitCode.OK, False, [], [])
    assert {str(first / name) for name in mosaics(first)} < set(found["files"])
    assert found["run"] == str(first / f"{PREFIX}_run")
    assert first.is_dir()


def test_a_damaged_plan_is_made_again(call, field, output):
    (output / f"{PREFIX}_run" / "plan.json").write_text("{", encoding="utf-8")
    code, printed = start(call, field, output, "four.txt")
    assert (code, "nothing to do" in printed) == (ExitCode.OK, False)
    assert start(call, field, output, "four.txt")[1].count("nothing to do") == 1


def test_a_missing_product_is_made_again(call, field, output):
    missing = output / sorted(mosaics(output))[0]
    missing.unlink()
    code, printed = start(call, field, output, "four.txt")
    assert (code, missing.is_file(), "nothing to do" in printed) == (ExitCode.OK, True, False)
    record = read_record(output / f"{PREFIX}_run")
    assert [(begun.exit_code, begun.tasks > 0, begun.kept > 0) for begun in record.starts] == [
        (0, True, False),
        (0, True, True),
    ]
    report = (output / f"{PREFIX}_report.html").read_text()
    assert "Starts of this run" in report
    assert "2 starts took" in report


def test_added_exposures_are_allowed_and_reported(call, field, output):
    code, _ = start(call, field, output, "list.txt")
    assert code == ExitCode.OK
    log = (output / f"{PREFIX}_run" / "logs" / "run.jsonl").read_bytes()
    messages = [event_from_line(line).message for line in log.splitlines()]
    assert [message for message in messages if message.startswith("2 exposures added to the earlier run")]


def test_products_without_a_run_directory_are_kept(call, field, output):
    shutil.rmtree(output / f"{PREFIX}_run")
    (output / f"{PREFIX}_manifest.json").unlink()
    before = state(output)
    code, printed = start(call, field, output, "four.txt")
    assert (code, state(output)) == (ExitCode.OUTPUT, before)
    assert "its run directory is missing" in printed


def test_clean_lists_first_and_removes_only_what_the_run_made(call, output):
    mosaic, *others = sorted(mosaics(output))
    (output / mosaic).write_bytes(b"the user's own")
    (output / "notes.txt").write_text("also the user's")
    (output / f"{PREFIX}_run" / "notes.txt").write_text("and this")
    before = state(output)
    code, printed = call("clean", output)
    assert (code, state(output)) == (ExitCode.OK, before)
    assert all(str(output / name) in printed for name in others)
    assert "--yes removes them" in printed
    code, printed = call("clean", output, "--yes")
    assert code == ExitCode.OK
    assert f"kept: {output / mosaic}: changed since the run" in printed
    left = {str(path.relative_to(output)) for path in output.rglob("*") if path.is_file()}
    assert left == {mosaic, "notes.txt", f"{PREFIX}_run/notes.txt"}


def test_clean_leaves_nothing_of_a_run(call, output):
    assert call("clean", output / f"{PREFIX}_run", "--yes")[0] == ExitCode.OK
    assert list(output.iterdir()) == []


def test_tiles_that_a_larger_mosaic_has_not_are_removed(call, field, tmp_path):
    output = tmp_path / "out"
    names = (field / "list.txt").read_text().split()
    (field / "one.txt").write_text(names[0])
    assert start(call, field, output, "one.txt", "--tiles", "64x64")[0] == ExitCode.OK
    before = {path.name for path in output.glob(f"{PREFIX}_tile-*.fits")}
    assert start(call, field, output, "list.txt", "--tiles", "64x64")[0] == ExitCode.OK
    listed = manifest_from_json((output / f"{PREFIX}_manifest.json").read_text())
    left = {path.name for path in output.glob(f"{PREFIX}_tile-*.fits")}
    assert left == {file.name for file in listed.products if file.kind == "tile"}
    assert before - left
    assert call("verify", output)[0] == ExitCode.OK


def test_sky_cells_of_an_earlier_run_are_replaced_or_named(call, field, tmp_path):
    def started(*options):
        return call("run", field / "four.txt", "--stub", "-s", "--output-dir", tmp_path, *options)[0]

    assert started("--tiles", "skycells") == ExitCode.OK
    tiles = {path.name for path in tmp_path.glob("stub_skycell-*.fits")}
    assert tiles
    assert started() == ExitCode.OUTPUT
    assert started("--replace") == ExitCode.OK
    assert not list(tmp_path.glob("*_skycell-*.fits"))


def test_tiles_may_be_added_and_are_replaced_only_on_request(call, field, output):
    assert start(call, field, output, "four.txt", "--tiles", "120x120")[0] == ExitCode.OK
    added = {path.name for path in output.glob(f"{PREFIX}_tile-*.fits")}
    assert added
    code, printed = start(call, field, output, "four.txt", "--tiles", "500x500")
    assert (code, "tiles of 120x120; here: tiles of 500x500" in printed) == (ExitCode.OUTPUT, True)
    assert start(call, field, output, "four.txt", "--tiles", "5000x5000", "--replace")[0] == ExitCode.OK
    listed = manifest_from_json((output / f"{PREFIX}_manifest.json").read_text())
    left = {path.name for path in output.glob(f"{PREFIX}_tile-*.fits")}
    assert left == {file.name for file in listed.products if file.kind == "tile"}
    assert 0 < len(left) < len(added)
    assert call("clean", output / f"{PREFIX}_run", "--yes")[0] == ExitCode.OK
    assert not list(output.iterdir())
