"""The self-test finds steps that a mosaic does not show."""

import subprocess
import sys

import pytest

pytestmark = [pytest.mark.upstream, pytest.mark.slow]

STEPS = ("self-test", "sky matching", "static mask", "drizzle", "header refinement")

DROPPED_METHOD = """
from spherical_geometry.polygon import SphericalPolygon
del SphericalPolygon.iter_polygons_flat
"""
LOST_MASKS = """
from drizzlepac import staticMask
staticMask.staticMask.saveToFile = lambda *_: None
"""
WRONG_SKY = """
from stsci.skypac.skystatistics import SkyStats
calc_sky = SkyStats.calc_sky
SkyStats.calc_sky = lambda *a: tuple(value * 1.1 for value in calc_sky(*a))
"""


def self_test(folder, patch=""):
    """Run the self-test with code that every Python process runs at its start."""
    (folder / "sitecustomize.py").write_text(patch)
    command = [sys.executable, "-m", "hstmosaic.cli", "doctor", "--self-test"]
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(folder)}
    ended = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    findings = [line.split(maxsplit=1) for line in ended.stdout.splitlines()]
    return ended.returncode, {words.split(":")[0]: mark for mark, words in findings}, ended.stdout


def test_every_step_runs(tmp_path):
    code, findings, shown = self_test(tmp_path)
    assert code == 0, shown
    assert findings == dict.fromkeys(STEPS, "ok")


@pytest.mark.parametrize(
    ("patch", "faults"),
    [
        (DROPPED_METHOD + LOST_MASKS, {"sky matching", "static mask", "fallback"}),
        (WRONG_SKY, {"sky matching"}),
    ],
)
def test_a_step_that_does_not_run_is_found(tmp_path, patch, faults):
    code, findings, shown = self_test(tmp_path, patch)
    assert code == 9, shown
    assert {step for step, mark in findings.items() if mark != "ok"} == faults, shown
