"""Working copies have finite pixels and whole arrays; exposures are only read."""

import numpy as np
import pytest
from astropy.io import fits

from hstmosaic.store.pixel_repair import FILLED_FLAG, PixelRepair
from hstmosaic.tasks.working_copy import FILLED_KEYWORD, PixelArrayError, fill_values, find_faults, link_exposure

SHAPE = (20, 30)
FIRST, ROW, BORDER = np.s_[0, 0], np.s_[7, :], np.s_[:, -2:]


def exposure(tmp_path, chips=1):
    rng = np.random.default_rng(4)
    hdus = [fits.PrimaryHDU()]
    for ver in range(1, chips + 1):
        hdus += [
            fits.ImageHDU(rng.normal(100, 5, SHAPE).astype("f4"), name="SCI", ver=ver),
            fits.ImageHDU(rng.uniform(1, 2, SHAPE).astype("f4"), name="ERR", ver=ver),
            fits.ImageHDU(np.zeros(SHAPE, "i2"), name="DQ", ver=ver),
        ]
    path = tmp_path / "data" / "icab01a0q_flc.fits"
    path.parent.mkdir()
    fits.HDUList(hdus).writeto(path)
    return path


def change(path, **values):
    """Set pixels: ``SCI=(where, value)``."""
    with fits.open(path, mode="update") as hdus:
        for name, (where, value) in values.items():
            hdus[name].data[where] = value


def make_constant(path, name, value=0, **cards):
    """Replace an array by one value, as calacs and calwf3 do."""
    with fits.open(path) as hdus:
        constant = fits.ImageHDU(header=hdus[name].header.copy())
        constant.data = None
        constant.header["BITPIX"] = 16
        constant.header.update({"NPIX1": SHAPE[1], "NPIX2": SHAPE[0], "PIXVALUE": value} | cards)
        for card in [key for key, given in cards.items() if given is None]:
            del constant.header[card]
        hdus[hdus.index_of(name)] = constant
        rest = [hdu.copy() for hdu in hdus]
    fits.HDUList(rest).writeto(path, overwrite=True)


@pytest.fixture
def here(tmp_path, monkeypatch):
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def arrays(path):
    with fits.open(path) as hdus:
        return {(hdu.name, hdu.ver): hdu.data.copy() for hdu in hdus[1:]}


def test_a_sound_exposure_is_linked(tmp_path, here):
    path = exposure(tmp_path)
    assert link_exposure(path) == PixelRepair()
    assert (here / path.name).is_symlink()


@pytest.mark.parametrize("where", [FIRST, ROW, BORDER], ids=["first pixel", "row", "border"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", ["SCI", "ERR"])
@pytest.mark.parametrize("flags", [0, 4, 64])
def test_pixels_that_are_not_finite_are_flagged_and_filled(tmp_path, here, where, value, name, flags):
    path = exposure(tmp_path)
    change(path, **{name: (where, value), "DQ": (where, flags)})
    before, content = arrays(path), path.read_bytes()
    bad = np.zeros(SHAPE, bool)
    bad[where] = True
    assert link_exposure(path) == PixelRepair(not_finite={f"{name},1": np.count_nonzero(bad)})
    assert path.read_bytes() == content
    after = arrays(here / path.name)
    assert np.isfinite(after[name, 1]).all()
    np.testing.assert_array_equal(after["DQ", 1], np.where(bad, flags | FILLED_FLAG, 0))
    for other in ("SCI", "ERR"):
        np.testing.assert_array_equal(after[other, 1][~bad], before[other, 1][~bad])
    assert fits.getval(here / path.name, FILLED_KEYWORD, ("DQ", 1)) == np.count_nonzero(bad)
    assert not find_faults(here / path.name).needed


def test_only_the_chip_with_the_fault_is_changed(tmp_path, here):
    path = exposure(tmp_path, chips=2)
    change(path, **{"SCI": (ROW, np.nan)})
    before = arrays(path)
    link_exposure(path)
    after = arrays(here / path.name)
    for name in ("SCI", "ERR", "DQ"):
        np.testing.assert_array_equal(after[name, 2], before[name, 2])


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("name", ["SCI", "ERR"])
def test_a_chip_without_finite_pixels_is_named(tmp_path, here, value, name):
    path = exposure(tmp_path, chips=2)
    with fits.open(path, mode="update") as hdus:
        hdus[name, 2].data[:] = value
    assert link_exposure(path).blank == ("SCI,2",)
    assert np.isfinite(arrays(here / path.name)[name, 2]).all()


@pytest.mark.parametrize(("name", "value", "dtype"), [("DQ", 0, ">i2"), ("DQ", 16, ">i2"), ("ERR", 1.5, ">f4")])
def test_constant_arrays_are_expanded(tmp_path, here, name, value, dtype):
    path = exposure(tmp_path)
    make_constant(path, name, value)
    content = path.read_bytes()
    assert link_exposure(path) == PixelRepair(constant=(f"{name},1",))
    assert path.read_bytes() == content
    with fits.open(here / path.name) as hdus:
        assert hdus[name].data.dtype == np.dtype(dtype)
        np.testing.assert_array_equal(hdus[name].data, np.full(SHAPE, value))
        assert not {"NPIX1", "NPIX2", "PIXVALUE"} & set(hdus[name].header)


def test_pixels_are_flagged_in_an_array_that_was_constant(tmp_path, here):
    path = exposure(tmp_path)
    make_constant(path, "DQ")
    change(path, SCI=(FIRST, np.nan))
    assert link_exposure(path) == PixelRepair(not_finite={"SCI,1": 1}, constant=("DQ,1",))
    flags = arrays(here / path.name)["DQ", 1]
    assert flags[0, 0] == FILLED_FLAG
    assert np.count_nonzero(flags) == 1


@pytest.mark.parametrize(
    ("cards", "cause"),
    [({"NPIX1": None}, "DQ,1 has no pixels"), ({"NPIX1": 12}, "DQ,1 stands for 12 x 20 pixels, .* has 30 x 20")],
)
def test_an_array_that_stands_for_no_pixels_is_an_error(tmp_path, here, cards, cause):
    path = exposure(tmp_path)
    make_constant(path, "DQ", **cards)
    with pytest.raises(PixelArrayError, match=cause):
        link_exposure(path)


def test_filled_pixels_have_the_distribution_of_good_ones():
    good = np.concatenate([np.random.default_rng(2).normal(100, 5, 9000), np.full(50, 1e5), np.full(50, -1e5)])
    filled = fill_values(good, 20_000)
    assert filled[0] == pytest.approx(100, abs=0.5), "one pixel gets the median"
    assert np.mean(filled) == pytest.approx(100, abs=0.2)
    assert np.std(filled) == pytest.approx(5, rel=0.03)
    assert np.abs(filled - 100).max() < 16
    assert set(filled) <= set(good)


def test_what_a_repair_says():
    repair = PixelRepair({"SCI,1": 1, "ERR,1": 20}, ("DQ,2",))
    assert str(repair) == ("1 pixel of SCI,1, 20 pixels of ERR,1 not finite, flagged 2 in DQ; constant DQ,2 expanded")
