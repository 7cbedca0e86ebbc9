"""A WCS without its distortion is left out or pointed out, never drizzled in silence."""

from __future__ import annotations

import pytest
from astropy.io import fits

from helpers.exposure_files import real_headers, write_exposure
from hstmosaic.errors import BadInputError
from hstmosaic.plan.build import make_plan
from hstmosaic.plan.checks import exclude_unusable
from hstmosaic.plan.exposures import read_exposure
from hstmosaic.simulate import simulate_field
from hstmosaic.simulate.request import requested_field

NO_SIP = {"A_ORDER": None, "B_ORDER": None, "A_2_0": None}
TAN = {"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN"}
TABLES = {f"{name}{axis}": "LOOKUP" for name in ("CPDIS", "D2IMDIS") for axis in (1, 2)}


@pytest.mark.parametrize(
    ("primary", "science"),
    [
        ({}, NO_SIP | TAN | {"WCSNAME": "OPUS"}),
        ({}, NO_SIP | TAN),
        ({}, NO_SIP),
        ({}, {"A_2_0": 0.0}),
        ({"IDCTAB": None}, NO_SIP | TAN | {"WCSNAME": "OPUS"}),
        ({"IDCTAB": "N/A"}, NO_SIP | TAN | {"WCSNAME": "opus"}),
    ],
    ids=["OPUS", "no SIP", "-SIP without coefficients", "coefficients are zero", "OPUS, no IDCTAB", "OPUS, IDCTAB N/A"],
)
def test_exposure_without_polynomial_is_left_out(tmp_path, primary, science):
    exposure = read_exposure(write_exposure(tmp_path, primary=primary, science=science))
    kept, (excluded,) = exclude_unusable([exposure])
    assert not kept
    assert "SCI,1 (CTYPE1=" in excluded.reason
    assert "no distortion polynomial" in excluded.reason
    assert "updatewcs" in excluded.next_step


def test_run_of_nothing_else_is_an_error(tmp_path):
    path = write_exposure(tmp_path, science=NO_SIP | TAN | {"WCSNAME": "OPUS"})
    with pytest.raises(BadInputError, match="no distortion polynomial"):
        make_plan([str(path)])


def test_one_chip_without_polynomial(tmp_path):
    path = write_exposure(tmp_path)
    with fits.open(path, mode="update") as hdus:
        hdus["SCI", 2].header["A_2_0"] = 0.0
    _, (excluded,) = exclude_unusable([read_exposure(path)])
    assert "SCI,2 (" in excluded.reason
    assert "SCI,1 (" not in excluded.reason


def test_undistorted_by_intention_is_pointed_out(tmp_path):
    """A simulation without distortion names no IDCTAB."""
    path = write_exposure(tmp_path, primary={"IDCTAB": "N/A"}, science=NO_SIP | TAN | {"WCSNAME": "MINE"})
    (note,) = [note for note in make_plan([str(path)]).notes if "polynomial" in note]
    assert note.startswith(path.name)
    assert "IDCTAB" in note


@pytest.mark.parametrize("name", ["NPOLFILE", "D2IMFILE"])
def test_missing_table_is_pointed_out(tmp_path, name):
    path = write_exposure(tmp_path, primary={name: "iref$y7b1516qi_npl.fits"})
    (note,) = [note for note in make_plan([str(path)]).notes if "tables" in note]
    assert note.startswith(f"{path.name}: {name}=iref$y7b1516qi_npl.fits")


@pytest.mark.parametrize("value", ["N/A", "", None])
def test_table_that_is_not_named_is_not_missing(tmp_path, value):
    assert not read_exposure(write_exposure(tmp_path, primary={"NPOLFILE": value})).missing_tables


def simulated(folder, camera):
    (path,) = simulate_field(requested_field(cameras=(camera,), subarray=(40, 40)), folder)
    return path


def without(path, *starts):
    """Take keywords that begin so out of the first science extension."""
    with fits.open(path, mode="update") as hdus:
        header = hdus["SCI"].header
        for key in [key for key in header if key.startswith(starts)]:
            del header[key]
    return path


@pytest.mark.parametrize(
    ("name", "starts"), [("NPOLFILE", ("CPDIS", "DP", "CPERR")), ("D2IMFILE", ("D2IMDIS", "D2IM1", "D2IM2", "D2IMERR"))]
)
def test_tables_that_were_taken_out_are_missing(tmp_path, name, starts):
    path = without(simulated(tmp_path, "acs_wfc:F814W:1"), *starts)
    (missing,) = read_exposure(path).missing_tables
    assert missing.startswith(f"{name}=jref$")


def test_table_of_one_axis_is_enough(tmp_path):
    """Early detector-to-image tables correct the columns only."""
    path = without(simulated(tmp_path, "acs_wfc:F814W:1"), "D2IMDIS2", "D2IM2", "D2IMERR2")
    assert read_exposure(path).missing_tables == ()


def test_table_of_the_old_form_is_enough(tmp_path):
    """AXISCORR names the axis that the only D2IMARR corrects, with a value a column."""
    path = without(simulated(tmp_path, "acs_wfc:F814W:1"), "D2IMDIS", "D2IM1", "D2IM2", "D2IMERR")
    with fits.open(path, mode="update") as hdus:
        hdus["SCI"].header["AXISCORR"] = 1
        del hdus["D2IMARR", 2]
        hdus["D2IMARR", 1].data = hdus["D2IMARR", 1].data[0]
    assert read_exposure(path).missing_tables == ()


@pytest.mark.parametrize("camera", ["wfc3_uvis:F606W:1", "wfc3_ir:F160W:1", "acs_wfc:F814W:1"])
def test_simulated_distortion_is_whole(tmp_path, camera):
    exposure = read_exposure(simulated(tmp_path, camera))
    assert (exposure.missing_polynomial, exposure.missing_tables) == ("", ())


@pytest.mark.skipif(not real_headers(), reason="no ../shared/data/headers here")
def test_real_distortion_is_whole(tmp_path):
    for path in real_headers():
        link = tmp_path / (path.name if path.name.startswith("hst") else "_".join(path.name.split("_")[-2:]))
        link.symlink_to(path)
        exposure = read_exposure(link)
        assert (exposure.missing_polynomial, exposure.missing_tables, exposure.header_faults) == ("", (), ())
