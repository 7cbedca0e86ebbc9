"""Files appear whole or not at all, whatever goes wrong while they are written."""

import os
import resource
from contextlib import contextmanager

import pytest
from PIL import Image

from hstmosaic.products.canvas import save_whole
from hstmosaic.products.gather import Gathered, publish
from hstmosaic.store.files import atomic_draft, write_atomically

LIMIT = 4096


@contextmanager
def little_room():
    """Let the system refuse to write more than a few kilobytes, as where the disk is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (LIMIT, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def _publish(path):
    source = path.with_name("work")
    source.mkdir()
    (source / "copy").write_bytes(bytes(2 * LIMIT))
    with pytest.MonkeyPatch.context() as patch, little_room():
        patch.setattr("pathlib.Path.hardlink_to", lambda *_: (_ for _ in ()).throw(OSError("no links here")))
        publish([(Gathered(path.name, 1, ""), source / "copy")], path.parent)


def _text(path):
    with little_room():
        write_atomically(path, "x" * 2 * LIMIT)


def _picture(path):
    noise = Image.frombytes("L", (100, 100), os.urandom(10_000))
    with little_room():
        save_whole(path, noise)


@pytest.mark.parametrize("write", [_text, _picture, _publish])
def test_a_full_disk_leaves_the_old_file_and_no_draft(tmp_path, write):
    path = tmp_path / "foo.png"
    path.write_text("old")
    with pytest.raises(OSError, match="too large"):
        write(path)
    assert path.read_text() == "old"
    assert {entry.name for entry in tmp_path.iterdir() if entry.is_file()} == {"foo.png"}


def test_an_interrupt_leaves_no_draft(tmp_path):
    def interrupted():
        with atomic_draft(tmp_path / "foo.txt") as draft:
            draft.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert list(tmp_path.iterdir()) == []


def test_a_draft_of_a_killed_process_is_replaced(tmp_path):
    (tmp_path / ".foo.txt.part").write_text("half of an older one")
    with atomic_draft(tmp_path / "foo.txt") as draft:
        assert not draft.exists()
        draft.write_text("new")
    assert [path.read_text() for path in tmp_path.iterdir()] == ["new"]
