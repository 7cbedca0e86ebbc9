"""Text of the report, however the run ended."""

import html
import json
import os
import re
import shutil
import sys
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import yaml

from helpers.events import event_of
from hstmosaic.cli import main
from hstmosaic.errors import ExitCode, OutputError
from hstmosaic.products.charts import duration
from hstmosaic.products.gather import Gathered
from hstmosaic.products.report import number_text, size_text, write_report
from hstmosaic.products.report_rows import read_tasks
from hstmosaic.products.run_record import read_record
from hstmosaic.run.driver import run_mosaic
from hstmosaic.run.options import RunOptions
from hstmosaic.store.alignment_results import CARRIED, RELATIVE, AlignmentResult, ExposureFit
from hstmosaic.store.events import log_to
from hstmosaic.store.worker_events import Running

ROOT = Path(__file__).parents[2]
LAYERS = ("WFC3/UVIS F606W", "WFC3/UVIS F814W", "WFC3/IR F160W")


@pytest.fixture(scope="module")
def pretended(simulated, tmp_path_factory):
    """A run that only pretends: real tasks, workers and events, without pixels."""
    folder = tmp_path_factory.mktemp("pretended")
    options = RunOptions(str(simulated.demo(200).list), "foo", stub=True, output=folder / "out")
    return run_mosaic(options, lambda event: None)


@pytest.fixture
def run(pretended, tmp_path):
    """A copy of it that may be spoiled."""
    shutil.copytree(pretended.directory.parent, tmp_path / "out")
    return tmp_path / "out" / pretended.directory.name


def add_event(run, **event):
    with (run / "logs" / "run.jsonl").open("a") as log:
        time = read_record(run).events[-1].time + 1
        log.write(json.dumps({"time": time, "level": "info", "message": ""} | event) + "\n")


