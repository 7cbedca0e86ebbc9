"""Classes of dask-jobqueue, imported without its handler of Ctrl-C, which would end a run with exit code 0."""

from __future__ import annotations

import signal

_before = signal.getsignal(signal.SIGINT)

from dask_jobqueue.slurm import SLURMCluster, SLURMJob, SLURMRunner  # noqa: E402

signal.signal(signal.SIGINT, _before)

__all__ = ["SLURMCluster", "SLURMJob", "SLURMRunner"]
