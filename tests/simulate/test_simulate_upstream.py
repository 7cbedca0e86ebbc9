"""Simulated exposures go through the real multi-visit processing and come out where they should."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from astropy.wcs import WCS

from hstmosaic.simulate import demo_field, simulate_field

# In a child process: drizzlepac shuts logging down and writes into the working directory.
CHILD = """
import json, sys
from drizzlepac import make_custom_mosaic
from drizzlepac.haputils.analyze import verify_guiding
verdicts = {name: bool(verify_guiding(name)) for name in sys.argv[1:]}
value = make_custom_mosaic.perform("list.txt", skip_gaia_alignment=True)
with open("answer.json", "w") as answer:
    json.dump({"value": value, "bad_guiding": verdicts}, answer)
"""


def centroid(image, x, y, half=4):
    """Centroid of a star near (x, y), weighted by a Gaussian that follows it."""
    fx, fy = x, y
    dy, dx = np.mgrid[round(y) - half : round(y) + half + 1, round(x) - half : round(x) + half + 1].astype(float)
    stamp = image[dy.astype(int), dx.astype(int)]
    for _ in range(20):
        weight = stamp * np.exp(-((dx - fx) ** 2 + (dy - fy) ** 2) / 4)
        fx += 1.5 * ((weight * dx).sum() / weight.sum() - fx)
        fy += 1.5 * ((weight * dy).sum() / weight.sum() - fy)
    return fx, fy


@pytest.mark.upstream
def test_upstream_makes_mosaics_with_stars_at_their_true_positions(tmp_path):
    field = demo_field(subarray=(500, 500), infrared=(192, 192), trailed=[1])
    paths = simulate_field(field, tmp_path / "exposures")
    work = tmp_path / "work"
    work.mkdir()
    for path in [*paths, paths[0].with_name("list.txt")]:
        shutil.copy(path, work)
    run = subprocess.run(
        [sys.executable, "-c", CHILD, paths[0].name, paths[1].name],
        cwd=work, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stdout[-3000:] + run.stderr[-3000:]
    answer = json.loads((work / "answer.json").read_text())
    assert answer["value"] == 0
    assert answer["bad_guiding"] == {paths[0].name: False, paths[1].name: True}

    products = {path.name.split("_", 2)[2]: path for path in work.glob("hst_skycell*_dr?.fits")}
    assert set(products) == {
        "wfc3_uvis_f606w_all_drc.fits",
        "wfc3_uvis_f814w_all_drc.fits",
        "wfc3_ir_f160w_all_drz.fits",
        "wfc3_ir_f160w_coarse-all_drz.fits",
    }
    with fits.open(products["wfc3_uvis_f814w_all_drc.fits"]) as hdus:
        image = hdus["SCI"].data - np.nanmedian(hdus["SCI"].data)
        wcs = WCS(hdus["SCI"].header)
    truth = Table.read(paths[0].with_name("truth.ecsv"))
    x, y = wcs.all_world2pix(truth["ra"], truth["dec"], 0)
    flux = np.asarray(truth["flux_wfc3_uvis_f814w"])
    distances = []
    for k in np.flatnonzero((truth["kind"] == "star") & (flux > 4)):
        crowd = (np.hypot(x - x[k], y - y[k]) < 15) & (flux > 0.003 * flux[k])
        inside = 10 < x[k] < image.shape[1] - 10 and 10 < y[k] < image.shape[0] - 10
        if crowd.sum() == 1 and inside and np.isfinite(image[round(y[k]), round(x[k])]):
            fx, fy = centroid(image, x[k], y[k])
            distances.append(np.hypot(fx - x[k], fy - y[k]))
    distances = np.array(distances)[np.isfinite(distances)]
    assert len(distances) >= 5
    assert np.median(distances) < 0.05
