"""Files of layers that were made in boxes equal those of drizzlepac's one call, to the byte."""

import subprocess
import sys
from dataclasses import replace

import pytest

from hstmosaic.plan.build import make_plan
from hstmosaic.plan.parameters import DrizzleParameters
from hstmosaic.plan.request import MosaicRequest, Sky
from hstmosaic.plan.target_grid import TargetGrid
from hstmosaic.run.stages.drizzle_specs import drizzle_spec
from hstmosaic.simulate import Pointing, Visit, build_field, simulate_field, sky_cell_corner
from hstmosaic.store.spec_files import spec_to_json

pytestmark = pytest.mark.upstream

# In a child process: the task changes drizzlepac and works in its current directory.
CHILD = """
import sys
from pathlib import Path
from hstmosaic.store.spec_files import spec_from_json
from hstmosaic.tasks.boxes import layer, own_kernel
from hstmosaic.tasks.drizzle import drizzle
layer.PIXELS = int(sys.argv[2])
if sys.argv[3] == "drizzlepac":
    own_kernel.is_compiled = lambda: False
result = drizzle(spec_from_json(Path(sys.argv[1]).read_text()))
assert result.ok, result.error
"""
HOWS = {
    "whole": (True, 0, "drizzlepac"),
    "one box": (False, 10**9, "drizzlepac"),
    "boxes": (False, 300_000, "own"),
}


class Notes:
    """Records for headers, as a run has them."""

    def keywords(self, used):
        return (("HMTEST", len(used), "number of exposures"),)

    def records(self, used):
        return tuple(f"made of {name}" for name in used)


UVIS = Visit("wfc3_uvis", "F606W", exposures=2, subarray=(500, 400))
INFRARED = Visit("wfc3_ir", "F160W", exposures=1, subarray=(220, 200))
RA, DEC = sky_cell_corner()
TURNED = TargetGrid((620, 700), (350.2, 310.7), (RA, DEC), (-7e-6, 4e-6, 4e-6, 7e-6))
SHRUNK = {"final_pixfrac": 0.7, "final_bits": "336", "final_fillval": 0.0}
CASES = {
    "two exposures of WFC3/UVIS": (UVIS, MosaicRequest()),
    "one exposure of WFC3/IR": (INFRARED, MosaicRequest()),
    "one exposure of ACS/HRC": (Visit("acs_hrc", "F606W", exposures=1), MosaicRequest()),
    "counts of ACS/SBC": (Visit("acs_sbc", "F115LP", exposures=1), MosaicRequest()),
    "grid of an image, compressed, with context": (UVIS, MosaicRequest(grid=TURNED, compress=True, context=True)),
    "parameters and errors at another scale": (
        INFRARED,
        MosaicRequest(DrizzleParameters.from_dict({"": SHRUNK}), Sky.LOCALMIN, scale=0.06, error=True, context=True),
    ),
}


@pytest.fixture(scope="module", params=CASES.values(), ids=CASES.keys())
def products(request, tmp_path_factory):
    """Files of the layer of a visit, by how it was made."""
    visit, options = request.param
    root = tmp_path_factory.mktemp("layer")
    simulate_field(build_field("layer", Pointing(*sky_cell_corner(), 30.0), [visit], seed=3), root / "exposures")
    plan = make_plan(str(root / "exposures" / "list.txt"), request=options)
    (layer,) = plan.layers
    spec = drizzle_spec(plan, layer, layer.exposures, Notes(), {}, {}, "info")
    made = {}
    for how, (whole, pixels, kernel) in HOWS.items():
        folder = root / how
        folder.mkdir()
        spec_file = folder.with_suffix(".json")
        spec_file.write_text(spec_to_json(replace(spec, whole=whole)))
        command = [sys.executable, "-c", CHILD, str(spec_file), str(pixels), kernel]
        run = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        assert run.returncode == 0, run.stdout[-3000:] + run.stderr[-3000:]
        made[how] = {path.name: path.read_bytes() for path in folder.glob("*_dr?.fits")}
    return made


@pytest.mark.parametrize("how", ["one box", "boxes"])
def test_files_are_equal_to_the_byte(products, how):
    assert products[how].keys() == products["whole"].keys() != set()
    for name, content in products["whole"].items():
        assert products[how][name] == content, name
