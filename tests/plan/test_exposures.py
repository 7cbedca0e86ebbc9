"""Reading exposures: headers, WCS, and files that are none."""

from __future__ import annotations

import gzip
import json
import warnings
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from helpers.exposure_files import real_headers, write_exposure
from hstmosaic.plan.exposures import Exposure, extract_visit, filter_name, read_exposure, read_exposures
from hstmosaic.plan.headers import UnreadableExposureError
from hstmosaic.plan.inputs import InputFile

real = pytest.mark.parametrize(
    "path",
    real_headers() or [pytest.param(Path(), marks=pytest.mark.skip(reason="no ../shared/data/headers here"))],
    ids=lambda path: path.name,
    indirect=True,
)
WHEELS = ["CLEAR1L", "CLEAR2S", "CLEAR", "F606W", "f814w", "POL0V", "POL60UV", "N/A", "G800L", "F140LP", ""]
NAMED = [wheel for wheel in WHEELS if wheel]


def as_archived(path: Path, folder: Path) -> Path:
    """A link to a file under the name that the archive gives it."""
    archived = folder / (path.name if path.name.startswith("hst") else "_".join(path.name.split("_")[-2:]))
    archived.symlink_to(path)
    return archived


@pytest.fixture
def path(request, tmp_path):
    return as_archived(request.param, tmp_path)


