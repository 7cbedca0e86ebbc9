"""Mosaics with drizzle parameters of the user are those of drizzlepac with its own configuration file, bit for bit."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
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
LAYERS = {
    "f606w": {"final_pixfrac": 0.7, "final_kernel": "gaussian", "final_bits": "336", "final_wht_type": "ERR"},
    "f275w": {"final_kernel": "point", "final_wht_type": "IVM"},
    "f336w": {"final_kernel": "turbo", "final_pixfrac": 0.8},
    "f438w": {"final_kernel": "square", "final_wht_type": "IVM"},
    "f814w": {"final_kernel": "lanczos3", "final_fillval": 0.0, "final_wht_type": "EXP"},
}
"""Parameters by filter: all kernels and all weights."""
REQUEST = MosaicRequest(
    DrizzleParameters.from_dict({f"wfc3/uvis/{name}": values for name, values in LAYERS.items()}), Sky.LOCALMIN
)
SHAPE = (200, 200)


def write_flats(folder: Path) -> None:
    """Write a flat field, and name it in the exposures of layers that need one."""
    pixels = np.random.default_rng(3).normal(1, 0.05, SHAPE).astype(np.float32)
    fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(pixels, name="SCI")]).writeto(folder / "flat_pfl.fits")
    for path in folder.glob("*_flc.fits"):
        if LAYERS[fits.getval(path, "FILTER").lower()].get("final_wht_type") == "IVM":
            fits.setval(path, "PFLTFILE", value="iref$flat_pfl.fits")


@pytest.fixture(scope="module")
def mosaics(tmp_path_factory):
    """The folders of the mosaics of hstmosaic and of those of drizzlepac, and their names by filter."""
    folder, ours = tmp_path_factory.mktemp("upstream"), tmp_path_factory.mktemp("ours")
    visits = [Visit("wfc3_uvis", name.upper(), exposures=2, subarray=SHAPE) for name in LAYERS]
    simulate_field(build_field("small", Pointing(*sky_cell_corner(), 30.0), visits, seed=5, dither=1.0), folder)
    write_flats(folder)
    source = str(folder / "list.txt")
    options = RunOptions(
        source=source, skip_alignment=True, output=ours, prefix="foo", request=REQUEST, screening="drizzlepac"
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("iref", f"{folder}/")
        outcome = run_mosaic(options, lambda event: None)
        assert outcome.exit_code == 0, outcome.failures
        plan = make_plan(source, prefix="foo")
        (folder / "poller.out").write_text(poller_text(plan.exposures, plan.corner_sky_cell, linked=True))
        sky = {"skymethod": "localmin", "skysub": True}
        parameters = {f"wfc3_uvis_{name}": values | sky for name, values in LAYERS.items()}
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
    return ours, folder, {layer.filter: layer.products[0].name for layer in plan.layers}


@pytest.mark.parametrize("layer", LAYERS)
def test_pixels_are_those_of_drizzlepac_with_the_same_parameters(mosaics, layer):
    ours, theirs, names = mosaics
    with fits.open(ours / names[layer]) as one, fits.open(theirs / names[layer]) as other:
        for extension in ("SCI", "WHT"):
            assert one[extension].data.tobytes() == other[extension].data.tobytes()
        assert (one["WHT"].data > 0).any()
        assert one[0].header["D001KERN"] == LAYERS[layer]["final_kernel"]
        # drizzlepac takes 1 for a flat field that it does not find
        assert not [record for record in one[0].header["HISTORY"] if "flat field" in record]


def test_headers_record_the_parameters(mosaics):
    ours, theirs, names = mosaics
    header, expected = (fits.getheader(folder / names["f606w"]) for folder in (ours, theirs))
    assert header["D001PIXF"] == 0.7
    # the factor of the weights, which drizzlepac takes from errors
    assert header["D001WTSC"] == expected["D001WTSC"] > 0
