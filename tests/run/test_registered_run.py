"""Filters whose headers disagree: the run ends with a warning that names them."""

import json

import pytest

from hstmosaic.errors import ExitCode
from hstmosaic.products.manifest import read_manifest
from hstmosaic.products.report_content import verdict
from hstmosaic.products.run_record import read_record
from hstmosaic.run.driver import run_mosaic
from hstmosaic.run.options import RunOptions
from hstmosaic.simulate import simulate_field
from hstmosaic.simulate.request import requested_field

pytestmark = [pytest.mark.upstream, pytest.mark.slow]

PAIR = {"wfc3_uvis_f606w", "wfc3_uvis_f814w"}
CORE = 2.0 * 0.0396
"""FWHM of the core of simulated stars, arcsec."""


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A run with ``-s`` on two visits whose pointing errors are 0.3 arcsec each."""
    folder = tmp_path_factory.mktemp("field")
    cameras = ["wfc3_uvis:F606W:1", "wfc3_uvis:F814W:1"]
    simulate_field(requested_field(cameras=cameras, subarray=(500, 500), pointing_error=0.3), folder)
    options = RunOptions(str(folder / "list.txt"), "foo", skip_alignment=True, output=folder / "out")
    return options, run_mosaic(options, lambda event: None)


def test_filters_that_are_apart_end_the_run_with_a_warning(made):
    _, outcome = made
    assert outcome.exit_code is ExitCode.OK
    (pair,) = outcome.registration
    assert {pair.layer, pair.reference} == PAIR
    assert 2 < pair.distance < 16, "two errors of 7.5 pixels"
    words = f"{pair.layer} and {pair.reference} are {pair.distance:.1f} pixels apart"
    assert words in outcome.warnings
    colour, shown = verdict(read_record(outcome.directory))
    assert (colour, words in shown) == ("warn", True)
    manifest = read_manifest(outcome.output / "foo_manifest.json")
    assert manifest.registration == (pair,)


def test_widths_of_stars_are_in_the_manifest(made):
    _, outcome = made
    raw = json.loads((outcome.output / "foo_manifest.json").read_text())
    assert {item["layer"] for item in raw["stars"]} == PAIR
    # the pixels of the detector and of the mosaic widen stars
    assert all(CORE < item["fwhm_arcsec"] < 1.25 * CORE for item in raw["stars"])


def test_another_start_has_the_same_warning(made):
    options, outcome = made
    assert run_mosaic(options, lambda event: None).warnings == outcome.warnings
