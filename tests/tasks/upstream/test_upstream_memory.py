"""Memory errors that drizzlepac catches end the task."""

from collections import defaultdict
from unittest.mock import MagicMock

import pytest
from drizzlepac import sky

from hstmosaic.store.result_files import ANSWER_FILE, read_result
from hstmosaic.store.spec_files import spec_to_json
from hstmosaic.store.task_specs import SPEC_FILE, StubSpec
from hstmosaic.tasks import execute
from hstmosaic.tasks.upstream import memory

pytestmark = pytest.mark.upstream


@pytest.fixture
def match_skies(monkeypatch):
    """Match skies of a made-up exposure without enough memory."""

    def skymatch(*_, skymethod, **__):
        raise MemoryError("3 GiB") if skymethod == "match" else RuntimeError(f"sky of method {skymethod}")

    monkeypatch.setattr(sky, "FileExtMaskInfo", lambda **_: MagicMock(count=0))
    monkeypatch.setattr(sky, "skymatch", skymatch)
    parameters = defaultdict(lambda: None, skymethod="match")
    return lambda: sky._skymatch([MagicMock()], parameters, in_memory=True, clean=True, logfile=None)


def test_a_memory_error_in_sky_matching_is_caught_upstream(match_skies):
    with pytest.raises(RuntimeError, match="localmin"):  # where drizzlepac raises MemoryError, drop the repair
        match_skies()


def test_a_memory_error_in_sky_matching_ends_the_task(match_skies):
    memory.end_on_memory_error_in_sky()
    with pytest.raises(memory.OutOfMemoryError, match="3 GiB"):
        match_skies()
    assert not issubclass(memory.OutOfMemoryError, Exception)


def test_what_drizzlepac_let_pass_is_answered_as_a_memory_error(tmp_path, monkeypatch):
    def drizzle(_):
        raise memory.OutOfMemoryError("3 GiB")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(execute, "stub", drizzle)
    (tmp_path / SPEC_FILE).write_text(spec_to_json(StubSpec()))
    assert not execute.execute(tmp_path, tmp_path / "work")
    assert read_result(tmp_path, ANSWER_FILE).error == "MemoryError: 3 GiB"
