"""Exclusions: drizzlepac's header rules, doubles, strictness."""

from __future__ import annotations

import shutil
import warnings
from dataclasses import replace

import pytest
from exposure_files import write_exposure

from hstmosaic.errors import BadInputError
from hstmosaic.plan.checks import (
    Exclusion,
    apply_strict,
    exclude_duplicates,
    exclude_second_filetypes,
    exclude_unusable,
    find_name_clashes,
)
from hstmosaic.plan.exposures import read_exposure

SPECTRA = {"OBSTYPE": "SPECTROSCOPIC"}
BAD = [
    ("uvis", SPECTRA, "OBSTYPE=SPECTROSCOPIC"),
    ("wfc", {"OBSTYPE": "CORONAGRAPHIC"}, "OBSTYPE=CORONAGRAPHIC"),
    ("uvis", {"DRIZCORR": "OMIT"}, "DRIZCORR=OMIT"),
    ("ir", {"DRIZCORR": "skipped"}, "DRIZCORR=SKIPPED"),
    ("uvis", {"MTFLAG": "T"}, "MTFLAG=T"),
    ("uvis", {"SCAN_TYP": "C"}, "SCAN_TYP=C"),
    ("ir", {"SCAN_TYP": "D"}, "SCAN_TYP=D"),
    ("uvis", {"TARGNAME": "DARK-NM"}, "TARGNAME=DARK-NM"),
    ("wfc", {"TARGNAME": "EARTH-CALIB"}, "TARGNAME=EARTH-CALIB"),
    ("wfc", {"TARGNAME": "tungsten"}, "TARGNAME=TUNGSTEN"),
    ("ir", {"EXPTIME": 0.0}, "EXPTIME=0.0"),
    ("ir", {"EXPTIME": 9e-6, "FGSLOCK": "GYROS"}, "EXPTIME=9e-06"),
    ("uvis", {"CHINJECT": "CONT"}, "CHINJECT=CONT"),
    ("uvis", SPECTRA | {"FILTER": "G280"}, "FILTER=G280"),
    ("sbc", SPECTRA | {"FILTER1": "PR110L", "FILTER2": "N/A"}, "FILTER1=PR110L"),
    ("wfc", SPECTRA | {"FILTER1": "CLEAR1L", "FILTER2": "G800L"}, "FILTER2=G800L"),
    ("wfc", {"FILTER1": "CLEAR1L", "FILTER2": "FR505N"}, "FILTER2=FR505N"),
    ("uvis", {"FILTER": "BLOCK1"}, "FILTER=BLOCK1"),
    ("wfc", {"FILTER2": "FR505N", "FGSLOCK": "COARSE"}, "FILTER2=FR505N"),
]
GOOD = [
    ("uvis", {}),
    ("ir", {}),
    ("wfc", {"FILTER1": "F606W", "FILTER2": "POL0V"}),
    ("hrc", {}),
    ("sbc", {"FILTER1": "F140LP", "FILTER2": "N/A"}),
    ("uvis", {"MTFLAG": "F", "FGSLOCK": "FINE/GYRO"}),
    ("uvis", {"FGSLOCK": "COARSE"}),
    ("uvis", {"FGSLOCK": "GYROS", "CHINJECT": "CONT"}),
    ("ir", {"EXPTIME": 2e-5, "SCAN_TYP": "N"}),
]


def written(folder, detector, cards):
    """Write an exposure whose name fits its detector."""
    name = f"{'i' if detector in {'uvis', 'ir'} else 'j'}cab01a0q_flt.fits"
    return write_exposure(folder, name, detector=detector, primary=cards)


@pytest.fixture
def make(tmp_path):
    """Give the function that writes and reads exposures, each in a folder if it is asked for."""

    def write(name, folder="", **keywords):
        (tmp_path / folder).mkdir(exist_ok=True)
        return read_exposure(write_exposure(tmp_path / folder, name, **keywords))

    return write


@pytest.mark.parametrize(("detector", "cards", "shown"), BAD)
def test_unusable(tmp_path, detector, cards, shown):
    exposure = read_exposure(written(tmp_path, detector, cards))
    kept, (excluded,) = exclude_unusable([exposure])
    assert not kept
    assert excluded.name == exposure.name
    assert shown in excluded.reason
    assert excluded.next_step


@pytest.mark.parametrize(("detector", "cards"), GOOD)
def test_usable(tmp_path, detector, cards):
    exposure = read_exposure(written(tmp_path, detector, cards))
    assert exclude_unusable([exposure]) == ([exposure], [])


@pytest.mark.upstream
@pytest.mark.parametrize(("detector", "cards"), GOOD + [case[:2] for case in BAD])
def test_verdict_is_that_of_upstream(tmp_path, detector, cards):
    path = written(tmp_path, detector, cards)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from drizzlepac.haputils.analyze import analyze_data

        table, _ = analyze_data([str(path)], type="MVM")
    kept, _ = exclude_unusable([read_exposure(path)])
    assert bool(kept) == bool(table["doProcess"][0])


def test_imaging_with_grism_is_left_out(tmp_path):
    """Upstream raises TypeError over such a header."""
    _, (excluded,) = exclude_unusable([read_exposure(written(tmp_path, "uvis", {"FILTER": "G280"}))])
    assert "FILTER=G280" in excluded.reason


def test_no_pixels(make):
    exposure = make("icab01a0q_flc.fits")
    empty = replace(exposure, chips=(replace(exposure.chips[0], shape=(1, 0)),))
    _, (excluded,) = exclude_unusable([empty])
    assert "no pixels" in excluded.reason


