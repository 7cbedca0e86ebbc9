"""Pixels that can be read again are not held in memory, and are the same when they are read again."""

from types import SimpleNamespace

import numpy as np
import pytest
from astropy.io import fits
from drizzlepac import imageObject, sky, wfc3Data

from hstmosaic.simulate import Pointing, Visit, build_field, simulate_field, sky_cell_corner
from hstmosaic.tasks.upstream import held_pixels

pytestmark = pytest.mark.upstream


@pytest.fixture
def image(tmp_path, monkeypatch):
    """An exposure as drizzlepac has it, which forgets its pixels."""
    visit = Visit("wfc3_uvis", "F606W", exposures=1, subarray=(300, 300))
    (path,) = simulate_field(build_field("one", Pointing(*sky_cell_corner(), 30.0), [visit]), tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(imageObject.baseImageObject, "getData", imageObject.baseImageObject.getData)
    held_pixels._forget_extensions()
    image = wfc3Data.WFC3UVISInputImage(path.name)
    file = image._image
    yield image
    file.close()


@pytest.mark.parametrize(("extension", "closed"), [("SCI", False), ("SCI", True), ("DQ", False)])
def test_pixels_are_read_again_and_not_held(image, extension, closed):
    expected = fits.getdata(image._filename, (extension, 1))
    header = image._image[extension, 1].header.copy()
    if closed:
        index = image._interpretExten(f"{extension},1")
        image.close()
        image._interpretExten = lambda _: index  # drizzlepac looks extensions up by headers, which are closed, too
    for _ in range(2):
        np.testing.assert_array_equal(image.getData(f"{extension},1"), expected)
    place = image._image[index] if closed else image._image[extension, 1]
    assert place.__dict__.get("data") is None
    if not closed:
        assert place.header.tostring() == header.tostring()


def test_pixels_that_were_changed_stay(image):
    image._image["SCI", 1].data = changed = np.ones((300, 300), np.float32)
    assert image.getData("SCI,1") is changed is image.getData("SCI,1")


class Chip(SimpleNamespace):
    """A chip of sky matching that tells whether its pixels are in memory."""

    __hash__ = object.__hash__

    @property
    def image_data(self):
        self.read = True
        return np.zeros(self.size, np.uint8)

    def free_image_data(self):
        self.read = False


def test_the_chips_that_were_used_last_are_held():
    chips, held = [Chip(size=size, read=False) for size in (40, 40, 40, 500)], held_pixels.HeldChips(100)
    for used, expected in [(0, [0]), (1, [0, 1]), (0, [0, 1]), (2, [0, 2]), (3, [3]), (1, [1])]:
        held.hold(chips[used])
        assert [at for at, chip in enumerate(chips) if chip.read] == expected
    held.forget()
    held.hold(chips[0])
    assert chips[1].read, "its file is closed"


def test_masks_of_sky_matching_are_read_when_they_are_needed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sky, "temp_mask_file", sky.temp_mask_file)
    held_pixels._forget_masks()
    expected = np.random.default_rng(2).integers(0, 2, (40, 50)).astype(np.uint8)
    name, mask = sky.temp_mask_file(
        expected, "root", prefix="", suffix="skymatch_mask", ext=("SCI", 1), randomize_prefix=False
    )
    assert (tmp_path / name).is_file()
    assert "data" not in mask.hdu[0].__dict__
    np.testing.assert_array_equal(mask.hdu[0].data, expected)
    mask.release()
