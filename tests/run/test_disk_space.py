"""Whether there is room for what a run will make."""

import os
from contextlib import contextmanager

import pytest

from hstmosaic.errors import OutputError
from hstmosaic.run.disk_space import check_room


def test_room_is_checked_where_the_output_will_be(tmp_path):
    check_room(tmp_path / "not" / "yet" / "there", needed_mb=1)
    with pytest.raises(OutputError, match="MB left"):
        check_room(tmp_path, needed_mb=10**12)
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="not a directory"):
        check_room(tmp_path / "file" / "below", needed_mb=1)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file"]


@contextmanager
def without_privileges():
    """Do as another user where the tests run as root, who may look into every folder."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


def test_an_output_directory_that_cannot_be_looked_for_is_refused(tmp_path):
    closed = tmp_path / "closed"
    closed.mkdir(mode=0)
    with without_privileges(), pytest.raises(OutputError, match="no permission") as caught:
        check_room(closed / "out", needed_mb=1)
    assert caught.value.exit_code == 4
    closed.chmod(0o700)


def test_an_output_directory_that_is_not_writable_is_refused(tmp_path, monkeypatch):
    # root may write everywhere, so the system's answer is faked
    monkeypatch.setattr("os.access", lambda *_: False)
    with pytest.raises(OutputError, match="not writable"):
        check_room(tmp_path, needed_mb=1)
