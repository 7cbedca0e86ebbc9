"""The doctor on the local profile."""

import pytest

from hstmosaic.run import doctor
from hstmosaic.run.pool.machine_limits import Memory
from hstmosaic.run.profiles.profile import load_profile


@pytest.mark.parametrize(("memory_mb", "good"), [(1800, True), (200, False)])
def test_memory_is_shown_with_the_name_of_its_limit(tmp_path, monkeypatch, memory_mb, good):
    monkeypatch.setattr(doctor, "usable_memory", lambda: Memory("cgroup", memory_mb))
    machine = doctor.examine(load_profile("local"), tmp_path)[-1]
    assert machine.good is good
    assert f"{memory_mb} MB (cgroup)" in machine.words
