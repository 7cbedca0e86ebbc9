"""Partitions of Slurm and their limits for one job."""

from __future__ import annotations

import math
import os
import re
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hstmosaic.run.profiles.walltime import parse_walltime
from hstmosaic.run.slurm.answers import fields, lines_of, unexpected_output
from hstmosaic.run.slurm.commands import call

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_MB_PER_MIB = 1.048576
_PARTITION, _NODE = "PartitionName", "NodeName"
_PARTITIONS = ("scontrol", "show", "partition", "-o")
_NODES = ("scontrol", "show", "node", "-o")
_WHOLE = re.compile(r"\d+")


@dataclass(frozen=True)
class PartitionLimits:
    """Limits of a job in a partition."""

    memory_mb: float
    """10^6 bytes."""
    cores: int
    seconds: float


def partition_of(profile: str | None) -> str | None:
    """Return the partition of jobs: for sbatch the user's variable overrides the profile."""
    return os.environ.get("SBATCH_PARTITION") or profile


def partition_limits(partition: str | None) -> PartitionLimits | None:
    """Ask Slurm for the limits of a partition; None if it does not exist.

    Parameters
    ----------
    partition : str or None
        Name, or names with commas between; the default one when None.
    """
    wanted = partition.split(",") if partition else None
    chosen = parse_partitions(call(*_PARTITIONS), wanted)
    return parse_nodes(call(*_NODES), chosen) if chosen else None


def partition_names() -> list[str]:
    """Return the names of all partitions."""
    return sorted(found[_PARTITION] for found in _partition_fields(call(*_PARTITIONS)))


def parse_partitions(text: str, wanted: Sequence[str] | None) -> dict[str, PartitionLimits]:
    """Parse the output of ``scontrol show partition -o``.

    Parameters
    ----------
    text : str
        A line for each partition.
    wanted : sequence of str or None
        Names; the default one when None.

    Returns
    -------
    dict
        Limits by name of partition, without those of its nodes.

    Raises
    ------
    SlurmCommandError
        If no line describes a partition.
    """
    limits = {}
    for found in _partition_fields(text):
        name = found[_PARTITION]
        if not (name in wanted if wanted else found["Default"] == "YES"):
            continue
        memory, cores = (found.get(key, "UNLIMITED") for key in ("MaxMemPerNode", "MaxCPUsPerNode"))
        limits[name] = PartitionLimits(
            memory_mb=float(memory) * _MB_PER_MIB if memory.isdigit() and int(memory) else math.inf,
            cores=int(cores) if cores.isdigit() and int(cores) else sys.maxsize,
            seconds=parse_walltime(found["MaxTime"]),
        )
    return limits


def _partition_fields(text: str) -> list[dict[str, str]]:
    described = [fields(line) for line in lines_of(text, _PARTITION)]
    partitions = [
        found
        for found in described
        if found[_PARTITION] and found.get("Default") in ("YES", "NO") and _is_time(found.get("MaxTime", ""))
    ]
    if not partitions:
        raise unexpected_output("scontrol", text)
    return partitions


def _is_time(text: str) -> bool:
    try:
        parse_walltime(text)
    except ValueError:
        return False
    return True


def parse_nodes(text: str, partitions: Mapping[str, PartitionLimits]) -> PartitionLimits | None:
    """Parse the output of ``scontrol show node -o``.

    Parameters
    ----------
    text : str
        A line for each node.
    partitions : mapping of str to PartitionLimits
        From `parse_partitions`.

    Returns
    -------
    PartitionLimits or None
        The largest limits of all nodes of the partitions; None if they have no node.

    Raises
    ------
    SlurmCommandError
        If no line describes a node.
    """
    described = [fields(line) for line in lines_of(text, _NODE)]
    nodes = [
        found for found in described if all(_WHOLE.fullmatch(found.get(key, "")) for key in ("CPUTot", "RealMemory"))
    ]
    if not nodes:
        raise unexpected_output("scontrol", text)
    given = []
    for found in nodes:
        for name in partitions.keys() & found.get("Partitions", "").split(","):
            limits = partitions[name]
            memory = min(float(found["RealMemory"]) * _MB_PER_MIB, limits.memory_mb)
            given.append(PartitionLimits(memory, min(int(found["CPUTot"]), limits.cores), limits.seconds))
    if not given:
        return None
    return PartitionLimits(
        memory_mb=max(node.memory_mb for node in given),
        cores=max(node.cores for node in given),
        seconds=max(node.seconds for node in given),
    )
