"""Headers of a product say how its own exposures were aligned."""

from dataclasses import replace

import pytest

from hstmosaic.products.header_notes import HeaderNotes
from hstmosaic.store.alignment_results import CARRIED, AlignmentResult, ExposureFit

FIT = ExposureFit((120.0, -30.0), 0.02, 1.0, 100, 90, (2.0, 3.0), 95, error_mas=(0.2, 0.3))


@pytest.fixture
def notes():
    exposures = {
        "a": FIT,
        "b": replace(FIT, matches=10, rms_mas=(7.0, 8.0), error_mas=(1.5, 0.1)),
        "with visit": replace(FIT, matches=0, rms_mas=None, status=CARRIED, reason="it has no sources"),
        "relative": replace(FIT, matches=0, rms_mas=None, absolute=False),
    }
    found = AlignmentResult(
        aligned=True, left_out={"kept": "no match"}, catalog="GAIAeDR3", fitgeom="rscale", exposures=exposures
    )
    return HeaderNotes(found)


def keywords(notes, *exposures):
    return {keyword: value for keyword, value, _ in notes.keywords(exposures)}


def test_numbers_are_those_of_the_products_own_exposures(notes):
    cards = keywords(notes, "a", "b")
    assert (cards["ALIGNED"], cards["ALNCAT"], cards["ALNGEOM"], cards["ALNMATCH"]) == (True, "GAIAeDR3", "rscale", 100)
    assert cards["ALNRMSRA"] == pytest.approx(((90 * 2.0**2 + 10 * 7.0**2) / 100) ** 0.5, abs=1e-3)
    assert cards["ALNRMSDE"] == pytest.approx(((90 * 3.0**2 + 10 * 8.0**2) / 100) ** 0.5, abs=1e-3)
    assert (cards["ALNERRRA"], cards["ALNERRDE"]) == (1.5, 0.3)
    assert keywords(notes, "a")["ALNRMSRA"] == 2.0


def test_an_exposure_that_follows_its_visit_is_aligned(notes):
    assert keywords(notes, "a", "with visit")["ALIGNED"]
    (record,) = notes.records(["with visit"])
    assert record.startswith("with visit aligned as its visit: +120.0 mas east, -30.0 mas north")


@pytest.mark.parametrize("others", [("kept",), ("relative",), ("a", "kept"), ("a", "relative")])
def test_a_product_is_aligned_only_if_all_its_exposures_are(notes, others):
    assert keywords(notes, *others) == {"ALIGNED": False}


def test_history_names_exposures_that_kept_their_wcs(notes):
    assert notes.records(["kept", "other"]) == ("kept keeps its WCS: no match",)
    assert "other exposures only" in notes.records(["relative"])[0]


def test_without_alignment_there_are_no_records():
    assert HeaderNotes().keywords(["a"]) == HeaderNotes().records(["a"]) == ()


def test_without_a_fit_no_product_is_aligned():
    assert keywords(HeaderNotes(AlignmentResult(aligned=False)), "a") == {"ALIGNED": False}


def test_comments_fit_after_their_values(notes):
    for keyword, value, comment in notes.keywords(["a", "b"]):
        assert len(f"{keyword:8}= {value!s:>20} / {comment}") <= 80
