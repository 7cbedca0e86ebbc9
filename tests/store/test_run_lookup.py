"""One way to name a run: its output directory, its run directory, or a file in either."""

import pytest

from hstmosaic.errors import OutputError
from hstmosaic.store.run_directory import RunDirectory
from hstmosaic.store.run_lookup import find_run


def make_run(output, prefix):
    run = RunDirectory(output / f"{prefix}_run")
    run.log_file.parent.mkdir(parents=True)
    run.log_file.touch()
    for name in ("provenance.json", "wfc3_ir_f160w_all_drz.fits"):
        (output / f"{prefix}_{name}").touch()
    return run.path


@pytest.mark.parametrize("named", [".", "foo_run", "foo_run/logs/run.jsonl", "foo_run/logs", "foo_provenance.json"])
def test_a_run_is_found_by_each_of_its_places(tmp_path, named):
    run = make_run(tmp_path, "foo")
    assert find_run(tmp_path / named).path == run
    assert find_run(tmp_path / named).prefix == "foo"


def test_a_file_belongs_to_the_run_with_the_longest_prefix(tmp_path):
    short, long = make_run(tmp_path, "foo"), make_run(tmp_path, "foo_bar")
    assert find_run(tmp_path / "foo_bar_provenance.json").path == long
    assert find_run(tmp_path / "foo_wfc3_ir_f160w_all_drz.fits").path == short


def test_several_runs_are_listed(tmp_path):
    make_run(tmp_path, "foo")
    make_run(tmp_path, "bar")
    with pytest.raises(OutputError, match=r"contains 2 runs: bar_run, foo_run"):
        find_run(tmp_path)


@pytest.mark.parametrize(
    ("named", "cause"),
    [("absent", "does not exist"), (".", "does not contain one"), ("other.txt", "does not belong to a run")],
)
def test_other_paths_are_errors(tmp_path, named, cause):
    (tmp_path / "other.txt").touch()
    with pytest.raises(OutputError, match=cause) as caught:
        find_run(tmp_path / named)
    assert "output directory" in caught.value.next_step
