"""Run the task of a task directory in this process."""

from __future__ import annotations

import os
import shutil
import sys
import traceback
from dataclasses import replace
from typing import TYPE_CHECKING

from hstmosaic.plan.plan import installed_versions
from hstmosaic.store.files import ENCODING
from hstmosaic.store.image_identity import image_identity
from hstmosaic.store.result_files import ANSWER_FILE, CRASHED, TaskResult, write_result
from hstmosaic.store.spec_files import spec_from_json
from hstmosaic.store.task_results import TaskSoftware
from hstmosaic.store.task_specs import (
    LOG_FILE,
    SPEC_FILE,
    AlignSpec,
    AssembleSpec,
    BoxSpec,
    DrizzleSpec,
    PicturesSpec,
    PrepareSpec,
    ScreenSpec,
    SourcesSpec,
    StubSpec,
)
from hstmosaic.tasks.align import align
from hstmosaic.tasks.box_tasks import assemble_layer, drizzle_boxes, prepare
from hstmosaic.tasks.drizzle import drizzle
from hstmosaic.tasks.fallbacks import joined, read_warnings
from hstmosaic.tasks.pictures import draw
from hstmosaic.tasks.screen import screen
from hstmosaic.tasks.sources import find_sources
from hstmosaic.tasks.stub import stub
from hstmosaic.tasks.upstream.memory import OutOfMemoryError

if TYPE_CHECKING:
    from pathlib import Path


def execute(folder: Path, work: Path) -> bool:
    """Run the task of ``spec.json`` in a new working directory and write ``answer.json``, with versions of software.

    Parameters
    ----------
    folder : pathlib.Path
        The task directory.
    work : pathlib.Path
        The working directory; an earlier one is removed.

    Returns
    -------
    bool
        Whether the task succeeded.
    """
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    os.chdir(work)
    try:
        match spec_from_json((folder / SPEC_FILE).read_text(ENCODING)):
            case ScreenSpec() as spec:
                result = screen(spec)
            case DrizzleSpec() as spec:
                result = drizzle(spec)
            case PrepareSpec() as spec:
                result = prepare(spec)
            case BoxSpec() as spec:
                result = drizzle_boxes(spec)
            case AssembleSpec() as spec:
                result = assemble_layer(spec)
            case SourcesSpec() as spec:
                result = find_sources(spec)
            case AlignSpec() as spec:
                result = align(spec)
            case PicturesSpec() as spec:
                result = draw(spec)
            case StubSpec() as spec:
                result = stub(spec)
    except (Exception, SystemExit, OutOfMemoryError) as error:
        traceback.print_exc()
        kind = MemoryError if isinstance(error, OutOfMemoryError) else type(error)
        last = str(error).strip().splitlines()
        error_line = f"{kind.__name__}: {last[-1] if last else 'no message'}"
        result = TaskResult(ok=False, data={CRASHED: True}, error=error_line)
    software = TaskSoftware(installed_versions(), image_identity())
    warnings = joined(result.warnings, read_warnings([_log(folder)]))
    result = replace(result, data=result.data | software.to_dict(), warnings=warnings)
    write_result(folder, result, ANSWER_FILE)
    return result.ok


def _log(folder: Path) -> str:
    """Return the output of the task so far; empty where it goes elsewhere."""
    sys.stdout.flush()
    sys.stderr.flush()
    log = folder / LOG_FILE
    return log.read_text(ENCODING, errors="replace") if log.is_file() else ""
