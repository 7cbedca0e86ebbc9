"""What an alignment leaves in the headers of products and in the run directory."""

import pytest

from hstmosaic.errors import AlignmentError
from hstmosaic.run.stages.aligner import Aligner, alignment_notes
from hstmosaic.run.stages.alignment import AlignedRun
from hstmosaic.store.alignment_results import AlignmentResult, ExposureFit
from hstmosaic.store.run_directory import RunDirectory


def outcome(stars, rms):
    return ExposureFit((120.0, -30.0), 0.02, 1.0, 100, 90, (2.0, 3.0), stars, (rms, 2 * rms))


@pytest.fixture
def notes():
    exposures = {"a": outcome(140, 2.0), "b": outcome(20, 40.0), "d": outcome(30, 9.0)}
    left_out = {"c": "it has no stars"}
    found = AlignmentResult(aligned=True, left_out=left_out, catalog="GAIAeDR3", fitgeom="rscale", exposures=exposures)
    return alignment_notes(AlignedRun(plan=None, result=found))


def keywords(notes, *exposures):
    return {keyword: value for keyword, value, _ in notes.keywords(exposures)}


def test_products_tell_of_the_fit_that_their_exposures_took_part_in(notes):
    for exposures, stars, rms in ((("a",), 140, 2.0), (("c", "a"), 140, 2.0), (("a", "d", "b"), 20, 40.0)):
        cards = keywords(notes, *exposures)
        assert (cards["ALIGNED"], cards["ALNCAT"], cards["ALNGEOM"]) == (True, "GAIAeDR3", "rscale")
        assert (cards["ALNMATCH"], cards["ALNRMSRA"], cards["ALNRMSDE"]) == (stars, rms, 2 * rms)


def test_a_product_of_exposures_that_the_fit_left_out_is_not_aligned(notes):
    assert keywords(notes, "c") == {"ALIGNED": False}
    assert notes.records(["c"]) == ("c keeps its WCS: it has no stars",)


def test_without_a_fit_no_product_is_aligned():
    assert keywords(alignment_notes(AlignedRun(plan=None, result=AlignmentResult(aligned=False))), "a") == {
        "ALIGNED": False
    }


def test_an_alignment_that_fails_leaves_no_outcome_of_an_earlier_one(tmp_path, monkeypatch):
    def fails(*_):
        raise AlignmentError("no good fit")

    monkeypatch.setattr("hstmosaic.run.stages.aligner.align_exposures", fails)
    (tmp_path / "alignment.json").write_text('{"aligned": true}')
    aligner = Aligner(RunDirectory(tmp_path), None, None, None)
    with pytest.raises(AlignmentError):
        aligner(None, [])
    assert not (tmp_path / "alignment.json").exists()
