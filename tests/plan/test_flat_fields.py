"""Flat fields that weights by inverse variance need are looked for before anything starts."""

import numpy as np
import pytest
from astropy.io import fits

from helpers.pointed_exposures import Aim, sky_of, write_aimed
from hstmosaic.errors import BadInputError, ExitCode
from hstmosaic.plan.build import make_plan
from hstmosaic.plan.exposures import read_exposure
from hstmosaic.plan.flat_fields import find_missing_flats
from hstmosaic.plan.parameters import DrizzleParameters
from hstmosaic.plan.request import MosaicRequest

WEIGHTS = MosaicRequest(DrizzleParameters.from_dict({"wfc3/ir/f160w": {"final_wht_type": "IVM"}}))
NAME = "iref$flat_pfl.fits"


@pytest.fixture
def exposure(tmp_path):
    path = write_aimed(tmp_path, Aim(*sky_of(1889, 225000, 225000)))
    fits.setval(path, "PFLTFILE", value=NAME)
    return path


def write_flat(folder, extname="SCI"):
    flat = fits.ImageHDU(np.ones((128, 128), np.float32), name=extname)
    fits.HDUList([fits.PrimaryHDU(), flat]).writeto(folder / "flat_pfl.fits")


def problems(exposure, environment, request=WEIGHTS):
    return [str(problem) for problem in find_missing_flats([read_exposure(exposure)], request, environment)]


def test_a_flat_field_that_is_there_is_no_problem(exposure, tmp_path):
    write_flat(tmp_path)
    assert problems(exposure, {"iref": f"{tmp_path}/"}) == []
    fits.setval(exposure, "PFLTFILE", value=str(tmp_path / "flat_pfl.fits"))
    assert problems(exposure, {}) == []


@pytest.mark.parametrize(
    ("value", "variables", "cause"),
    [
        (None, {}, "its primary header has no PFLTFILE"),
        ("N/A", {}, "PFLTFILE names no file"),
        (NAME, {}, f"the variable iref in PFLTFILE={NAME} is not set"),
        (NAME, {"iref": "/none/"}, f"/none/flat_pfl.fits is missing (PFLTFILE={NAME})"),
        (NAME, {"iref": "{folder}"}, "end {folder} with a slash"),
        (NAME, {"iref": "here/"}, "is not an absolute path (here/flat_pfl.fits)"),
    ],
)
def test_a_missing_flat_field_is_named_with_its_keyword(exposure, tmp_path, value, variables, cause):
    write_flat(tmp_path)
    if value is None:
        fits.delval(exposure, "PFLTFILE")
    else:
        fits.setval(exposure, "PFLTFILE", value=value)
    found = problems(exposure, {name: text.format(folder=tmp_path) for name, text in variables.items()})
    assert len(found) == 1
    assert found[0].startswith(f"{exposure}: IVM weights need its flat field, but ")
    assert cause.format(folder=tmp_path) in found[0]


def test_a_flat_field_without_the_chip_is_refused(exposure, tmp_path):
    write_flat(tmp_path, "ERR")
    assert "flat_pfl.fits has no extension SCI,1" in problems(exposure, {"iref": f"{tmp_path}/"})[0]


def test_other_layers_need_no_flat_field(exposure):
    others = MosaicRequest(DrizzleParameters.from_dict({"wfc3/uvis": {"final_wht_type": "IVM"}}))
    assert problems(exposure, {}, others) == []


def test_the_plan_refuses_weights_without_a_flat_field(exposure, monkeypatch):
    monkeypatch.delenv("iref", raising=False)
    with pytest.raises(BadInputError, match="the variable iref in PFLTFILE=") as raised:
        make_plan(str(exposure), request=WEIGHTS)
    assert raised.value.exit_code == ExitCode.BAD_INPUT
