"""The task that draws the pictures of a run."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from hstmosaic.child import child_environment, module_command
from hstmosaic.store.files import ENCODING
from hstmosaic.store.result_files import TaskResult
from hstmosaic.store.task_results import PicturesFailure

if TYPE_CHECKING:
    from hstmosaic.store.task_specs import PicturesSpec


def draw(spec: PicturesSpec) -> TaskResult:
    """Run the program that draws in a process of its own, which does not import drizzlepac.

    Parameters
    ----------
    spec : PicturesSpec
        The program and the run.

    Returns
    -------
    TaskResult
        ``data`` is a `PicturesFailure` as a dict if the program failed, else empty.
    """
    ended = subprocess.run(
        module_command(spec.program, spec.run),
        env=child_environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding=ENCODING,
        errors="replace",
        check=False,
    )
    if not ended.returncode:
        return TaskResult(ok=True)
    error = (ended.stderr.strip().splitlines() or [f"exit code {ended.returncode}"])[-1]
    return TaskResult(ok=False, error=error, data=PicturesFailure(ended.returncode, ended.stderr).to_dict())
