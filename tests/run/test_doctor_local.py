"""The doctor on the local profile."""

import numpy as np
import pytest

from helpers.catalog_service import Stars, catalog_service
from hstmosaic.run import doctor
from hstmosaic.run.pool.machine_limits import Memory
from hstmosaic.run.profiles.profile import load_profile
from hstmosaic.run.stages.catalog import Service

ONE_STAR = Stars(np.array([83.82]), np.array([-5.39]), np.array([15.0]), np.zeros(1), np.zeros(1), np.array([0.1]))


@pytest.fixture
def examined(monkeypatch, tmp_path):
    """Examine this machine with a catalogue service that answers in some mode; return findings by name."""

    def examine(mode="good", output=tmp_path):
        with catalog_service(ONE_STAR, mode) as service:
            monkeypatch.setenv("ASTROMETRIC_CATALOG_URL", service.url)
            return {finding.what: finding for finding in doctor.examine(load_profile("local"), output)}

    return examine


def test_a_healthy_machine_passes_all_checks(examined, monkeypatch):
    monkeypatch.setattr(doctor, "is_compiled", lambda: True)
    findings = examined()
    assert [str(finding)[:4] for finding in findings.values()] == ["ok  "] * 6
    assert list(findings) == [
        "this installation", "drizzle kernel", "output directory", "memory", "cores", "catalogue service",
    ]  # fmt: skip
    assert "MB free" in findings["output directory"].message
    assert "1 source in a test cone" in findings["catalogue service"].message


def test_a_missing_kernel_is_a_note(examined, monkeypatch):
    monkeypatch.setattr(doctor, "is_compiled", lambda: False)
    monkeypatch.setattr(doctor, "is_possible", lambda: True)
    kernel = examined()["drizzle kernel"]
    assert kernel.passed
    assert str(kernel).startswith("note  drizzle kernel: drizzlepac's, which is slower; install gcc and python3-dev")


@pytest.mark.parametrize(("memory_mb", "good"), [(1800, True), (200, False)])
def test_memory_is_that_of_the_scheduler_with_its_limit(examined, monkeypatch, memory_mb, good):
    monkeypatch.setattr(doctor, "usable_memory", lambda: Memory("cgroup", memory_mb))
    memory = examined()["memory"]
    assert memory.good is memory.passed is good
    assert f"{memory_mb} MB (cgroup)" in memory.message
    assert ("raise the limit (cgroup)" in memory.next_step) == (not good)


@pytest.mark.parametrize("mode", ["500", "404", "rubbish", "cut"])
def test_a_catalogue_service_that_fails_is_a_note(examined, mode):
    service = examined(mode)["catalogue service"]
    assert (service.good, service.passed) == (False, True)
    assert "--catalog FILE" in service.next_step
    assert str(service).startswith("note  catalogue service: ")


def test_a_service_that_is_down_is_a_note():
    found = doctor.check_service(Service(url="http://127.0.0.1:1", cache=None, timeout=5.0, attempts=1))
    assert found.passed
    assert "does not answer http://127.0.0.1:1/" in found.message


def test_a_full_disk_fails_with_what_to_do(examined, monkeypatch):
    monkeypatch.setattr(doctor, "_ROOM_MB", 10**12)
    output = examined()["output directory"]
    assert str(output).startswith("FAIL  output directory: ")
    assert not output.passed
    assert "free some space or choose another --output-dir" in str(output)


def test_a_missing_package_fails_with_what_to_do(examined, monkeypatch):
    monkeypatch.setattr(doctor, "versions", lambda: {"python": "3.11", "drizzlepac": "missing"})
    installation = examined()["this installation"]
    assert not installation.passed
    assert str(installation).endswith("drizzlepac missing; install hstmosaic with its dependencies")
