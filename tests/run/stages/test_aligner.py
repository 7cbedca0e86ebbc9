"""What an alignment leaves in the run directory."""

import pytest

from hstmosaic.errors import AlignmentError
from hstmosaic.run.stages.aligner import Aligner
from hstmosaic.store.run_directory import RunDirectory


def test_an_alignment_that_fails_leaves_no_outcome_of_an_earlier_one(tmp_path, monkeypatch):
    def fails(*_):
        raise AlignmentError("no good fit")

    monkeypatch.setattr("hstmosaic.run.stages.aligner.align_exposures", fails)
    (tmp_path / "alignment.json").write_text('{"aligned": true}')
    aligner = Aligner(RunDirectory(tmp_path), None, None, None)
    with pytest.raises(AlignmentError):
        aligner(None, [])
    assert not (tmp_path / "alignment.json").exists()
