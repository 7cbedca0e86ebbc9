"""Reports of exposures that are damaged during a run, and of a disk that fills up."""

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from hstmosaic.errors import ExitCode
from hstmosaic.products.manifest import LISTED_KINDS, Manifest, manifest_from_json
from hstmosaic.run.driver import run_mosaic
from hstmosaic.run.options import RunOptions
from hstmosaic.run.outcome import Outcome

pytestmark = [pytest.mark.upstream, pytest.mark.slow]


def cut_off(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 3])


def empty(path):
    with fits.open(path, mode="update") as hdus:
        for hdu in hdus:
            if hdu.name == "SCI":
                hdu.data[:] = np.nan


HARM = {
    "wfc3_uvis_f606w": ("truncated", cut_off),
    "wfc3_uvis_f814w": ("input gone", Path.unlink),
    "wfc3_ir_f160w": ("no pixels", empty),
}


@pytest.fixture(scope="module")
def exposures(simulated):
    return simulated.demo(400).folder


@dataclass(frozen=True)
class Harmed:
    """A run with damaged exposures, and the next one with good ones."""

    first: Outcome
    events: list
    """Of the first run."""
    failures: str
    """Text of its failures."""
    manifest: Manifest
    second: Outcome


@pytest.fixture(scope="module")
def harmed(exposures, tmp_path_factory):
    """A run whose exposures are harmed when all is ready to drizzle them, and another one with intact exposures."""
    folder = tmp_path_factory.mktemp("harmed")
    field = folder / "exposures"
    shutil.copytree(exposures, field)
    options = RunOptions(str(field / "list.txt"), prefix="foo", skip_alignment=True, output=folder / "out")
    events = []
    harmed_layers = {}

    def listener(event):
        events.append(event)
        if event.kind == "planned":
            plan = json.loads((folder / "out" / "foo_run" / "plan.json").read_text())
            for layer in plan["layers"]:
                name = "_".join([layer["instrument"], layer["detector"], layer["filter"]])
                harmed_layers[name] = [field / exposure for exposure in layer["exposures"]]
        if event.kind == "drizzling":
            # emitted before the task starts, in the same thread
            for path in harmed_layers[event.data["layer"]]:
                HARM[event.data["layer"]][1](path)

    first = run_mosaic(options, listener)
    failures = (first.directory / "failures.txt").read_text()
    manifest = manifest_from_json((options.output / "foo_manifest.json").read_text())
    shutil.copytree(exposures, field, dirs_exist_ok=True)
    second = run_mosaic(options, lambda event: None)
    return Harmed(first, events, failures, manifest, second)


def test_each_layer_has_its_cause_the_lines_and_a_next_step(harmed):
    assert harmed.first.exit_code is ExitCode.LAYER_FAILED
    failed = [event.data for event in harmed.events if event.kind == "failed" and "sentence" in event.data]
    digests = {data["layer"]: data for data in failed}
    assert {layer: found["cause"] for layer, found in digests.items()} == {
        layer: cause for layer, (cause, _) in HARM.items()
    }
    for found in digests.values():
        assert any("log.txt:" in line for line in found["lines"])
        assert found["next_step"]


def test_it_can_be_read_in_the_run_directory_and_in_the_run_log(harmed):
    manifest = harmed.manifest
    log = [json.loads(line) for line in (harmed.first.directory / "logs" / "run.jsonl").read_text().splitlines()]
    for layer in HARM:
        assert f"{layer} was not made." in harmed.failures
        assert [
            event for event in log if event["kind"] == "failed" and event.get("layer") == layer and "lines" in event
        ]
    assert sorted(failure.layer for failure in manifest.failures) == sorted(HARM)
    assert manifest.exit_code == ExitCode.LAYER_FAILED
    assert not LISTED_KINDS & {file.kind for file in manifest.products}


def test_a_later_run_that_ends_well_takes_it_away(harmed):
    assert harmed.second.exit_code is ExitCode.OK
    assert not (harmed.first.directory / "failures.txt").exists()


FULL_DISK = """
import shutil, subprocess, sys
from pathlib import Path
from hstmosaic import cli
from hstmosaic.run import driver

small, source = Path(sys.argv[1]), sys.argv[2]
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=400m", "tmpfs", small], check=True)
run_mosaic = driver.run_mosaic

def on_a_disk_of_others(options, listener):
    def heard(event):
        listener(event)
        if event.kind == "drizzling" and not (small / "other").exists():
            with (small / "other").open("wb") as other:
                other.write(bytes(shutil.disk_usage(small).free - 5_000_000))
    return run_mosaic(options, heard)

driver.run_mosaic = on_a_disk_of_others
sys.argv = ["hstmosaic", "run", source, "-s", "-o", "foo", "--output-dir", str(small), "--workers", "1"]
cli.main()
"""


def test_a_disk_that_fills_up_is_reported(exposures, tmp_path):
    # a disk of its own, in a mount namespace that nothing is left of when the process has ended
    enter = ["unshare", "--user", "--map-root-user", "--mount"]
    if not shutil.which("unshare") or subprocess.run([*enter, "true"], check=False, capture_output=True).returncode:
        pytest.skip("this machine gives ordinary users no mount namespace")
    command = [*enter, sys.executable, "-c", FULL_DISK, str(tmp_path), str(exposures / "list.txt")]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert ended.returncode in (ExitCode.OUTPUT, ExitCode.LAYER_FAILED), ended.stderr
    assert "The disk with the output directory was full" in ended.stderr
    assert "Free some space" in ended.stderr
    assert "Traceback" not in ended.stderr
