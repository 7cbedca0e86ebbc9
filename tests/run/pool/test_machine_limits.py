"""Memory and cores that tasks may use: the strictest of all limits, with its name."""

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from hstmosaic.run.pool.machine_limits import Memory, cores, memory_left, usable_memory

GB = 10**9
KIB = 1024
UNLIMITED_V1 = 9223372036854771712
OUTSIDE_SLURM = {}
LIMITS = """Limit                     Soft Limit           Hard Limit           Units
Max data size             {data:<20} unlimited            bytes
Max address space         {space:<20} unlimited            bytes
"""
V1 = "35 31 0:32 {top} /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
V1_CPU = "36 31 0:33 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
V2 = "31 23 0:28 {top} /sys/fs/cgroup rw - cgroup2 cgroup2 rw,nsdelegate\n"


@pytest.fixture
def machine(tmp_path):
    """Return a function that writes files of a machine with 20 GB available, and returns its root."""

    def write(files=(), space="unlimited", data="unlimited"):
        everywhere = {
            "proc/meminfo": f"MemTotal: {24 * GB // KIB} kB\nMemFree: 500000 kB\nMemAvailable: {20 * GB // KIB} kB\n"
            f"CommitLimit: {12 * GB // KIB} kB\nCommitted_AS: {5 * GB // KIB} kB\n",
            "proc/self/limits": LIMITS.format(space=space, data=data),
        }
        for name, text in (everywhere | dict(files)).items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{str(text).strip()}\n")
        return tmp_path

    return write


def version1(folder, limit, used=0, inactive=0, active=0):
    folder = f"sys/fs/cgroup/memory{folder}"
    return {
        f"{folder}/memory.limit_in_bytes": limit,
        f"{folder}/memory.usage_in_bytes": used,
        f"{folder}/memory.stat": f"cache 1\ntotal_inactive_file {inactive}\ntotal_active_file {active}",
    }


def version2(folder, limit, used=0, inactive=0, active=0, slab=0):
    folder = f"sys/fs/cgroup{folder}"
    return {
        f"{folder}/memory.max": limit,
        f"{folder}/memory.high": "max",
        f"{folder}/memory.current": used,
        f"{folder}/memory.stat": f"anon 1\ninactive_file {inactive}\nactive_file {active}\nslab_reclaimable {slab}",
    }


def in_version1(path="/job/step", top="/"):
    return {
        "proc/self/cgroup": f"4:memory:{path}\n1:cpu,cpuacct:{path}",
        "proc/self/mountinfo": V1.format(top=top) + V1_CPU,
    }


def in_version2(path="/job/step", top="/"):
    return {"proc/self/cgroup": f"0::{path}", "proc/self/mountinfo": V2.format(top=top)}


def test_a_full_page_cache_is_available(machine):
    assert memory_left(machine(), OUTSIDE_SLURM) == Memory("available memory", 20_000)


@pytest.mark.parametrize(
    "files",
    [
        in_version1() | version1("/job/step", 3 * GB, GB),
        in_version1() | version1("/job/step", UNLIMITED_V1, GB) | version1("/job", 3 * GB, GB),
        in_version1() | version1("/job/step", 3 * GB, GB) | version1("/job", 4 * GB, GB) | version1("", UNLIMITED_V1),
        in_version1() | version1("/job/step", 3 * GB) | version1("/job", 5 * GB, 3 * GB),
        in_version1() | version1("/job/step", 3 * GB, 3 * GB, GB, GB),
        in_version1("/docker/abc", "/docker/abc") | version1("", 2 * GB),
        in_version1("/../outside") | version1("", 2 * GB),
        in_version2() | version2("/job/step", 3 * GB, GB),
        in_version2() | version2("/job/step", "max", GB) | version2("/job", 3 * GB, GB),
        in_version2() | version2("/job/step", 3 * GB) | version2("/job", 5 * GB, 3 * GB),
        in_version2() | version2("/job/step", 3 * GB, 4 * GB, GB, GB, GB),
        in_version2() | version2("/job/step", 9 * GB) | {"sys/fs/cgroup/job/step/memory.high": 2 * GB},
        in_version2("/docker/abc", "/docker/abc") | version2("", 2 * GB),
        in_version2("/") | version2("", 2 * GB),
    ],
    ids=[
        "v1", "v1 parent", "v1 nested", "v1 siblings", "v1 page cache", "v1 container", "v1 outside",
        "v2", "v2 parent", "v2 siblings", "v2 page cache", "v2 high", "v2 container", "v2 namespace",
    ],
)  # fmt: skip
def test_the_cgroup_leaves_its_limit_without_what_is_used(machine, files):
    assert memory_left(machine(files), OUTSIDE_SLURM) == Memory("cgroup", 2_000)


