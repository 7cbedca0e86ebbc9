"""Memory that tasks may claim on the local machine."""

from types import SimpleNamespace

import pytest

from hstmosaic.run.pool import local as cluster

GB = 10**9


@pytest.mark.parametrize(
    ("available", "limit", "usable"),
    [(20 * GB, 24 * GB, 18_000), (20 * GB, 2 * GB, 1_800)],
    ids=["full page cache", "cgroup limit"],
)
def test_memory_is_the_least_of_available_and_limit(monkeypatch, available, limit, usable):
    memory = SimpleNamespace(free=GB // 2, available=available, total=24 * GB)
    monkeypatch.setattr(cluster.psutil, "virtual_memory", lambda: memory)
    monkeypatch.setattr(cluster.system, "memory_limit", lambda: limit)
    assert cluster.usable_memory_mb() == usable
