"""Exposures that are there more than once, and names that stand for more than one."""

import shutil
from dataclasses import replace

import pytest

from hstmosaic.plan.checks import Exclusion
from hstmosaic.plan.duplicates import exclude_duplicates, exclude_second_filetypes, find_name_clashes
from hstmosaic.plan.exposures import read_exposure


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
        reason = f"the FLC of the same exposure is used: {flc.name}"
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
