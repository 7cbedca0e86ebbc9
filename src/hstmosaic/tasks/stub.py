"""A task that only pretends: it takes time and memory, and writes tiny files."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from astropy.io import fits

from hstmosaic.store.files import ENCODING
from hstmosaic.store.task_specs import TaskResult
from hstmosaic.tasks.finish import finish_file, finish_fits

if TYPE_CHECKING:
    from hstmosaic.store.task_specs import StubSpec


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
    files = []
    for path in map(Path, spec.products):
        if path.suffix == ".fits":
            fits.PrimaryHDU(np.zeros((2, 2), dtype=np.float32)).writeto(path)
            files.append(asdict(finish_fits(path)))
        else:
            path.write_text("stub\n", ENCODING)
            files.append(asdict(finish_file(path)))
    return TaskResult(ok=True, data={"usable": True, "reason": "", "files": files})
