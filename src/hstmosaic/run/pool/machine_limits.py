"""Memory and cores that this process and its children may use, and the name of the limit."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hstmosaic.run.pool.placement import WORKER_MEMORY_MB
from hstmosaic.store.files import ENCODING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

AVAILABLE, COMMIT, CGROUP = "available memory", "commit limit", "cgroup"
ULIMIT_V, ULIMIT_D, SLURM_JOB = "ulimit -v", "ulimit -d", "Slurm job"
MB_PER_MIB = 1.048576
_RLIMITS = {"Max address space": ULIMIT_V, "Max data size": ULIMIT_D}
_SHARE_OF_TASKS = 0.9
_LIBRARIES_MB = 240
"""Address space that a task maps and does not touch, 10^6 bytes; measured: 234."""
_UNLIMITED = 1 << 60
"""Version 1 of cgroups reports about 2^63 bytes where no limit is set."""
_NEVER_OVERCOMMIT = "2"
_CACHE_V1 = ("total_inactive_file", "total_active_file")
_CACHE_V2 = ("inactive_file", "active_file", "slab_reclaimable")


@dataclass(frozen=True)
class Memory:
    """Memory that is left under one limit."""

    limit: str
    """Name of the limit, such as ``cgroup``."""
    mb: int
    """10^6 bytes."""

    def __str__(self) -> str:
        return f"{self.mb} MB ({self.limit})"


@dataclass(frozen=True)
class _Cgroup:
    folder: Path
    unified: bool
    """Version 2."""


def memory_left(root: Path = Path("/"), environment: Mapping[str, str] = os.environ) -> Memory:
    """Return the memory that is left under the strictest limit.

    Parameters
    ----------
    root : pathlib.Path
        Directory that holds ``proc`` and ``sys``.
    environment : mapping of str to str
        Slurm's variables count only on a node of the job: salloc sets them on the login node too.
    """
    return min(_limits(root, environment), key=lambda memory: memory.mb)


def usable_memory(root: Path = Path("/"), environment: Mapping[str, str] = os.environ) -> Memory:
    """Return the memory that tasks may claim together; see `memory_left` for the parameters.

    A tenth of what is left is for the driver, for pictures that are drawn meanwhile, and for errors of estimates.
    """
    left = memory_left(root, environment)
    return Memory(left.limit, max(1, round(_SHARE_OF_TASKS * left.mb)))


def cores(root: Path = Path("/"), environment: Mapping[str, str] = os.environ, affinity: int | None = None) -> int:
    """Return the number of cores that may be busy at a time.

    Parameters
    ----------
    root, environment : pathlib.Path and mapping of str to str
        As of `memory_left`.
    affinity : int, optional
        Number of cores that the scheduler of the kernel allows; that of this process when None.
    """
    allowed: list[float] = [len(os.sched_getaffinity(0)) if affinity is None else affinity]
    allowed += [quota for cgroup in _cgroups(root, "cpu") if (quota := _cpu_quota(cgroup)) is not None]
    if "SLURMD_NODENAME" in environment:
        allowed.append(_number(environment.get("SLURM_CPUS_ON_NODE")) or math.inf)
    return max(1, math.ceil(min(allowed)))


def _limits(root: Path, environment: Mapping[str, str]) -> Iterator[Memory]:
    meminfo = _meminfo(root)
    yield Memory(AVAILABLE, _mb(meminfo.get("MemAvailable", meminfo["MemFree"])))
    if _text(root / "proc/sys/vm/overcommit_memory") == _NEVER_OVERCOMMIT:
        yield Memory(COMMIT, _mb(meminfo["CommitLimit"] - meminfo["Committed_AS"]))
    for cgroup in _cgroups(root, "memory"):
        left = _memory_left(cgroup)
        if left is not None:
            yield Memory(CGROUP, _mb(left))
    for line in (_text(root / "proc/self/limits") or "").splitlines():
        name = _RLIMITS.get(line[:26].strip())
        soft = _number(line[26:].split()[0]) if name else None
        if name and soft is not None:
            yield Memory(name, _mb(soft) - _LIBRARIES_MB)
    job = _memory_of_job(environment)
    if job is not None:
        yield Memory(SLURM_JOB, job - WORKER_MEMORY_MB)


def _memory_of_job(environment: Mapping[str, str]) -> int | None:
    """Return the memory of this job on this node, 10^6 bytes, None if Slurm sets no limit or this is no job."""
    if "SLURMD_NODENAME" not in environment:
        return None
    per_core = _number(environment.get("SLURM_MEM_PER_CPU"))
    mib = _number(environment.get("SLURM_MEM_PER_NODE"))
    if per_core is not None:
        mib = per_core * (_number(environment.get("SLURM_CPUS_ON_NODE")) or 1)
    return int(mib * MB_PER_MIB) if mib else None  # 0 is all that the node has


def _cgroups(root: Path, controller: str) -> Iterator[_Cgroup]:
    """Yield the cgroups of this process that may limit a resource, from its own to the topmost that it can see."""
    for line in (_text(root / "proc/self/mountinfo") or "").splitlines():
        mount, _, source = line.partition(" - ")
        kind, _, options = source.split(" ", 2)
        unified = kind == "cgroup2"
        if not unified and not (kind == "cgroup" and controller in options.split(",")):
            continue
        top, point = (name.replace("\\040", " ") for name in mount.split()[3:5])
        path = Path(_cgroup_path(root, "" if unified else controller))
        mounted = root / point.lstrip("/")
        # a namespace may show a path outside of what is mounted
        below = path.relative_to(top) if path.is_relative_to(top) and ".." not in path.parts else Path()
        for parent in (below, *below.parents):
            yield _Cgroup(mounted / parent, unified)


def _cgroup_path(root: Path, controller: str) -> str:
    for line in (_text(root / "proc/self/cgroup") or "").splitlines():
        _, controllers, path = line.split(":", 2)
        if controller in controllers.split(","):
            return path
    return "/"


def _memory_left(cgroup: _Cgroup) -> int | None:
    """Return the bytes left in a cgroup, None without a limit; page cache counts as left, since it is reclaimed."""
    folder = cgroup.folder
    names = ("memory.max", "memory.high") if cgroup.unified else ("memory.limit_in_bytes",)
    found = [number for name in names if (number := _number(_text(folder / name))) is not None]
    used = _number(_text(folder / ("memory.current" if cgroup.unified else "memory.usage_in_bytes")))
    if not found or min(found) >= _UNLIMITED or used is None:
        return None
    statistics = dict(line.split() for line in (_text(folder / "memory.stat") or "").splitlines())
    cache = sum(int(statistics.get(name, 0)) for name in (_CACHE_V2 if cgroup.unified else _CACHE_V1))
    return min(found) - max(used - cache, 0)


def _cpu_quota(cgroup: _Cgroup) -> float | None:
    if cgroup.unified:
        quota, _, period = (_text(cgroup.folder / "cpu.max") or "").partition(" ")
    else:
        quota = _text(cgroup.folder / "cpu.cfs_quota_us") or ""
        period = _text(cgroup.folder / "cpu.cfs_period_us") or ""
    return int(quota) / int(period) if quota.isdigit() and period.isdigit() and int(period) else None


def _meminfo(root: Path) -> dict[str, int]:
    """Return the records of ``/proc/meminfo`` in bytes."""
    records = (line.partition(":") for line in (root / "proc/meminfo").read_text(ENCODING).splitlines())
    return {name: int(value.split()[0]) * 1024 for name, _, value in records}


def _text(path: Path) -> str | None:
    try:
        return path.read_text(ENCODING).strip()
    except OSError:  # not every kernel and not every cgroup has each of these files
        return None


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isdigit() else None


def _mb(number: int) -> int:
    return number // 1_000_000
