"""What a file is, is found out once, and again when the file has changed."""

import numpy as np
import pytest
from astropy.io import fits
from stsci.tools import fileutil

from hstmosaic.tasks.exact.footprints import outlines
from hstmosaic.tasks.exact.opened import remember_file_types

pytestmark = pytest.mark.upstream


@pytest.fixture
def looked(monkeypatch):
    """Names of the files that the original looks into."""
    found, original = [], fileutil.isFits
    monkeypatch.setattr(fileutil, "isFits", lambda file: found.append(file) or original(file))
    remember_file_types()
    return found


def test_types_are_those_of_the_original(tmp_path, monkeypatch, looked):
    monkeypatch.chdir(tmp_path)
    extended = fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(np.ones((3, 3)))])
    extended.writeto("extended.fits")
    fits.PrimaryHDU(np.ones((3, 3))).writeto("simple.fits")
    fits.HDUList([fits.PrimaryHDU(np.ones((2, 3, 3))), fits.TableHDU()]).writeto("waiver.fits")
    (tmp_path / "text.txt").write_text("text")
    names = ["extended.fits", "simple.fits", "waiver.fits", "text.txt", "missing.txt"]
    expected = [(True, "mef"), (True, "simple"), (True, "waiver"), (False, None), (False, None)]
    for _ in range(3):
        assert [fileutil.isFits(name) for name in names] == expected
    assert looked == [*names, "missing.txt", "missing.txt"]
    assert fileutil.isFits(extended) == (True, "mef")
    with pytest.raises(OSError, match="missing"):
        fileutil.isFits("missing.fits")


def test_a_file_that_changed_is_looked_into_again(tmp_path, monkeypatch, looked):
    monkeypatch.chdir(tmp_path)
    fits.PrimaryHDU(np.ones((3, 3))).writeto("one.fits")
    assert fileutil.isFits("one.fits") == (True, "simple")
    fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(np.ones((90, 90)))]).writeto("one.fits", overwrite=True)
    assert fileutil.isFits("one.fits") == (True, "mef")
    assert looked == ["one.fits"] * 2


def test_outlines_follow_the_header(simulated, tmp_path):
    from stwcs.wcsutil import HSTWCS

    path = simulated.demo(300).copy_to(tmp_path).paths[0]
    with fits.open(path) as hdus:
        mosaic = HSTWCS(hdus, ext=("SCI", 1)).deepcopy()
    first = list(outlines([str(path)], mosaic, "EXPTIME"))
    again = list(outlines([str(path)], mosaic, "EXPTIME"))
    np.testing.assert_array_equal(first[0][0], again[0][0])
    with fits.open(path, mode="update") as hdus:
        hdus["SCI", 1].header["CRPIX1"] += 20
        hdus[0].header["EXPTIME"] = 1.5
    moved = list(outlines([str(path)], mosaic, "EXPTIME"))
    assert moved[0][2] == 1.5
    assert not np.array_equal(moved[0][0], first[0][0])
