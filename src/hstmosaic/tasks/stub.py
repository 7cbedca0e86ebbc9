"""A placeholder task: it takes time and memory, and writes tiny files."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from astropy.io import fits

from hstmosaic.store.files import ENCODING
from hstmosaic.store.result_files import TaskResult
from hstmosaic.store.task_results import DrizzleResult, ScreenResult
from hstmosaic.tasks.finish import finish_file, finish_fits

if TYPE_CHECKING:
    from hstmosaic.store.task_specs import StubSpec


def stub(spec: StubSpec) -> TaskResult:
    """Take the time and the memory, then write the files or fail.

    Parameters
    ----------
    spec : StubSpec
        Time, memory, files, and the error if it should fail.

    Returns
    -------
    TaskResult
        ``data`` holds the results of screening a good exposure and of drizzling a good layer.
    """
    used = np.ones(spec.memory_mb * 1_000_000, dtype=np.uint8)
    time.sleep(spec.seconds)
    del used
    if spec.failure:
        return TaskResult(ok=False, error=spec.failure)
    files = []
    for path in map(Path, spec.products):
        if path.suffix == ".fits":
            fits.PrimaryHDU(np.zeros((2, 2), dtype=np.float32)).writeto(path)
            files.append(finish_fits(path))
        else:
            path.write_text("stub\n", ENCODING)
            files.append(finish_file(path))
    data = ScreenResult(usable=True).to_dict() | DrizzleResult(tuple(files)).to_dict()
    return TaskResult(ok=True, data=data)
