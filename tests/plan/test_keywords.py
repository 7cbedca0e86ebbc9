"""Keywords that drizzlepac needs are missing, or their values are useless: the plan names file and keyword."""

from __future__ import annotations

import pytest
from astropy.io import fits

from helpers.exposure_files import write_exposure
from hstmosaic.errors import BadInputError
from hstmosaic.plan.build import make_plan
from hstmosaic.plan.exposures import read_exposure
from hstmosaic.plan.keywords import find_header_faults, required_keywords
from hstmosaic.simulate import simulate_field
from hstmosaic.simulate.request import requested_field

CAMERAS = {"uvis": "wfc3_uvis:F606W:1", "ir": "wfc3_ir:F160W:1", "wfc": "acs_wfc:F814W:1"}
"""Cameras that can be simulated, by detector."""


def removals(detector):
    """Each required keyword of a detector with the extension that it is taken out of."""
    required = required_keywords(detector)
    science = (*required.first, *required.science, *required.distorted)
    return [(0, key) for key in required.primary] + [(1, key) for key in science]


def written(folder, detector, **changes):
    letter = "i" if detector in {"uvis", "ir"} else "j"
    return write_exposure(folder, f"{letter}cab01a0q_flt.fits", detector=detector, **changes)


@pytest.fixture(scope="module")
def simulated(tmp_path_factory):
    """Folder of one simulated exposure for each camera."""
    folder = tmp_path_factory.mktemp("simulated")
    for detector, camera in CAMERAS.items():
        simulate_field(requested_field(cameras=(camera,), subarray=(40, 40)), folder / detector)
    return folder


@pytest.mark.parametrize(
    ("detector", "extension", "keyword"),
    [(detector, *removal) for detector in CAMERAS for removal in removals(detector)],
)
def test_plan_refuses_without_keyword(simulated, tmp_path, detector, extension, keyword):
    (source,) = (simulated / detector).glob("*_fl?.fits")
    path = tmp_path / source.name
    path.write_bytes(source.read_bytes())
    make_plan([str(path)])
    with fits.open(path, mode="update") as hdus:
        del hdus[extension].header[keyword]
    with pytest.raises(BadInputError) as caught:
        make_plan([str(path)])
    (problem,) = caught.value.problems
    assert caught.value.exit_code == 3
    assert problem.name == str(path)
    assert keyword in problem.cause
    assert ("primary header" if extension == 0 else "SCI,1") in problem.cause


@pytest.mark.parametrize("detector", ["uvis", "ir", "wfc", "hrc", "sbc"])
def test_whole_headers_have_no_faults(tmp_path, detector):
    assert not find_header_faults([read_exposure(written(tmp_path, detector))])


def test_required_keywords_of_hrc_and_sbc(tmp_path):
    (tmp_path / "sbc").mkdir()
    readout = {"ATODGNA": None, "READNSED": None, "CCDAMP": None}
    (problem,) = find_header_faults([read_exposure(written(tmp_path, "hrc", primary=readout))])
    assert "has no ATODGNA, READNSED, CCDAMP" in problem.cause
    assert not find_header_faults([read_exposure(written(tmp_path / "sbc", "sbc", primary=readout))])


def test_every_chip_is_looked_at(tmp_path):
    path = written(tmp_path, "uvis")
    with fits.open(path, mode="update") as hdus:
        del hdus["SCI", 2].header["NGOODPIX"]
    (problem,) = find_header_faults([read_exposure(path)])
    assert problem.cause == "SCI,2 has no NGOODPIX"


def test_all_faults_at_once(tmp_path):
    path = written(tmp_path, "ir", primary={"ATODGNA": "two", "READNSEB": None}, science={"NGOODPIX": None})
    (problem,) = find_header_faults([read_exposure(path)])
    for clause in ("has no READNSEB", "ATODGNA in its primary header is not a number", "SCI,1 has no NGOODPIX"):
        assert clause in problem.cause


@pytest.mark.parametrize(
    ("cards", "cause"),
    [
        ({"FILTER1": "", "FILTER2": " "}, "FILTER1, FILTER2 in its primary header: blank"),
        ({"FILTER2": "F606W/X"}, "FILTER2=F606W/X cannot be part of a file name"),
    ],
)
def test_filters_that_cannot_name_a_layer(tmp_path, cards, cause):
    (problem,) = find_header_faults([read_exposure(written(tmp_path, "wfc", primary=cards))])
    assert problem.cause == cause


def test_exposures_that_are_left_out_need_no_keywords(tmp_path):
    (tmp_path / "dark").mkdir()
    good = written(tmp_path, "uvis")
    cards = {"TARGNAME": "DARK", "ATODGNA": None}
    dark = write_exposure(tmp_path / "dark", "icab01a1q_flt.fits", primary=cards, science={"NGOODPIX": None})
    assert [item.name for item in make_plan([str(good), str(dark)]).excluded] == [dark.name]
