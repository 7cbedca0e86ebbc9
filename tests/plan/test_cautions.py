"""Cautions about exposures and layers that are used."""

from __future__ import annotations

import warnings

import pytest
from astropy.io import fits

from hstmosaic.cli.plan_text import describe_plan
from hstmosaic.plan.build import make_plan
from hstmosaic.plan.cautions import exposure_cautions, sky_cautions, solution_cautions
from hstmosaic.plan.exposures import read_exposure
from hstmosaic.plan.solutions import solution_of

SOLUTIONS = [
    ("OPUS", "not aligned"),
    ("IDC_2731450pi", "not aligned"),
    ("idc_2731450pi", "not aligned"),
    ("IDC_2731450pi-GSC240", "a priori (GSC240)"),
    ("OPUS-HSC30", "a priori (HSC30)"),
    ("IDC_2731450pi-FIT_REL_GAIAeDR3", "a posteriori (GAIAEDR3, exposures of a visit together)"),
    ("IDC_2731450pi-FIT_IMG_GAIADR2", "a posteriori (GAIADR2, exposure by exposure)"),
    ("IDC_2731450pi-FIT_SVM_GAIAeDR3", "a posteriori (GAIAEDR3, visit by visit)"),
    ("IDC_2731450pi-FIT_MVM_GAIAeDR3", "a posteriori (GAIAEDR3, all visits together)"),
    ("TWEAK", "user-defined (TWEAK)"),
    ("", "user-defined ()"),
]


@pytest.mark.parametrize(
    ("primary", "shown"),
    [
        ({"FGSLOCK": "GYROS"}, "FGSLOCK=GYROS"),
        ({"FGSLOCK": "FINE/GYRO"}, "FGSLOCK=FINE/GYRO"),
        ({"FGSLOCK": "COARSE"}, "FGSLOCK=COARSE"),
        ({"QUALITY": "LOCKLOST"}, "QUALITY=LOCKLOST"),
        ({"EXPFLAG": "INTERRUPTED"}, "EXPFLAG=INTERRUPTED"),
    ],
)
def test_unusual_header_is_pointed_out(make, primary, shown):
    exposures = [make("icab01a0q_flc.fits"), make("icab01a1q_flc.fits", primary=primary)]
    (note,) = exposure_cautions(exposures)
    assert note.startswith(f"icab01a1q_flc.fits: {shown}: ")


@pytest.mark.parametrize("primary", [{}, {"QUALITY": " "}, {"EXPFLAG": None, "QUALITY": None}])
def test_usual_header_is_not(make, primary):
    assert not exposure_cautions([make("icab01a0q_flc.fits", primary=primary)])


def test_same_caution_of_many_exposures_is_one_note(make):
    exposures = [make(f"icab01a{n}q_flc.fits", primary={"FGSLOCK": "GYROS"}) for n in range(10)]
    exposures += [make(f"icab01b{n}q_flc.fits", primary={"FGSLOCK": "GYROS"}) for n in range(2)]
    (note,) = exposure_cautions(exposures)
    assert "icab01a9q_flc.fits and 2 more: FGSLOCK=GYROS" in note


def test_exposure_kept_against_its_header_is_pointed_out(tmp_path, make):
    exposure = make("icab01a0q_flc.fits", primary={"QUALITY": "GSFAIL"})
    notes = make_plan([str(exposure.path)], keep=[exposure.rootname]).notes
    assert any("QUALITY=GSFAIL" in note for note in notes)


@pytest.mark.parametrize(("wcsname", "solution"), SOLUTIONS)
def test_solution_is_read_from_wcsname(wcsname, solution):
    assert solution_of(wcsname) == solution


@pytest.mark.upstream
@pytest.mark.parametrize(("wcsname", "solution"), [case for case in SOLUTIONS if "MVM" not in case[0]])
def test_kind_of_solution_as_upstream(wcsname, solution):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from drizzlepac.updatehdr import interpret_wcsname_type
    kind = solution.split(" (")[0]
    assert kind in interpret_wcsname_type(wcsname)


def test_different_solutions_are_pointed_out(make):
    names = ["IDC_a-FIT_REL_GAIAeDR3", "IDC_b-FIT_REL_GAIAeDR3", "IDC_a", "IDC_a-GSC240"]
    exposures = [make(f"icab01a{n}q_flc.fits", science={"WCSNAME": name}) for n, name in enumerate(names)]
    assert not solution_cautions(exposures[:2])
    (note,) = solution_cautions(exposures)
    assert "a posteriori (GAIAEDR3, exposures of a visit together): icab01a0q_flc.fits, icab01a1q_flc.fits;" in note
    assert "not aligned: icab01a2q_flc.fits;" in note
    assert note.endswith("a priori (GSC240): icab01a3q_flc.fits")
    assert note in make_plan([str(exposure.path) for exposure in exposures]).notes


def test_chips_of_different_solutions_are_pointed_out(make):
    path = make("icab01a0q_flc.fits").path
    with fits.open(path, mode="update") as hdus:
        hdus["SCI", 2].header["WCSNAME"] = "IDC_2731450pi-GSC240"
    (note,) = exposure_cautions([read_exposure(path)])
    assert "WCSNAME=IDC_2731450pi-FIT_REL_GAIAeDR3 and IDC_2731450pi-GSC240: " in note


@pytest.mark.parametrize(("exposures", "matched"), [(1, None), (2, False), (4, True)])
def test_unmatched_skies_are_pointed_out(make, exposures, matched):
    """Two exposures side by side have one chip over a pixel; four on the same spot have more."""
    step = 0.0 if exposures > 2 else 0.01
    made = [make(f"icab01a{n}q_flc.fits", position=(150 + n * step, 2.0), shape=(100, 100)) for n in range(exposures)]
    plan = make_plan([str(exposure.path) for exposure in made])
    notes = [note for note in plan.notes if "seams" in note]
    assert notes == sky_cautions(plan.layers)
    assert bool(notes) == (matched is False)
    assert f"(skies {'matched' if matched else 'not matched'})" in describe_plan(plan)
    if notes:
        assert notes[0].startswith("wfc3_uvis_f606w: 1.00 chips over a pixel")
