"""Exclusions: drizzlepac's header rules, strictness."""

from __future__ import annotations

import gc
import warnings
from dataclasses import replace

import pytest
from astropy.io import fits

from helpers.exposure_files import write_exposure
from hstmosaic.errors import BadInputError
from hstmosaic.plan.checks import (
    Exclusion,
    apply_strict,
    exclude_unusable,
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
UNGUIDED = ["GSFAIL", "tdf-down at expstart", "OK; GSFAIL"]
DROPPED = [
    ("uvis", {"primary": {"EXPTIME": -1.0}}, "EXPTIME=-1.0: nothing was exposed"),
    ("ir", {"primary": {"EXPTIME": 0.0}}, "EXPTIME=0.0: nothing was exposed"),
    ("uvis", {"science": {"NGOODPIX": 0}}, "NGOODPIX=0: no pixel is good"),
    ("wfc", {"science": {"NGOODPIX": 0}}, "NGOODPIX=0: no pixel is good"),
]
"""What stsci.tools drops before anything is drizzled."""
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


@pytest.mark.parametrize(("detector", "changes", "shown"), DROPPED)
def test_dropped_by_drizzlepac(tmp_path, detector, changes, shown):
    path = write_exposure(
        tmp_path, f"{'j' if detector == 'wfc' else 'i'}cab01a0q_flt.fits", detector=detector, **changes
    )
    kept, (excluded,) = exclude_unusable([read_exposure(path)])
    assert (kept, excluded.reason) == ([], shown)


def test_good_pixels_are_summed_over_chips(tmp_path):
    path = write_exposure(tmp_path)
    with fits.open(path, mode="update") as hdus:
        hdus["SCI", 1].header["NGOODPIX"] = 0
    assert exclude_unusable([exposure := read_exposure(path)]) == ([exposure], [])


@pytest.mark.upstream
@pytest.mark.parametrize(
    ("detector", "changes"), [case[:2] for case in DROPPED] + [(d, {"primary": c}) for d, c in GOOD]
)
def test_upstream_drops_the_same(tmp_path, detector, changes):
    from stsci.tools.check_files import checkFiles

    name = f"{'i' if detector in {'uvis', 'ir'} else 'j'}cab01a0q_flt.fits"
    path = write_exposure(tmp_path, name, detector=detector, **changes)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # it leaves files open
        left, _ = checkFiles([str(path)])
        gc.collect()
    assert bool(left) == bool(exclude_unusable([read_exposure(path)])[0])


@pytest.mark.parametrize("quality", UNGUIDED)
def test_failed_guiding_is_named(tmp_path, quality):
    exposure = read_exposure(written(tmp_path, "uvis", {"QUALITY": quality}))
    _, (excluded,) = exclude_unusable([exposure])
    assert excluded.reason == f"QUALITY={quality.upper()}: the guide stars were not acquired or were lost"
    assert "--keep" in excluded.next_step
    for name in (exposure.name, exposure.rootname):
        assert exclude_unusable([exposure], [name]) == ([exposure], [])


def test_keep_overrules_only_failed_guiding(tmp_path):
    exposure = read_exposure(written(tmp_path, "uvis", {"QUALITY": "GSFAIL", "MTFLAG": "T"}))
    _, (excluded,) = exclude_unusable([exposure], [exposure.name])
    assert "MTFLAG" in excluded.reason


@pytest.mark.upstream
@pytest.mark.parametrize("quality", [*UNGUIDED, "OK", "LOCKLOST", " "])
def test_guiding_as_upstream(tmp_path, quality):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from drizzlepac.haputils.analyze import verify_guiding

        path = written(tmp_path, "uvis", {"QUALITY": quality})
        failed = verify_guiding(str(path))
    assert failed == bool(exclude_unusable([read_exposure(path)])[1])


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


def test_strict():
    apply_strict([])
    excluded = [Exclusion("a_flc.fits", "MTFLAG=T", "go"), Exclusion("b_flc.fits", "EXPTIME=0.0", "home")]
    with pytest.raises(BadInputError) as caught:
        apply_strict(excluded)
    assert [problem.name for problem in caught.value.problems] == ["a_flc.fits", "b_flc.fits"]
    assert "MTFLAG=T" in str(caught.value)
