"""Steps of AstroDrizzle that fail without a message are recorded."""

import numpy as np
import pytest
from astropy.io import fits
from drizzlepac import adrizzle, astrodrizzle, sky
from stsci.skypac import skymatch

from hstmosaic.tasks.upstream.steps import record_steps

pytestmark = pytest.mark.upstream


@pytest.fixture
def recorded(monkeypatch):
    """Records of steps; what they replace is put back."""
    replaced = [(adrizzle, "mergeDQarray"), (astrodrizzle, "AstroDrizzle"), (sky, "_skymatch"), (sky, "skymatch")]
    replaced += [(skymatch, name) for name in ("_overlap_matrix", "_find_optimum_sky_deltas", "_calc_sky")]
    for module, name in replaced:
        monkeypatch.setattr(module, name, getattr(module, name))

    def record(**fakes):
        for name, fake in fakes.items():
            monkeypatch.setattr(astrodrizzle, name, fake)
        return record_steps()

    return record


def test_a_missing_static_mask_is_found(recorded, tmp_path):
    recorder = recorded()
    quality = np.ones((4, 4), dtype=bool)
    fits.PrimaryHDU(np.zeros((4, 4), dtype="i2")).writeto(tmp_path / "a_staticMask.fits")
    adrizzle.mergeDQarray(str(tmp_path / "a_staticMask.fits"), quality)
    assert (recorder.masks, recorder.steps().warnings(), quality.any()) == (1, (), False)
    adrizzle.mergeDQarray("b_staticMask.fits", quality)
    assert [str(warning) for warning in recorder.steps().warnings()] == ["static masks were missing: b_staticMask.fits"]


def test_a_chip_that_is_not_drizzled_is_found(recorded, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    chips = [fits.ImageHDU(np.ones((2, 2)), name="SCI", ver=ver) for ver in (1, 2)]
    fits.HDUList([fits.PrimaryHDU(), *chips]).writeto("x_all-ab_flc.fits")

    def drizzle_one(input, output):
        fits.PrimaryHDU(header=fits.Header({"D001DATA": "x_all-ab_flc.fits[sci,2]"})).writeto(output)

    recorder = recorded(AstroDrizzle=drizzle_one)
    astrodrizzle.AstroDrizzle(input=["x_all-ab_flc.fits"], output="out.fits")
    assert [str(warning) for warning in recorder.steps().warnings()] == ["chips were not drizzled: ab_flc.fits[sci,1]"]
