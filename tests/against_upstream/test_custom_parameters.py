"""Mosaics with drizzle parameters of the user are those of drizzlepac with its own configuration file, bit for bit."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from astropy.io import fits

from hstmosaic.plan.build import make_plan
from hstmosaic.plan.parameters import DrizzleParameters
from hstmosaic.plan.pollers import poller_text
from hstmosaic.plan.request import MosaicRequest, Sky
from hstmosaic.run.driver import run_mosaic
from hstmosaic.run.options import RunOptions
from hstmosaic.simulate import Pointing, Visit, build_field, simulate_field, sky_cell_corner

pytestmark = pytest.mark.upstream

HELPERS = Path(__file__).parents[1]
CHANGED = {"final_pixfrac": 0.7, "final_kernel": "gaussian", "final_bits": "336", "final_wht_type": "ERR"}
REQUEST = MosaicRequest(DrizzleParameters.from_dict({"wfc3/uvis": CHANGED}), Sky.LOCALMIN)


@pytest.fixture(scope="module")
def mosaics(tmp_path_factory):
    """The mosaic of hstmosaic and that of drizzlepac."""
    folder, ours = tmp_path_factory.mktemp("upstream"), tmp_path_factory.mktemp("ours")
    visits = [Visit("wfc3_uvis", "F606W", subarray=(300, 300))]
    simulate_field(build_field("small", Pointing(*sky_cell_corner(), 30.0), visits, seed=5, dither=1.0), folder)
    source = str(folder / "list.txt")
    options = RunOptions(
        source=source, skip_alignment=True, output=ours, prefix="foo", request=REQUEST, screening="drizzlepac"
    )
    outcome = run_mosaic(options, lambda event: None)
    assert outcome.exit_code == 0
    plan = make_plan(source, prefix="foo")
    (folder / "poller.out").write_text(poller_text(plan.exposures, plan.corner_sky_cell, linked=True))
    parameters = {"wfc3_uvis_f606w": CHANGED | {"skymethod": "localmin", "skysub": True}}
    subprocess.run(
        [
            sys.executable,
            "-m",
            "helpers.upstream_parameters",
            "poller.out",
            "foo",
            json.dumps(plan.tight_limits.as_list()),
            json.dumps(parameters),
        ],
        cwd=folder,
        check=True,
        capture_output=True,
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(HELPERS)},
    )
    name = plan.layers[0].products[0].name
    return ours / name, folder / name


def test_pixels_are_those_of_drizzlepac_with_the_same_parameters(mosaics):
    with fits.open(mosaics[0]) as ours, fits.open(mosaics[1]) as theirs:
        for extension in ("SCI", "WHT"):
            assert ours[extension].data.tobytes() == theirs[extension].data.tobytes()
        assert (ours["WHT"].data > 0).any()


def test_headers_record_the_parameters(mosaics):
    header, theirs = (fits.getheader(path) for path in mosaics)
    assert (header["D001KERN"], header["D001PIXF"]) == ("gaussian", 0.7)
    # the factor of the weights, which drizzlepac takes from errors
    assert header["D001WTSC"] == theirs["D001WTSC"] > 0
