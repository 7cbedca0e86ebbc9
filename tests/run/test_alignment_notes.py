"""What an alignment leaves in the headers of products and in the run directory."""

from types import SimpleNamespace

import pytest

from hstmosaic.errors import AlignmentError
from hstmosaic.run.aligner import Aligner, alignment_notes
from hstmosaic.run.alignment import AlignedRun

OUTCOME = {"shift_mas": (120.0, -30.0), "rotation_deg": 0.02, "scale": 1.0, "matches": 90, "rms_mas": (2.0, 3.0)}
FIT = {"catalog": "GAIAeDR3", "fitgeom": "rscale", "matches": 140, "rms_mas": (2.0, 3.0)}


@pytest.fixture
def notes():
    data = FIT | {"exposures": {"a": OUTCOME, "b": OUTCOME}, "left_out": {"c": "it has no stars"}}
    return alignment_notes(AlignedRun(plan=None, aligned=True, data=data))


def keywords(notes, *exposures):
    return {keyword: value for keyword, value, _ in notes.keywords(exposures)}


def test_products_tell_of_the_fit_that_their_exposures_took_part_in(notes):
    for exposures in (("a", "b"), ("c", "b")):
        cards = keywords(notes, *exposures)
        assert (cards["ALIGNED"], cards["ALNCAT"], cards["ALNMATCH"]) == (True, "GAIAeDR3", 140)


def test_a_product_of_exposures_that_the_fit_left_out_is_not_aligned(notes):
    assert keywords(notes, "c") == {"ALIGNED": False}
    assert notes.records(["c"]) == ("c keeps its WCS: it has no stars",)


def test_without_a_fit_no_product_is_aligned():
    assert keywords(alignment_notes(AlignedRun(plan=None, aligned=False)), "a") == {"ALIGNED": False}


def test_an_alignment_that_fails_leaves_no_outcome_of_an_earlier_one(tmp_path, monkeypatch):
    def fails(*_):
        raise AlignmentError("no good fit")

    monkeypatch.setattr("hstmosaic.run.aligner.align_exposures", fails)
    (tmp_path / "alignment.json").write_text('{"aligned": true}')
    aligner = Aligner(SimpleNamespace(path=tmp_path), None, None, None)
    with pytest.raises(AlignmentError):
        aligner(None, [])
    assert not (tmp_path / "alignment.json").exists()
