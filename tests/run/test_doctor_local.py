"""The doctor on the local profile."""

import socket

import pytest

from hstmosaic.run import doctor
from hstmosaic.run.pool.machine_limits import Memory
from hstmosaic.run.profiles.profile import load_profile
from hstmosaic.run.stages.catalog import URL_VARIABLE


@pytest.mark.parametrize(("memory_mb", "good"), [(1800, True), (200, False)])
def test_memory_is_shown_with_the_name_of_its_limit(tmp_path, monkeypatch, memory_mb, good):
    monkeypatch.setattr(doctor, "usable_memory", lambda: Memory("cgroup", memory_mb))
    machine = next(found for found in doctor.examine(load_profile("local"), tmp_path) if found.what == "this machine")
    assert machine.good is good
    assert f"{memory_mb} MB (cgroup)" in machine.words


@pytest.fixture
def service(monkeypatch):
    """A port of the loopback interface as the catalogue service."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setenv(URL_VARIABLE, f"http://127.0.0.1:{server.getsockname()[1]}/x")
        yield server


def checked(name, folder):
    return next(found for found in doctor.examine(load_profile("local"), folder) if found.what == name)


def test_a_missing_catalogue_service_is_a_note_with_a_next_step(tmp_path, service):
    assert str(checked("catalogue service", tmp_path)).startswith("ok  ")
    service.close()
    found = checked("catalogue service", tmp_path)
    assert str(found).startswith("note  catalogue service: cannot connect to 127.0.0.1 (")
    assert "--catalog FILE" in found.words
    assert found.passed


def test_free_space_is_shown_and_a_failed_check_is_labelled(tmp_path):
    assert "GB free" in checked("output directory", tmp_path / "new").words
    (tmp_path / "file").touch()
    failed = checked("output directory", tmp_path / "file")
    assert str(failed).startswith("FAIL  output directory: ")
    assert not failed.passed
