"""Pictures that a worker draws."""

import shutil
from concurrent.futures import Future

import pytest

from hstmosaic.products.run_record import read_record
from hstmosaic.run import pictures
from hstmosaic.run.driver import run_mosaic
from hstmosaic.run.open_pool import open_pool
from hstmosaic.run.options import RunOptions
from hstmosaic.run.profiles.profile import load_profile
from hstmosaic.store.events import EventLog
from hstmosaic.store.run_directory import RunDirectory

pytestmark = pytest.mark.upstream


@pytest.fixture(scope="module")
def made(simulated, tmp_path_factory):
    """A run with mosaics."""
    output = tmp_path_factory.mktemp("out")
    options = RunOptions(str(simulated.demo(300).list), "foo", skip_alignment=True, output=output)
    return run_mosaic(options, lambda event: None)


@pytest.fixture
def directory(made, tmp_path):
    output = tmp_path / "out"
    shutil.copytree(made.directory.parent, output)
    return RunDirectory(output / made.directory.name)


def draw(made, directory, events):
    with open_pool(load_profile("local"), directory, events, 1) as pool:
        return pictures.draw_on_worker(made.plan, directory, pool, events)


def test_a_worker_draws_what_the_driver_would(made, directory):
    before = {file.name: (directory.output / file.name) for file in read_record(directory.path).pictures.files}
    for picture in before.values():
        picture.unlink()
    events = []
    files = draw(made, directory, EventLog(events.append))
    assert {file.name for file in files} == before.keys()
    assert all(picture.exists() for picture in before.values())
    assert not directory.task("pictures").work.exists()
    # of 340 MB, most are the libraries
    took = directory.task("pictures").read_measured().max_rss_mb
    assert took < pictures.estimate_drawing(made.plan).memory_mb
    assert [event.kind for event in events if event.level != "debug"] == []


def test_pictures_that_fail_are_a_warning(made, directory):
    mosaic = next(directory.output.glob("*_drc.fits"))
    mosaic.write_text("broken")
    events = []
    assert draw(made, directory, EventLog(events.append)) == []
    (warning,) = [event for event in events if event.level == "warning"]
    assert f"hstmosaic report {directory.path}" in warning.message
    assert "Traceback" in warning.data["details"]


def test_the_driver_draws_where_no_worker_comes(made, directory, monkeypatch):
    class Idle:
        """A pool to which no worker comes, which on Slurm takes minutes to see."""

        def submit(self, folder, estimate):
            return Future()

    monkeypatch.setattr(pictures, "_PATIENCE", 0.0)
    monkeypatch.setattr(pictures, "estimate_pictures", lambda grids: 0.0)
    assert pictures.draw_on_worker(made.plan, directory, Idle(), EventLog(lambda event: None)) is None
