"""A layer whose process is killed fails alone, and the next run makes only that layer."""

import os
import shutil
import signal
import threading
import time
from dataclasses import dataclass

import pytest
from astropy.io import fits

from hstmosaic.errors import ExitCode
from hstmosaic.plan.names import report_name
from hstmosaic.run.driver import run_mosaic
from hstmosaic.run.node.zygote import shared_zygote
from hstmosaic.run.options import RunOptions
from hstmosaic.run.outcome import Outcome

pytestmark = pytest.mark.upstream

VICTIM = "wfc3_uvis_f814w"
OTHERS = {"wfc3_uvis_f606w", "wfc3_ir_f160w"}


class Killer:
    """Kills the processes of one layer's task as soon as it has one."""

    def __init__(self):
        self.events = []

    def __call__(self, event):
        self.events.append(event)
        if event.kind == "drizzling" and event.data["layer"] == VICTIM:
            threading.Thread(target=self.kill).start()

    def kill(self):
        """Kill both attempts: a task that was killed runs once more alone, as memory may have been short."""
        deadline, killed = time.monotonic() + 120, set()
        while time.monotonic() < deadline and len(killed) < 2:
            for folder, pid in list(shared_zygote().pids.items()):
                if folder.endswith(f"drizzle-{VICTIM}") and pid not in killed:
                    os.kill(pid, signal.SIGKILL)
                    killed.add(pid)
            time.sleep(0.01)
        assert len(killed) == 2, "the task did not start twice"


@dataclass(frozen=True)
class Runs:
    """A run that lost a layer, and the next one."""

    options: RunOptions
    first: Outcome
    first_events: list
    appeared: list
    """Names of the files after the first run."""
    times: dict
    """Times of change of its mosaics."""
    failed: str
    """Text of its failures."""
    second: Outcome
    second_events: list


@pytest.fixture(scope="module")
def runs(simulated, tmp_path_factory):
    folder = tmp_path_factory.mktemp("killed")
    options = RunOptions(source=str(simulated.demo(400).list), skip_alignment=True, output=folder / "out")
    killer = Killer()
    first = run_mosaic(options, killer)
    shutil.copy(options.output / report_name(first.plan.prefix), folder / "first_report.html")
    appeared = sorted(path.name for path in options.output.iterdir() if path.is_file())
    failed = (first.directory / "failures.txt").read_text()
    times = {path.name: path.stat().st_mtime_ns for path in options.output.glob("*_dr?.fits")}
    events = []
    second = run_mosaic(options, events.append)
    return Runs(options, first, killer.events, appeared, times, failed, second, events)


def test_the_failure_is_reported(runs):
    first, events, failed = runs.first, runs.first_events, runs.failed
    assert first.exit_code is ExitCode.LAYER_FAILED
    (failure,) = first.failures
    assert failure.layer == VICTIM
    assert "SIGKILL" in failure.cause
    assert failure.log.endswith(f"drizzle-{VICTIM}/log.txt")
    summary = [event.message for event in events if event.level == "error"]
    assert any(VICTIM in line and "log" in line for line in summary)
    assert f"{VICTIM} was not made. The task's process was killed" in failed
    assert "max-memory" in failed


def test_the_failure_is_in_the_report(runs):
    report = (runs.options.output.parent / "first_report.html").read_text()
    assert "1 of 3 layers failed" in report
    failed = report.split("Failures</h2>")[1].split("</section>")[0]
    assert "WFC3/UVIS F814W" in failed
    assert "Next step:" in failed
    assert "SIGKILL" in failed
    of_field, of_layer = {"footprints", "depth"}, {"image", "weights", "counts", "seams"}
    pictures = len(of_field) + len(of_layer) * len(OTHERS)
    assert report.count("data:image/webp") == pictures, "a picture of what was not made, or one too few"


def test_the_other_layers_are_whole(runs):
    made = {layer.name: layer for layer in runs.first.plan.layers if layer.name in OTHERS}
    assert made.keys() == OTHERS
    for layer in made.values():
        for product in layer.products:
            assert {product.name, product.trailer} <= set(runs.appeared)
            with fits.open(runs.options.output / product.name) as hdus:
                assert hdus["SCI"].shape == product.grid.shape


def test_nothing_of_the_broken_layer_looks_finished(runs):
    assert not [name for name in runs.appeared if VICTIM in name]


def test_the_second_run_makes_only_that_layer(runs):
    options, events, second = runs.options, runs.second_events, runs.second
    assert second.exit_code is ExitCode.OK
    assert {event.data["layer"] for event in events if event.kind == "drizzling"} == {VICTIM}
    assert {event.data["layer"] for event in events if event.kind == "reused"} == OTHERS
    assert not [event for event in events if event.kind == "screened" and event.data["measured"]]
    for name, changed in runs.times.items():
        assert (options.output / name).stat().st_mtime_ns == changed
    assert list(options.output.glob(f"*{VICTIM}_all_drc.fits"))
    manifest = (options.output / f"{second.plan.prefix}_manifest.txt").read_text()
    assert VICTIM in manifest
    assert not (runs.first.directory / "failures.txt").exists()
