"""Roles, memory and folders of the processes of an allocation."""

import pytest
from distributed import Client, LocalCluster

from hstmosaic.errors import ClusterError
from hstmosaic.run.pool.machine_limits import Memory
from hstmosaic.run.profiles.profile import Profile
from hstmosaic.run.slurm import allocation
from hstmosaic.run.slurm.allocation import local_directory, memory_per_task, pinned_path, wait_for_workers
from hstmosaic.run.slurm.tls import run_keys


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


def test_without_a_limit_processes_share_the_node(monkeypatch):
    monkeypatch.setattr(allocation, "usable_memory", lambda **_: Memory("cgroup", 8000))
    one, four = (memory_per_task({"SLURM_TASKS_PER_NODE": count, "SLURM_MEM_PER_NODE": "0"}) for count in ("1", "4"))
    assert (one, four) == (8000, 2000)


def test_the_directory_of_workers(monkeypatch, tmp_path):
    monkeypatch.setenv("SOME_DISK", str(tmp_path))
    assert local_directory("$SOME_DISK") == str(tmp_path)
    assert local_directory(None)
    with pytest.raises(ClusterError, match=r"cannot write to '\$OTHER_DISK/x' on"):
        local_directory("$OTHER_DISK/x")


@pytest.mark.parametrize("environment", [{}, {"SLURM_PROCID": "0", "SLURM_NTASKS": "2"}])
def test_a_process_outside_of_an_allocation_is_an_error(environment, monkeypatch, tmp_path):
    for name in ("SLURM_PROCID", "SLURM_NTASKS"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with (
        pytest.raises(ClusterError, match=r"srun did not start this|2 tasks of srun cannot"),
        allocation.allocation_client(Profile("inside", "allocation"), tmp_path, print),
    ):
        pass


@pytest.fixture
def worker(monkeypatch, tmp_path):
    """Set the variables of a worker of an allocation; return the folder of its scheduler."""
    for name, value in {"PROCID": "2", "NTASKS": "3", "JOB_ID": "77", "STEP_ID": "0"}.items():
        monkeypatch.setenv(f"SLURM_{name}", value)
    monkeypatch.delenv("SLURM_RESTART_COUNT", raising=False)
    folder = tmp_path / ".hstmosaic-77.0.0"
    run_keys(folder)
    (folder / "scheduler.json").write_text('{"address": "tls://127.0.0.1:1"}')
    return folder


def take_part(output):
    with allocation.allocation_client(Profile("inside", "allocation"), output, print, timeout=0.0):
        pass


def test_a_folder_open_to_other_users_is_rejected(worker, tmp_path, monkeypatch):
    worker.chmod(0o750)
    with pytest.raises(ClusterError, match="accessible to other users"):
        take_part(tmp_path)
    worker.chmod(0o700)
    # a folder of another user cannot be made here, so this process says that it is another
    monkeypatch.setattr("os.getuid", lambda: worker.stat().st_uid + 1)
    with pytest.raises(ClusterError, match="accessible to other users"):
        take_part(tmp_path)


def test_a_link_in_place_of_the_folder_is_rejected(worker, tmp_path):
    worker.rename(tmp_path / "elsewhere")
    worker.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ClusterError, match="Not a directory"):
        take_part(tmp_path)


def test_a_folder_that_is_replaced_later_is_not_read(worker, tmp_path):
    own = pinned_path(worker)
    mine = (worker / "key.pem").read_text()
    worker.rename(tmp_path / "elsewhere")
    run_keys(worker)
    assert (own / "key.pem").read_text() == mine != (worker / "key.pem").read_text()


def test_a_requeued_job_waits_for_its_new_scheduler(worker, tmp_path, monkeypatch):
    monkeypatch.setenv("SLURM_RESTART_COUNT", "1")
    with pytest.raises(ClusterError, match=r"\.hstmosaic-77\.0\.1 did not appear"):
        take_part(tmp_path)


@pytest.fixture
def one_worker():
    """A client of a scheduler that has one worker."""
    with (
        LocalCluster(
            n_workers=1, processes=False, dashboard_address="127.0.0.1:0", protocol="inproc://", silence_logs=50
        ) as cluster,
        Client(cluster.scheduler_address) as client,
    ):
        yield client


def test_missing_workers_are_a_warning(one_worker):
    warnings = []
    wait_for_workers(one_worker, 1, warnings.append, 0.1)
    assert warnings == []
    wait_for_workers(one_worker, 3, warnings.append, 0.1)
    (warning,) = warnings
    assert warning.startswith("1 of 3 workers connected within 0.1 s")


def test_an_allocation_without_workers_is_an_error(one_worker):
    one_worker.retire_workers()
    with pytest.raises(ClusterError, match="none of 3 workers connected"):
        wait_for_workers(one_worker, 3, print, 0.1)