@pytest.fixture(scope="module")
def upstream():
    """Modules of drizzlepac, whose import warns a lot."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from drizzlepac.haputils import cell_utils, make_poller_files, poller_utils
        from stwcs.wcsutil import HSTWCS

        yield {
            "filter": poller_utils.determine_filter_name,
            "poller": make_poller_files.generate_poller_file,
            "visit": cell_utils.extract_visit,
            "HSTWCS": HSTWCS,
        }


def problem_of(path: Path, name: str | None = None):
    """Problem that an exposure has."""
    with pytest.raises(UnreadableExposureError) as caught:
        read_exposure(path, name)
    assert caught.value.exit_code == 3
    assert caught.value.problem.name == (name or path.name)
    return caught.value.problem


def test_fields_of_a_pipeline_file(tmp_path):
    path = write_exposure(tmp_path)
    exposure = read_exposure(path)
    assert (exposure.name, exposure.path, exposure.size) == (path.name, path, path.stat().st_size)
    assert (exposure.rootname, exposure.visit) == ("icab01a0q", "icab01")
    assert (exposure.proposal_id, exposure.program_id, exposure.obset_id) == ("12345", "CAB", "01")
    assert (exposure.instrument, exposure.detector, exposure.filter) == ("wfc3", "uvis", "f606w")
    assert (exposure.filetype, exposure.exptime, exposure.photflam) == ("flc", 100.0, 1.8e-19)
    assert exposure.wcsname == "IDC_2731450pi-FIT_REL_GAIAeDR3"
    assert [(chip.extver, chip.shape) for chip in exposure.chips] == [(1, (6, 8)), (2, (6, 8))]
    assert exposure.chips[0].wcs.all_pix2world(4, 3, 1) == [pytest.approx(150), pytest.approx(2)]


def test_fields_of_a_single_visit_file(tmp_path):
    name = "hst_12546_02_acs_wfc_f606w_jchb02ac_flc.fits"
    exposure = read_exposure(write_exposure(tmp_path, name, detector="wfc", primary={"FILTER2": "POL0V"}))
    assert (exposure.rootname, exposure.visit) == ("jchb02acq", "jchb02")
    assert (exposure.program_id, exposure.obset_id) == ("CHB", "02")
    assert (exposure.instrument, exposure.filter, exposure.wheels) == ("acs", "pol0v", ("CLEAR1L", "POL0V"))


def test_json_round_trip(tmp_path):
    exposure = read_exposure(write_exposure(tmp_path))
    again = Exposure.from_dict(json.loads(json.dumps(exposure.to_dict())))
    assert again == exposure
    assert hash(again) == hash(exposure)
    assert again.chips == ()


def test_old_headers_have_no_mtflag(tmp_path):
    assert read_exposure(write_exposure(tmp_path, primary={"MTFLAG": None})).mtflag == ""


def test_constant_science_array_has_a_shape(tmp_path):
    path = write_exposure(tmp_path, "icab01a0q_flt.fits", detector="ir")
    with fits.open(path, mode="update") as hdus:
        hdus["SCI"].data = None
        hdus["SCI"].header.update({"NPIX1": 1014, "NPIX2": 1013, "PIXVALUE": 0.0})
    assert read_exposure(path).chips[0].shape == (1013, 1014)


def test_pixels_are_not_read(tmp_path, monkeypatch):
    path = write_exposure(tmp_path)
    monkeypatch.setattr(fits.hdu.image._ImageBaseHDU, "_get_scaled_image_data", None)
    assert read_exposure(path).chips


def test_warnings_of_astropy_stay_inside(tmp_path, capfd):
    science = {"A_ORDER": 2, "B_ORDER": 2, "A_2_0": 1e-6, "B_0_2": 1e-6, "DATE-OBS": "1999-13-45"}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        read_exposure(write_exposure(tmp_path, science=science))
    assert not caught
    assert capfd.readouterr() == ("", "")


def with_tail(path: Path, keep: float) -> Path:
    """Cut a file."""
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * keep)])
    return path


def cut_in_header(path: Path) -> Path:
    """Cut a file in the middle of the header of its fourth extension."""
    with fits.open(path) as hdus:
        start = hdus[4].fileinfo()["hdrLoc"]
    path.write_bytes(path.read_bytes()[: start + 1000])
    return path


def contents(data: bytes):
    """Make the function that replaces the contents of a file."""
    return lambda path: path.write_bytes(data)


def reopened(change):
    """Make the function that changes the HDUs of a file."""

    def update(path: Path) -> None:
        with fits.open(path, mode="update") as hdus:
            change(hdus)

    return update


@pytest.mark.parametrize(
    ("spoil", "cause", "next_step"),
    [
        (contents(b""), "is empty (0 bytes)", "fetch the file again"),
        (contents(b"not FITS at all"), "is not a FITS file", "calibrated exposure"),
        (contents(b"<!DOCTYPE html><html>"), "web page", "fetch the file again"),
        (contents(b"\n <?xml version='1.0'?>"), "web page", "fetch the file again"),
        (contents(b'{"error": 404}'), "JSON", "fetch the file again"),
        (contents(b"SIMPLE  =                    T" + b" " * 500), "not readable as FITS", "fetch"),
        (lambda path: path.write_bytes(gzip.compress(path.read_bytes())), "with gzip", "gunzip it"),
        (lambda path: with_tail(path, 0.9), "is truncated", "fetch the file again"),
        (lambda path: with_tail(path, 0.5), "is truncated", "fetch the file again"),
        (lambda path: with_tail(path, 0.02), "not readable as FITS", "fetch the file again"),
        (cut_in_header, "is truncated or corrupt", "fetch the file again"),
        (Path.unlink, "No such file", "check the path"),
        (reopened(lambda hdus: hdus.__delitem__(slice(1, None))), "no SCI extension", "from MAST"),
        (reopened(lambda hdus: hdus.__delitem__(("DQ", 2))), "no DQ extension for SCI,2", "from MAST"),
        (reopened(lambda hdus: hdus["SCI"].header.remove("WCSNAME")), "no WCSNAME", "updatewcs"),
    ],
)
def test_files_that_are_none(tmp_path, spoil, cause, next_step):
    path = write_exposure(tmp_path)
    spoil(path)
    problem = problem_of(path, "data/as-written_flc.fits")
    assert cause in problem.cause
    assert next_step in problem.next_step


@pytest.mark.parametrize(
    ("cards", "cause"),
    [
        ({"CTYPE1": None, "CTYPE2": None}, "SCI,1 has no celestial WCS"),
        ({"CTYPE1": "LINEAR", "CTYPE2": "LINEAR"}, "SCI,1 has no celestial WCS"),
        ({"CD1_1": None, "CD1_2": None, "CD2_1": None, "CD2_2": None}, "SCI,1 has no celestial WCS"),
        ({"CD1_1": 1e-5, "CD1_2": 1e-5, "CD2_1": 1e-5, "CD2_2": 1e-5}, "SCI,1 has no celestial WCS"),
        ({"CRPIX1": "wrong"}, "SCI,1 has no celestial WCS"),
        ({"CRVAL2": None}, "SCI,1 has no celestial WCS"),
        ({"CRVAL2": 95.0, "CRPIX1": 1e30}, "the WCS of SCI,1"),
        ({"CPDIS1": "LOOKUP", "DP1.EXTVER": 1.0, "DP1.NAXES": 2.0}, "the WCS of SCI,1 cannot be used"),
        ({"D2IMDIS1": "LOOKUP", "D2IM1.EXTVER": 1.0, "D2IM1.NAXES": 2.0}, "the WCS of SCI,1 cannot be used"),
        ({"A_ORDER": 2, "A_2_0": 1e-9}, "the WCS of SCI,1 cannot be used"),
    ],
)
def test_wcs_that_is_none(tmp_path, cards, cause):
    undistorted = {"A_ORDER": None, "B_ORDER": None, "A_2_0": None}
    problem = problem_of(write_exposure(tmp_path, science=undistorted | cards))
    assert cause in problem.cause
    assert "updatewcs" in problem.next_step


@pytest.mark.parametrize(
    ("name", "cause", "next_step"),
    [
        ("icab01a0q_raw.fits", "is a _raw.fits file", "MAST"),
        ("icab01010_drz.fits", "is a _drz.fits file", "MAST"),
        ("u2fx0101t_c0m.fits", "is from WFPC2", "take it out of the list"),
        ("icab01a0q_FLC.FITS", "does not end in _flt.fits or _flc.fits", "MAST"),
        ("notes.txt", "does not end in _flt.fits or _flc.fits", "MAST"),
        ("icab01a0q_flc.fits.gz", "is compressed", "decompress it"),
        ("my exposure_icab01a0q_flc.fits", "cannot read the characters", "rename it to icab01a0q_flc.fits"),
        ("mine_flc.fits", "cannot tell from its name that it is from WFC3", "rename it to mine_flc.fits"),
        ("icab01a0q_copy_flc.fits", "cannot tell from its name", "rename it to icab01a0q_flc.fits"),
        ("my_icab01a0q_flc.fits", "which exposure it is", "rename it to icab01a0q_flc.fits"),
        ("foo_wfc3_uvis_f606w_all-icab01a0_flc.fits", "a product of an earlier run", "itself (icab01a0q_flc.fits)"),
        ("x_wfc3_ir_f160w_coarse-all-icab01a0_flt.fits", "a product of an earlier run", "itself (icab01a0q_flt.fits)"),
    ],
)
def test_names_that_drizzlepac_misreads(tmp_path, name, cause, next_step):
    primary = {"ROOTNAME": "icab01a0q"} if "icab" in name else None
    path = write_exposure(tmp_path, primary=primary).rename(tmp_path / name)
    problem = problem_of(path)
    assert cause in problem.cause
    if "mine" not in name:
        assert next_step in problem.next_step


@pytest.mark.parametrize(
    ("cards", "cause"),
    [
        ({"INSTRUME": "STIS"}, "is from STIS"),
        ({"INSTRUME": "WFPC2", "DETECTOR": None}, "is from WFPC2: drizzlepac's multi-visit code reads DETECTOR"),
        ({"DETECTOR": "WFC"}, "DETECTOR=WFC: WFC3 has no such detector"),
        ({"INSTRUME": None}, "has no INSTRUME"),
        *(({key: None}, f"has no {key}") for key in ("DATE", "EXPEND", "TELESCOP", "PA_V3")),
        ({"EXPTIME": None, "ROOTNAME": None, "FILTER": None}, "has no ROOTNAME, EXPTIME, FILTER"),
        ({"CHINJECT": None, "SCAN_TYP": None}, "has no SCAN_TYP, CHINJECT"),
        ({"DETECTOR": "", "ROOTNAME": " "}, "has no DETECTOR, ROOTNAME"),
        ({"EXPTIME": "long"}, "EXPTIME in its primary header is not a number"),
        ({"EXPSTART": True}, "EXPSTART in its primary header is not a number"),
    ],
)
def test_primary_headers_that_are_none(tmp_path, cards, cause):
    problem = problem_of(write_exposure(tmp_path, primary=cards))
    assert cause in problem.cause
    assert problem.next_step


def test_blank_wheel_holds_no_element(tmp_path):
    """Upstream calls such a layer -f814w, and does not stack it with the other exposures in F814W."""
    cards = {"FILTER1": " ", "FILTER2": "F814W"}
    exposure = read_exposure(write_exposure(tmp_path, "jcab01a0q_flc.fits", detector="wfc", primary=cards))
    assert exposure.filter == "f814w"


@pytest.mark.parametrize(("chips", "extver", "cause"), [(2, 1, "has SCI,2 but no SCI,1"), (3, 2, "SCI,3 but no SCI,2")])
def test_science_extensions_are_numbered_from_1(tmp_path, chips, extver, cause):
    path = write_exposure(tmp_path, chips=chips)
    with fits.open(path, mode="update") as hdus:
        del hdus["SCI", extver], hdus["ERR", extver], hdus["DQ", extver]
    assert cause in problem_of(path).cause


def test_truncated_between_two_extensions(tmp_path):
    cards = {"NEXTEND": 6}
    problem = problem_of(write_exposure(tmp_path, primary=cards, chips=1))
    assert "one of two chips, and 3 of 6 extensions" in problem.cause
    subarray = write_exposure(tmp_path, "icab01a1q_flc.fits", primary=cards | {"SUBARRAY": True}, chips=1)
    assert read_exposure(subarray).subarray


def test_permission_denied(tmp_path, monkeypatch):
    path = write_exposure(tmp_path)

    def denied(*_args, **_kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", denied)
    problem = problem_of(path)
    assert "permission" in problem.cause
    assert "permissions" in problem.next_step


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0), st.sampled_from(b"'/ =9A\x00\xff")), min_size=1, max_size=20))
def test_damaged_files_are_named(tmp_path, damage):
    """Whatever bytes are wrong, the file is either read or refused."""
    path = tmp_path / "icab01a0q_flt.fits"
    path.unlink(missing_ok=True)
    data = bytearray(write_exposure(tmp_path, path.name, detector="ir").read_bytes())
    for place, byte in damage:
        data[place % len(data)] = byte
    path.write_bytes(data)
    exposures, problems = read_exposures([InputFile("as written", path)])
    assert len(exposures) + len(problems) == 1
    assert all(problem.name == "as written" for problem in problems)


def test_a_header_that_astropy_gives_up_is_named(tmp_path):
    path = write_exposure(tmp_path, detector="ir")
    data = bytearray(path.read_bytes())
    data[30] = ord("'")
    path.write_bytes(data)
    assert "damaged header" in problem_of(path).cause


def test_unparsable_card(tmp_path):
    path = write_exposure(tmp_path)
    data = path.read_bytes().replace(b"EXPTIME =                100.0", b"EXPTIME =           =    100.0")
    path.write_bytes(data)
    assert "damaged header (Unparsable card (EXPTIME)" in problem_of(path).cause


def test_errors_of_our_own_code_are_not_taken_for_damage(tmp_path, monkeypatch):
    def slip(_name):
        raise TypeError("a slip")

    path = write_exposure(tmp_path)
    monkeypatch.setattr("hstmosaic.plan.exposures.extract_visit", slip)
    with pytest.raises(TypeError, match="a slip"):
        read_exposure(path)


def test_nothing_exposed_and_so_no_wcs(tmp_path):
    exposure = read_exposure(write_exposure(tmp_path, primary={"EXPTIME": 0.0}, science={"WCSNAME": None}))
    assert (exposure.exptime, exposure.wcsname, exposure.chips) == (0.0, "", ())


def test_all_problems_at_once(tmp_path):
    paths = [write_exposure(tmp_path, f"icab01a{n}q_flc.fits") for n in range(4)]
    paths[1].write_bytes(b"")
    paths[2].write_bytes(b"<html>")
    exposures, problems = read_exposures([InputFile(f"./{path.name}", path) for path in paths])
    assert [exposure.name for exposure in exposures] == [paths[0].name, paths[3].name]
    assert [problem.name for problem in problems] == [f"./{path.name}" for path in paths[1:3]]


@given(st.lists(st.sampled_from(WHEELS), min_size=1, max_size=3))
def test_filter_name_holds_the_elements_in_use(wheels):
    name = filter_name(*wheels)
    assert name == name.lower() == filter_name(";".join(wheels))
    used = {wheel.lower() for wheel in wheels[:2] if "CLEAR" not in wheel and wheel not in {"N/A", ""}}
    assert set(name.split("-")) == (used or {"clear"})


@pytest.mark.upstream
@pytest.mark.parametrize("second", [None, *NAMED])
@pytest.mark.parametrize("first", NAMED)
def test_filter_name_as_upstream(upstream, first, second):
    raw = first if second is None else f"{first};{second}"
    assert filter_name(raw) == upstream["filter"](raw)
    assert filter_name(f"{raw};{first}") == upstream["filter"](f"{raw};{first}")


@pytest.mark.upstream
@pytest.mark.parametrize(
    "name", ["icab01a0q_flc.fits", "hst_12546_02_acs_wfc_f606w_jchb02ac_flc.fits", "my_icab01a0q_flt.fits"]
)
def test_visit_as_upstream(upstream, name):
    assert extract_visit(name) == upstream["visit"](name)


@pytest.mark.upstream
def test_poller_columns_as_upstream(upstream, tmp_path):
    paths = [
        write_exposure(tmp_path, "icab01a0q_flc.fits", primary={"PRIMESI": "STIS"}),
        write_exposure(tmp_path, "hst_12546_02_acs_wfc_f606w_jchb02ac_flc.fits", detector="wfc"),
        write_exposure(tmp_path, "icab2ba1q_flt.fits", primary={"INSTRUME": "wfc3", "PRIMESI": "WFC3"}),
        write_exposure(tmp_path, "jcab2ba1q_flt.fits", detector="sbc", primary={"FILTER2": "N/A"}),
        *(as_archived(path, tmp_path) for path in real_headers()),
    ]
    poller = tmp_path / "poller.out"
    upstream["poller"]([str(path) for path in paths], "mvm", str(poller), "skycell-p1889x07y19")
    for line, path in zip(poller.read_text().splitlines(), paths, strict=True):
        columns = line.split(",")
        mine = read_exposure(path)
        assert columns[:5] == [mine.name, mine.proposal_id, mine.program_id, mine.obset_id, str(mine.exptime)]
        assert columns[5:7] == [mine.filter.upper(), mine.detector.upper()]


@pytest.mark.upstream
@real
def test_wcs_is_that_of_stwcs(upstream, path):
    exposure = read_exposure(path)
    rng = np.random.default_rng(1)
    pixels = np.vstack([rng.uniform(0.5, 2000, (200, 2)), [[1, 1], [4096, 2051]]])
    with warnings.catch_warnings(), fits.open(path) as hdus:
        warnings.simplefilter("ignore")
        for chip in exposure.chips:
            theirs = upstream["HSTWCS"](hdus, ext=("SCI", chip.extver))
            np.testing.assert_array_equal(
                chip.wcs.all_pix2world(pixels, 0), theirs.all_pix2world(pixels, 0), strict=True
            )
            assert (chip.wcs.sip is None) == (theirs.sip is None)
            assert (chip.wcs.cpdis1 is None) == (theirs.cpdis1 is None)
            assert (chip.wcs.det2im1 is None) == (theirs.det2im1 is None)


@real
def test_real_headers(path):
    exposure = read_exposure(path)
    assert exposure.rootname[:8] == exposure.name.split("_")[-2][:8]
    assert len(exposure.chips) == (1 if exposure.detector == "ir" else 2)
    assert exposure.exptime > 0
    assert 0 < exposure.photflam < 1e-15