def test_order_is_kept(make):
    names = [f"icab01a{n}q_flc.fits" for n in (3, 1, 2, 0)]
    exposures = [make(name, primary={"EXPTIME": float(n % 2)}) for n, name in enumerate(names)]
    kept, excluded = exclude_unusable(exposures)
    assert [item.name for item in kept] == names[1::2]
    assert [item.name for item in excluded] == names[::2]


def test_listed_twice(make):
    exposure = make("icab01a0q_flc.fits")
    kept, (excluded,) = exclude_duplicates([exposure, replace(exposure)])
    assert kept == [exposure]
    assert "listed twice" in excluded.reason


@pytest.mark.parametrize("kind", ["symlink", "hardlink", "copy"])
def test_one_file_under_two_names(make, tmp_path, kind):
    first = make("icab01a0q_flc.fits")
    second = tmp_path / "icab01zzq_flc.fits"
    if kind == "symlink":
        second.symlink_to(first.path)
    elif kind == "hardlink":
        second.hardlink_to(first.path)
    else:
        shutil.copy(first.path, second)
    other = read_exposure(second)
    for pair in ([first, other], [other, first]):
        kept, (excluded,) = exclude_duplicates(pair)
        assert kept == [pair[0]]
        assert excluded.name == pair[1].name
        assert pair[0].name in excluded.reason
        assert "list one of them" in excluded.next_step


def test_pipeline_and_single_visit_name(make):
    pipeline = make("icab01a0q_flc.fits")
    visit = make("hst_12345_01_wfc3_uvis_f606w_icab01a0_flc.fits")
    for pair in ([pipeline, visit], [visit, pipeline]):
        kept, (excluded,) = exclude_duplicates(pair)
        assert kept == [pair[0]]
        assert "ROOTNAME icab01a0q" in excluded.reason


def test_same_name_in_two_folders(make):
    first, second = (make("icab01a0q_flc.fits", folder) for folder in "ab")
    kept, (excluded,) = exclude_duplicates([first, second])
    assert kept == [first]
    assert str(first.path) in excluded.reason
    assert str(second.path) in excluded.reason
    assert not find_name_clashes(kept)


def test_flc_is_taken_whatever_the_order(make):
    flt = make("icab01a0q_flt.fits")
    flc = make("icab01a0q_flc.fits")
    for pair in ([flt, flc], [flc, flt]):
        kept, (excluded,) = exclude_duplicates(pair)
        assert kept == [flc]
        reason = f"the FLC of the same exposure is taken: {flc.name}"
        assert excluded == Exclusion(flt.name, reason, "list the FLC only")


def test_flt_in_a_layer_with_flcs(make):
    flc = make("icab01a0q_flc.fits")
    alone = make("icab01a1q_flt.fits")
    other_filter = make("icab01a2q_flt.fits", primary={"FILTER": "F814W"})
    infrared = make("icab01a3q_flt.fits", detector="ir")
    assert exclude_duplicates([alone, other_filter, infrared, flc])[1] == []
    kept, (excluded,) = exclude_second_filetypes([alone, other_filter, infrared, flc])
    assert kept == [other_filter, infrared, flc]
    assert excluded.name == alone.name
    assert "WFC3 UVIS F606W has FLCs (icab01a0q_flc.fits)" in excluded.reason


def test_different_exposures_of_one_name(make):
    first = make("icab01a0q_flc.fits", "a")
    second = make("icab01a0q_flc.fits", "b", primary={"ROOTNAME": "icab01a7q"})
    kept, excluded = exclude_duplicates([first, second])
    assert (kept, excluded) == ([first, second], [])
    (problem,) = find_name_clashes(kept)
    assert problem.name == str(second.path)
    assert str(first.path) in problem.cause
    assert "icab01a7q_flc.fits" in problem.next_step


def test_names_that_are_one_to_drizzlepac(make):
    """Copies of both would be ``..._all-icab01a0_flc.fits`` in one working directory."""
    first = make("icab01a0-deep1_flc.fits", primary={"ROOTNAME": "icab01a1q"})
    second = make("icab01a0-deep2_flc.fits", primary={"ROOTNAME": "icab01a2q"})
    other_layer = make("icab01a0-deep3_flc.fits", primary={"ROOTNAME": "icab01a3q", "FILTER": "F814W"})
    (problem,) = find_name_clashes([first, second, other_layer])
    assert problem.name == str(second.path)
    assert first.name in problem.cause
    assert "icab01a2q_flc.fits" in problem.next_step


def test_the_file_to_rename_is_the_one_with_a_wrong_name(make):
    wrong = make("icab01a0q_flc.fits", "a", primary={"ROOTNAME": "icab01a7q"})
    right = make("icab01a0q_flc.fits", "b")
    (problem,) = find_name_clashes([wrong, right])
    assert problem.next_step == f"rename {wrong.path} to icab01a7q_flc.fits"


def test_strict():
    apply_strict([])
    excluded = [Exclusion("a_flc.fits", "MTFLAG=T", "go"), Exclusion("b_flc.fits", "EXPTIME=0.0", "home")]
    with pytest.raises(BadInputError) as caught:
        apply_strict(excluded)
    assert [problem.name for problem in caught.value.problems] == ["a_flc.fits", "b_flc.fits"]
    assert "MTFLAG=T" in str(caught.value)
