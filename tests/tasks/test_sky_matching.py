"""Skies of overlapping exposures are matched; where that crashes, drizzlepac subtracts each exposure's own sky."""

import inspect
import subprocess
import sys

import pytest


def test_skypac_calls_what_spherical_geometry_1_4_dropped():
    """Why spherical_geometry stays below 1.4."""
    from stsci.skypac import skymatch

    assert "iter_polygons_flat" in inspect.getsource(skymatch), "see whether spherical_geometry may be 1.4 now"


@pytest.mark.upstream
@pytest.mark.slow
def test_overlapping_exposures_are_matched(tmp_path):
    def hstmosaic(*arguments):
        subprocess.run([sys.executable, "-m", "hstmosaic.cli", *map(str, arguments)], check=True)

    hstmosaic("simulate", tmp_path / "field", "--camera", "wfc3_uvis:F606W:3", "--subarray", "400", "400")
    hstmosaic("run", tmp_path / "field/list.txt", "-s", "-o", "x", "--no-learning", "--output-dir", tmp_path / "out")
    trailer = (tmp_path / "out/x_wfc3_uvis_f606w_all_trl.txt").read_text()
    assert "Reverting sky computation" not in trailer
    assert "skymatch ended" in trailer
