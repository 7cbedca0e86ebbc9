"""Preload of Dask workers in jobs: drizzlepac's import begins with the worker, and tasks end with it."""

from __future__ import annotations

from typing import Any

from hstmosaic.run.zygote import close_zygote, shared_zygote


def dask_setup(_: Any) -> None:
    """Start the process that forks tasks; Dask calls this when a worker starts."""
    shared_zygote()


def dask_teardown(_: Any) -> None:
    """End it and its tasks; Dask calls this when a worker ends."""
    close_zygote()
