"""What a process of an allocation learns from Slurm's variables."""

import pytest

from hstmosaic.errors import ClusterError
from hstmosaic.run.allocation import local_directory, memory_per_task


@pytest.mark.parametrize(
    ("environment", "memory_mb"),
    [
        ({"SLURM_MEM_PER_CPU": "4000"}, 4194),
        ({"SLURM_MEM_PER_CPU": "4000", "SLURM_CPUS_PER_TASK": "2"}, 8388),
        ({"SLURM_MEM_PER_NODE": "64000", "SLURM_STEP_TASKS_PER_NODE": "16(x2),4"}, 4194),
        ({"SLURM_MEM_PER_NODE": "64000", "SLURM_TASKS_PER_NODE": "4,16"}, 4194),
    ],
)
def test_memory_of_a_worker(environment, memory_mb):
    assert memory_per_task(environment) == memory_mb


def test_without_a_limit_the_node_is_shared_evenly():
    one, four = (memory_per_task({"SLURM_TASKS_PER_NODE": count, "SLURM_MEM_PER_NODE": "0"}) for count in ("1", "4"))
    assert one > 100
    assert one / four == pytest.approx(4, rel=0.01)


def test_the_directory_of_workers(monkeypatch, tmp_path):
    monkeypatch.setenv("SOME_DISK", str(tmp_path))
    assert local_directory("$SOME_DISK") == str(tmp_path)
    assert local_directory(None)
    with pytest.raises(ClusterError, match=r"no directory '\$OTHER_DISK/x' that can be written on"):
        local_directory("$OTHER_DISK/x")


@pytest.mark.parametrize("environment", [{}, {"SLURM_PROCID": "0", "SLURM_NTASKS": "2"}])
def test_what_is_no_allocation_is_an_error(environment, monkeypatch, tmp_path):
    from hstmosaic.run.allocation import allocation_client
    from hstmosaic.run.profile import Profile

    for name in ("SLURM_PROCID", "SLURM_NTASKS"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with (
        pytest.raises(ClusterError, match=r"srun has not started this|too few"),
        allocation_client(Profile("inside", "allocation"), tmp_path),
    ):
        pass