def words(path):
    """The report without tags, and with single spaces."""
    text = re.sub(r"<(style|script)>.*?</\1>", "", path.read_text(), flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", text)).split())


def test_every_run_has_a_report_next_to_its_products(pretended):
    text = words(pretended.directory.parent / "stub-foo_report.html")
    assert "finished" in text
    assert "6 of 6" in text
    for layer in LAYERS:
        assert layer in text
    for exposure in pretended.plan.exposures:
        assert exposure.name in text
        assert f"screen-{exposure.name.removesuffix('.fits')}" in text
    for file in pretended.products:
        assert file.name in text
    assert f"drizzlepac {pretended.plan.versions['drizzlepac']}" in text


def test_the_methods_paragraph_has_the_versions_and_numbers_of_the_run(run):
    text = words(write_report(run))
    versions = read_record(run).plan.versions
    assert (
        f"We combined 6 calibrated exposures, {', '.join(f'{layer} (2)' for layer in LAYERS)}, with hstmosaic" in text
    )
    assert f"hstmosaic {versions['hstmosaic']}" in text
    assert f"DrizzlePac {versions['drizzlepac']}." in text
    assert "The exposures have the WCS of their headers." in text
    assert 'on the projection cell p1889 with pixels of 0.04" and 0.12".' in text
    found = {"aligned": True, "catalog": "GAIAeDR3", "matches": 12, "rms_mas": [5.23, 6.0]}
    (run / "alignment.json").write_text(json.dumps(found))
    add_event(run, kind="aligned", exposure="x")
    text = words(write_report(run))
    assert "aligned together to GAIAeDR3 by 12 stars, with residuals of 5.2 mas in right ascension and 6.0 mas" in text


def test_warnings_about_products_are_one_amber_line(run):
    warnings = ["3 of 6 exposures left out", "not aligned: no catalogue"]
    add_event(run, kind="finished", exit_code=0, warnings=warnings)
    text = write_report(run).read_text()
    assert f'<span class="badge warn">finished with warnings: {", ".join(warnings)}</span>' in text


def test_a_full_disk_loses_only_the_current_file(run):
    kinds = [event.kind for event in read_record(run).events]
    log = run / "logs" / "run.jsonl"
    log.write_text(log.read_text() + '{"time": 17')
    log_to(log)(event_of("note", "after"))
    first, second = sorted((run / "tasks").glob("screen-*"))[:2]
    (first / "measured.json").write_text("")
    (second / "measured.json").write_text('{"host": "no')
    assert [event.kind for event in read_record(run).events] == [*kinds, "note"]
    shown = {task.name for task in read_tasks(read_record(run))}
    assert shown == {folder.name for folder in (run / "tasks").iterdir()} - {first.name, second.name}
    assert write_report(run).is_file()


def test_the_report_shows_the_command(pretended):
    text = words(pretended.directory.parent / "stub-foo_report.html")
    assert pretended.plan.source in text
    assert f"{Path(sys.argv[0]).name}" in text
    assert "stub True" in text
    assert pretended.plan.projection_cell in text


def test_requested_memory_is_that_of_the_tasks(pretended):
    record = read_record(pretended.directory)
    given = {running.task: running.memory_mb for running in record.payloads(Running)}
    assert len(given) == 9
    text = words(pretended.directory.parent / "stub-foo_report.html")
    for task, memory in given.items():
        row = text.split(f"{task} ")[1].split("well")[0]
        assert row.split()[-1].replace(",", "") == number_text(memory).replace(",", "")


def test_a_failed_layer_is_reported_with_its_log(run):
    log = run / "tasks" / "drizzle-wfc3_ir_f160w" / "log.txt"
    log.write_text("".join(f"line {k}\n" for k in range(100)) + "KeyError: <x> & 'y'\n")
    add_event(
        run, kind="failed", level="error", message="wfc3_ir_f160w failed: no <sky> left (log: x)", layer="wfc3_ir_f160w"
    )
    add_event(run, kind="finished", exit_code=7)
    path = write_report(run)
    text = words(path)
    assert "1 of 3 layers failed" in text
    assert "no <sky> left" in text
    assert "KeyError: <x> & 'y'" in text
    assert "line 99" in text
    assert "line 50" not in text
    assert "<sky>" not in path.read_text(), "nothing that was read becomes markup"


def test_a_stopped_run_has_its_cause_and_remedy(run):
    add_event(run, kind="planned", message="again")
    add_event(run, kind="stopped", message="no stars", exit_code=5, next_step="bring some")
    text = words(write_report(run))
    assert "The run was stopped no stars Next step: bring some" in text
    assert "0 of 3" in text, "layers of an earlier start are not those of this one"


def test_a_run_without_an_end_is_not_finished(run):
    add_event(run, kind="planned", message="again")
    assert "not finished" in words(write_report(run))


def test_the_chart_of_tasks_adds_up_its_own_bars_only(run):
    took = {}
    for number, path in enumerate(sorted((run / "tasks").glob("*/measured.json"))):
        measured = json.loads(path.read_text()) | {"cpu_seconds": 2.0**number}
        # the first four tasks are of an earlier start
        measured["started"] += -3600 * (number < 4)
        path.write_text(json.dumps(measured))
        took[path.parent.name] = measured["cpu_seconds"]
    assert len(took) == 9
    text = words(write_report(run))
    seconds = sum(2.0**number for number in range(4, 9))
    assert f"5 tasks, {duration(seconds)} of CPU time. 4 more were finished by an earlier start" in text


def test_retries_and_warnings_are_listed(run):
    retry = {"task": "drizzle-x", "cause": "out of memory", "attempt": 2, "memory_mb": 900}
    add_event(run, kind="retrying", level="warning", message="drizzle-x is started again with 900 MB", **retry)
    for _ in range(3):
        add_event(run, kind="note", level="warning", message="odd & rare")
    text = words(write_report(run))
    assert "Tasks started again drizzle-x is started again with 900 MB" in text
    assert "odd & rare (3 times)" in text


def test_layers_with_unmatched_skies_are_named(run):
    plan = run / "plan.json"
    raw = json.loads(plan.read_text())
    raw["layers"][0] |= {"parameter_set": "n1", "mean_chips": 1.2}
    plan.write_text(json.dumps(raw))
    text = words(write_report(run))
    assert "wfc3_uvis_f606w: 1.20 chips over a pixel, parameter set n1: drizzlepac does not match the skies" in text
    assert text.count("does not match the skies") == 1


def manifest(run, **changes):
    path = run.parent / "stub-foo_manifest.json"
    found = {
        "schema": 1,
        "prefix": "stub-foo",
        "created": "2026-01-01T00:00:00+00:00",
        "versions": {"drizzlepac": "9.9.9"},
        "exit_code": 7,
        "products": [asdict(Gathered("stub-foo_manifest.txt", 1, "ab" * 32, kind="list of products"))],
        "exposures": [],
        "left_out": [{"name": "icab01a0q_flc.fits", "reason": "stars are trailed", "next_step": "use --keep"}],
        "failures": [{"layer": None, "cause": "the node caught fire", "log": ""}],
    }
    path.write_text(json.dumps(found | changes))
    return path


def test_the_manifest_has_the_last_word(run):
    manifest(run)
    text = words(write_report(run))
    assert "stars are trailed" in text
    assert "the node caught fire" in text
    assert "abababababab" in text
    assert "drizzlepac 9.9.9" in text


def test_a_damaged_manifest_is_named(run):
    path = manifest(run)
    path.write_text(path.read_text()[:-20])
    with pytest.raises(OutputError, match=f"{path} cannot be read") as caught:
        write_report(run)
    assert "rerun the same command" in caught.value.next_step


def test_a_manifest_of_an_earlier_start_does_not_count(run):
    path = manifest(run)
    os.utime(path, (1, 1))
    text = words(write_report(run))
    assert "stars are trailed" not in text
    assert "drizzlepac 9.9.9" not in text


def test_a_failed_alignment_is_reported(run):
    (run / "alignment.json").write_text(json.dumps({"aligned": False, "cause": "too few stars"}))
    assert "too few stars" not in words(write_report(run)), "of an earlier start"
    add_event(run, kind="not aligned", level="warning", message="NOT aligned")
    assert "The exposures were not aligned: too few stars" in words(write_report(run))


@pytest.mark.parametrize(
    ("aligned", "groups", "sentence"),
    [
        (True, 1, "2 exposures were fitted together to GAIAeDR3: 20 stars, RMS 3.0 mas"),
        (True, 2, "(relative fit, rscale, 2 groups that do not overlap)"),
        (False, 1, "not aligned: no match. They were fitted to each other only"),
    ],
)
def test_the_fit_of_exposures_is_reported(run, aligned, groups, sentence):
    record = read_record(run)
    first, second = record.plan.exposures[:2]
    fit = ExposureFit((1.0, 2.0), 0.01, 1.0, 30, 20, (3.0, 4.0), 25, (0.25, 0.5), ((1.0, 2.0),))
    carried = replace(fit, status=CARRIED, reason="it has no sources", group=groups - 1)
    found = AlignmentResult(
        aligned=aligned,
        cause="" if aligned else "no match",
        catalog="GAIAeDR3",
        method=RELATIVE,
        fitgeom="rscale",
        matches=20,
        rms_mas=(3.0, 4.0),
        exposures={first.name: fit, second.name: carried},
        tight_limits=tuple(record.plan.tight_limits.as_list()),
    )
    (run / "alignment.json").write_text(json.dumps(found.to_dict()))
    add_event(run, kind="aligned")
    text = words(write_report(run))
    assert sentence in text
    assert "the RMS of all of them" in text
    assert "with its visit: it has no sources" in text
    assert "by its own sources" in text


def test_sizes_and_limits_follow_the_alignment(run):
    """They are a few pixels off what was planned from the headers as given."""
    product = read_record(run).plan.layers[0].products[0]
    planned, made = product.grid.shape, (product.grid.shape[0] + 2, product.grid.shape[1])
    unmeasured = words(write_report(run))
    size = "{1} \N{MULTIPLICATION SIGN} {0}".format
    assert size(*planned) not in unmeasured
    assert size(*made) not in unmeasured
    numbers = {
        "area_arcmin2": 1.0,
        "weight_min": 1.0,
        "weight_median": 1.0,
        "weight_max": 1.0,
        "noise": 1.0,
        "zero_point": 25.0,
    }
    measured = {product.name: numbers | {"shape": made, "unit": "", "exposure_time": 1.0}}
    (run / "pictures.json").write_text(json.dumps({"files": [], "embedded": [], "measured": measured}))
    found = {"aligned": False, "cause": "few stars", "tight_limits": [11, 22, 33, 44]}
    (run / "alignment.json").write_text(json.dumps(found))
    add_event(run, kind="not aligned")
    text = words(write_report(run))
    assert size(*made) in text
    assert size(*planned) not in text
    assert " 1 / 1 s " in text, "weights are seconds"
    assert "limits of the data x 11 to 22, y 33 to 44" in text


def test_registration_and_widths_are_in_the_report(run):
    first, second, third = ("wfc3_uvis_f606w", "wfc3_uvis_f814w", "wfc3_ir_f160w")
    add_event(run, kind="registered", layer=second, reference=first, stars=40, x=3.0, y=-4.0, scatter=0.2)
    add_event(run, kind="registered", layer=first, reference="GAIAeDR3", stars=12, x=0.1, y=0.0, scatter=0.1)
    add_event(run, kind="registered", layer=third, reference=first, stars=0, x=0.0, y=0.0, scatter=0.0)
    add_event(run, kind="stars", layer=third, stars=21, fwhm_arcsec=0.1534)
    add_event(run, kind="finished", exit_code=0, warnings=[f"{second} and {first} are 5.0 pixels apart"])
    text = words(write_report(run))
    assert f"finished with warnings: {second} and {first} are 5.0 pixels apart" in text
    assert f"{LAYERS[1]} {LAYERS[0]} +3.00 -4.00 200 0.20 40 no: 5.0 pixels apart" in text
    assert f"{LAYERS[0]} GAIAeDR3 +0.10 +0.00 4 0.10 12 yes" in text
    assert "too few common stars" in text
    assert text.count("0.153\N{DOUBLE PRIME} (21)") == 1, "only of the mosaic that was measured"


def test_the_report_is_whole_or_not_there(run, monkeypatch):
    before = (run.parent / "stub-foo_report.html").read_bytes()
    monkeypatch.setattr("pathlib.Path.replace", lambda *_: (_ for _ in ()).throw(OSError("full")))
    with pytest.raises(OSError, match="full"):
        write_report(run)
    assert (run.parent / "stub-foo_report.html").read_bytes() == before


def test_the_verb_makes_it_again(run, monkeypatch, capsys):
    report = run.parent / "stub-foo_report.html"
    report.unlink()
    monkeypatch.setattr("sys.argv", ["hstmosaic", "report", str(run)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == ExitCode.OK
    assert capsys.readouterr().out.strip() == str(report)
    assert "finished" in words(report)


def test_other_directories_are_errors(tmp_path):
    with pytest.raises(OutputError, match="is not a run directory"):
        write_report(tmp_path)


@pytest.mark.parametrize("text", ["{", '{"schema": 1}', "[]"])
def test_a_damaged_plan_is_an_error_in_words(run, text):
    (run / "plan.json").write_text(text)
    with pytest.raises(OutputError, match=r"plan\.json cannot be read"):
        write_report(run)


def test_damaged_notes_of_pictures_are_an_error_in_words(run):
    (run / "pictures.json").write_text("{")
    with pytest.raises(OutputError, match=r"pictures\.json cannot be read"):
        write_report(run)


def test_citations_are_those_of_the_project(pretended):
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    text = words(pretended.directory.parent / "stub-foo_report.html")
    for reference in cited["references"]:
        assert " ".join(reference["title"].split()) in text
        assert str(reference["year"]) in text
        assert reference.get("doi", "") in text
    assert " ".join(cited["abstract"].split()).removesuffix(".") in text
    assert "Gaia" not in text, "nothing was aligned"


def test_templates_are_in_the_package():
    assert {path.suffix for path in (ROOT / "src/hstmosaic/products/templates").iterdir()} == {".html", ".css", ".js"}


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 B"), (999, "999 B"), (1000, "1 kB"), (45_678_901, "45.7 MB"), (999_700_000, "1 GB")]
)
def test_sizes_are_written_for_people(count, text):
    assert size_text(count) == text


@pytest.mark.parametrize(
    ("value", "text"), [(None, "\N{EN DASH}"), (0, "0"), (0.00386, "0.00386"), (1234.5, "1,234"), (97.29, "97.3")]
)
def test_numbers_are_written_for_people(value, text):
    assert number_text(value) == text


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [(999.4, 3, "999"), (999.7, 3, "1,000"), (-999.7, 3, "-1,000"), (99999.7, 5, "100,000"), (99999.4, 5, "99999")],
)
def test_numbers_that_round_up_to_another_digit_keep_their_form(value, digits, text):
    assert number_text(value, digits) == text