@pytest.mark.parametrize(
    "files",
    [
        in_version1() | version1("/job/step", UNLIMITED_V1, GB) | version1("/elsewhere", GB),
        in_version2() | version2("/job/step", "max", GB) | version2("/elsewhere", GB),
        in_version2(),
        {"proc/self/cgroup": "4:memory:/job"},
    ],
    ids=["v1 unlimited", "v2 unlimited", "hidden", "not mounted"],
)
def test_without_a_limit_of_its_own_a_cgroup_is_ignored(machine, files):
    assert memory_left(machine(files), OUTSIDE_SLURM).limit == "available memory"


@pytest.mark.parametrize(
    ("limits", "left"),
    [
        ({"space": 4 * GB}, Memory("ulimit -v", 3_760)),
        ({"data": 3 * GB}, Memory("ulimit -d", 2_760)),
        ({"space": 100 * GB}, Memory("available memory", 20_000)),
    ],
)
def test_limits_of_the_shell(machine, limits, left):
    assert memory_left(machine(**limits), OUTSIDE_SLURM) == left


def test_a_kernel_that_never_overcommits(machine):
    assert memory_left(machine({"proc/sys/vm/overcommit_memory": "2"}), OUTSIDE_SLURM) == Memory("commit limit", 7_000)
    assert memory_left(machine({"proc/sys/vm/overcommit_memory": "0"}), OUTSIDE_SLURM).limit == "available memory"


@pytest.mark.parametrize(
    ("environment", "left"),
    [
        ({"SLURM_MEM_PER_NODE": "4000"}, Memory("Slurm job", 3_694)),
        ({"SLURM_MEM_PER_CPU": "1000", "SLURM_CPUS_ON_NODE": "4"}, Memory("Slurm job", 3_694)),
        ({"SLURM_MEM_PER_NODE": "0"}, Memory("available memory", 20_000)),
        ({}, Memory("available memory", 20_000)),
    ],
)
def test_a_job_without_a_cgroup(machine, environment, left):
    assert memory_left(machine(), environment | {"SLURMD_NODENAME": "n1"}) == left


def test_an_allocation_does_not_limit_the_login_node(machine):
    environment = {"SLURM_MEM_PER_NODE": "4000", "SLURM_CPUS_ON_NODE": "1"}
    assert memory_left(machine(), environment).limit == "available memory"
    assert cores(machine(), environment, affinity=8) == 8


def test_tasks_leave_a_tenth(machine):
    assert usable_memory(machine(in_version1() | version1("/job/step", 2 * GB)), OUTSIDE_SLURM) == Memory(
        "cgroup", 1_800
    )
    assert usable_memory(machine(space=GB // 10), OUTSIDE_SLURM) == Memory("ulimit -v", 1)


@pytest.mark.parametrize(
    ("files", "environment", "number"),
    [
        ({}, {}, 8),
        ({"sys/fs/cgroup/job/cpu.max": "200000 100000", "sys/fs/cgroup/job/step/cpu.max": "max 100000"}, {}, 2),
        ({"sys/fs/cgroup/job/step/cpu.max": "150000 100000"}, {}, 2),
        ({"sys/fs/cgroup/job/step/cpu.max": "5000 100000"}, {}, 1),
        ({}, {"SLURMD_NODENAME": "n1", "SLURM_CPUS_ON_NODE": "3"}, 3),
        ({}, {"SLURMD_NODENAME": "n1"}, 8),
    ],
)
def test_cores_are_the_least_of_affinity_quota_and_job(machine, files, environment, number):
    assert cores(machine(in_version2() | files), environment, affinity=8) == number


def test_cpu_quota_of_version_1(machine):
    files = {
        "sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_quota_us": 300_000,
        "sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_period_us": 100_000,
    }
    assert cores(machine(in_version1() | files), OUTSIDE_SLURM, affinity=8) == 3
    files["sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_quota_us"] = -1
    assert cores(machine(in_version1() | files), OUTSIDE_SLURM, affinity=8) == 8


def test_a_real_ulimit():
    code = "from hstmosaic.run.pool.machine_limits import memory_left; print(memory_left(environment={}))"
    limit = 2_000_000_000

    def restrict():
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))

    ended = subprocess.run(
        [sys.executable, "-c", code], preexec_fn=restrict, capture_output=True, text=True, check=True
    )
    assert ended.stdout == "1760 MB (ulimit -v)\n"


def test_this_machine():
    total = int(Path("/proc/meminfo").read_text().split()[1]) * KIB // 10**6
    assert 0 < memory_left().mb <= total
    assert 0 < cores() <= os.cpu_count()
