"""A task that only pretends: it takes time and memory, and writes tiny files."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from astropy.io import fits

from hstmosaic.plan.specs import TaskResult

if TYPE_CHECKING:
    from hstmosaic.plan.specs import StubSpec


def stub(spec: StubSpec) -> TaskResult:
    """Take the time and the memory, then write the files or fail, as told.

    Parameters
    ----------
    spec : StubSpec
        What to pretend.

    Returns
    -------
    TaskResult
        ``data`` holds what screening and drizzling answer for a good exposure and a good layer.
    """
    hoard = np.ones(spec.memory_mb * 1_000_000, dtype=np.uint8)
    time.sleep(spec.seconds)
    del hoard
    if spec.failure:
        return TaskResult(ok=False, error=spec.failure)
    for name in spec.products:
        if name.endswith(".fits"):
            fits.PrimaryHDU(np.zeros((2, 2), dtype=np.float32)).writeto(name)
        else:
            Path(name).write_text("stub\n")
    data = {"usable": True, "reason": "", "products": list(spec.products)}
    return TaskResult(ok=True, data=data, files=dict.fromkeys(spec.products, ""))
