"""Products are those of one drizzlepac process over all layers, bit for bit."""

import gzip
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from helpers.own_records import without_own
from hstmosaic.run.driver import run_mosaic
from hstmosaic.run.options import RunOptions
from hstmosaic.simulate import Pointing, Visit, build_field, corner_field, simulate_field, sky_cell_corner

pytestmark = pytest.mark.upstream

TESTS = Path(__file__).parents[1]
REAL = TESTS.parents[1] / "shared" / "data" / "goods-s"

DIFFERENT = {"DATE": "the day of the run, which may end between the two"}
"""Keywords that may differ, with the reason."""


def real_exposures(folder: Path) -> None:
    if not REAL.is_dir():
        pytest.skip("the real GOODS-S exposures are not beside this checkout")
    for packed in sorted(REAL.glob("*_flt.fits.gz")):
        with gzip.open(packed) as source, (folder / packed.stem).open("wb") as target:
            shutil.copyfileobj(source, target)


def simulated_exposures(folder: Path) -> None:
    simulate_field(corner_field(subarray=(900, 900), seed=11), folder)


def small_detectors(folder: Path) -> None:
    """Layers of ACS/HRC and ACS/SBC, the latter with a filter whose parameters drizzlepac finds."""
    visits = [Visit("acs_hrc", "F606W", exposures=3), Visit("acs_sbc", "F115LP")]
    simulate_field(build_field("small", Pointing(*sky_cell_corner(), 30.0), visits, seed=5), folder)


FIELDS = {"goods-s": real_exposures, "sky cell corner": simulated_exposures, "ACS/HRC and ACS/SBC": small_detectors}


@pytest.fixture(scope="module", params=FIELDS.values(), ids=FIELDS.keys())
def mosaics(request, tmp_path_factory):
    """Directories of both runs on the same exposures."""
    upstream = tmp_path_factory.mktemp("upstream")
    ours = tmp_path_factory.mktemp("ours")
    request.param(upstream)
    names = sorted(path.name for path in upstream.glob("*_fl?.fits"))
    listed = upstream / "names.txt"
    listed.write_text("\n".join(names) + "\n")
    before = {name: (upstream / name).read_bytes() for name in names}
    outcome = run_mosaic(
        RunOptions(source=str(listed), skip_alignment=True, output=ours, screening="drizzlepac"), lambda event: None
    )
    assert {name: (upstream / name).read_bytes() for name in names} == before, "originals were written to"
    command = [sys.executable, str(TESTS / "helpers" / "upstream_perform.py"), listed.name, outcome.plan.prefix]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    subprocess.run(command, cwd=upstream, check=True, capture_output=True, env=environment)
    return upstream, ours, outcome


def products(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("*_dr?.fits"))


def test_every_product_is_made(mosaics):
    upstream, ours, outcome = mosaics
    assert products(ours) == products(upstream) != []
    assert products(ours) == sorted(product.name for layer in outcome.plan.layers for product in layer.products)


def test_pixels_are_equal_bit_for_bit(mosaics):
    upstream, ours, _ = mosaics
    for name in products(upstream):
        with fits.open(upstream / name) as theirs, fits.open(ours / name) as made:
            for extension in ("SCI", "WHT"):
                assert made[extension].shape == theirs[extension].shape
                assert made[extension].data.tobytes() == theirs[extension].data.tobytes(), (name, extension)
            assert np.count_nonzero(made["WHT"].data) > 0


def test_headers_are_equal(mosaics):
    upstream, ours, _ = mosaics
    for name in products(upstream):
        with fits.open(upstream / name) as theirs, fits.open(ours / name) as made:
            assert [hdu.name for hdu in made] == [hdu.name for hdu in theirs]
            for left, right in zip(made, theirs, strict=True):
                assert left.header["CHECKSUM"] != ""
                difference = fits.HeaderDiff(without_own(left.header), right.header, ignore_keywords=list(DIFFERENT))
                assert difference.identical, f"{name}[{left.name}]\n{difference.report()}"


def test_exposure_tables_are_equal(mosaics):
    upstream, ours, _ = mosaics
    for name in products(upstream):
        with fits.open(upstream / name) as theirs, fits.open(ours / name) as made:
            assert made["HDRTAB"].data.tobytes() == theirs["HDRTAB"].data.tobytes()


def test_manifest_lists_what_upstream_lists(mosaics):
    upstream, ours, outcome = mosaics
    (theirs,) = upstream.glob("*_manifest.txt")
    assert (ours / f"{outcome.plan.prefix}_manifest.txt").read_text().split() == theirs.read_text().split()


def test_screening_gives_upstreams_verdicts(mosaics):
    upstream, _, outcome = mosaics
    dropped = {exclusion.name.split("_")[0][:8] for exclusion in outcome.left_out}
    for name in products(upstream):
        with fits.open(upstream / name) as theirs:
            drizzled = {str(value) for value in theirs[0].header["D*DATA"].values()}
            assert not any(root in text for root in dropped for text in drizzled)
