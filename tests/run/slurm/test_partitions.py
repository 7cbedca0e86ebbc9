"""Limits of partitions, from captured output of scontrol."""

import math

import pytest

from hstmosaic.run.slurm.partitions import PartitionLimits, parse_nodes, parse_partitions

PARTITIONS = """\
PartitionName=batch AllowGroups=ALL Default=YES MaxNodes=UNLIMITED MaxTime=01:00:00 MaxCPUsPerNode=UNLIMITED \
Nodes=node[1-3] State=UP TotalCPUs=36 TotalNodes=3 MaxMemPerNode=UNLIMITED TRES=cpu=36,mem=132000M,node=3,billing=36
PartitionName=short AllowGroups=ALL Default=NO MaxNodes=UNLIMITED MaxTime=00:02:00 MaxCPUsPerNode=UNLIMITED \
Nodes=node1 State=UP TotalCPUs=2 TotalNodes=1 MaxMemPerNode=UNLIMITED TRES=cpu=2,mem=6000M,node=1,billing=2
PartitionName=long AllowGroups=ALL Default=NO MaxNodes=UNLIMITED MaxTime=UNLIMITED MaxCPUsPerNode=4 \
Nodes=node4 State=UP TotalCPUs=8 TotalNodes=1 MaxMemPerNode=9000 TRES=cpu=8,mem=16000M,node=1,billing=8

"""
NODES = """\
NodeName=node1 Arch=x86_64 CPUTot=2 OS=Linux 6.1 #1 SMP RealMemory=6000 AllocMem=0 Partitions=batch,short  AllocTRES=
NodeName=node2 Arch=x86_64 CPUTot=2 OS=Linux 6.1 #1 SMP RealMemory=6000 AllocMem=0 Partitions=batch  AllocTRES= \
Comment=until noon CPUTot=64
NodeName=node3 Arch=x86_64 CPUTot=32 OS=Linux 6.1 #1 SMP RealMemory=120000 AllocMem=0 Partitions=batch  AllocTRES=
NodeName=node4 Arch=x86_64 CPUTot=8 OS=Linux 6.1 #1 SMP RealMemory=16000 AllocMem=0 Partitions=long  AllocTRES=
"""


@pytest.mark.parametrize(
    ("wanted", "limits"),
    [
        (None, PartitionLimits(120000 * 1.048576, 32, 3600)),
        (["short"], PartitionLimits(6000 * 1.048576, 2, 120)),
        (["long"], PartitionLimits(9000 * 1.048576, 4, math.inf)),
        (["short", "long"], PartitionLimits(9000 * 1.048576, 4, math.inf)),
        (["nowhere"], None),
    ],
)
def test_limits_of_partitions(wanted, limits):
    assert parse_nodes(NODES, parse_partitions(PARTITIONS, wanted)) == limits
