"""Run the task of a task directory in this process."""

from __future__ import annotations

import os
import shutil
import traceback
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from hstmosaic.plan.plan import installed_versions
from hstmosaic.store.files import ENCODING
from hstmosaic.store.image_identity import image_identity
from hstmosaic.store.task_specs import (
    ANSWER_FILE,
    SPEC_FILE,
    AlignSpec,
    DrizzleSpec,
    PicturesSpec,
    ScreenSpec,
    SourcesSpec,
    StubSpec,
    TaskResult,
    spec_from_json,
    write_result,
)
from hstmosaic.tasks.align import align
from hstmosaic.tasks.drizzle import drizzle
from hstmosaic.tasks.pictures import draw
from hstmosaic.tasks.screen import screen
from hstmosaic.tasks.sources import find_sources
from hstmosaic.tasks.stub import stub

if TYPE_CHECKING:
    from pathlib import Path


def execute(folder: Path, work: Path) -> bool:
    """Do what ``spec.json`` says in a fresh working directory and write ``answer.json``, with the software that did it.

    Parameters
    ----------
    folder : pathlib.Path
        The task directory.
    work : pathlib.Path
        The working directory; what was there is removed.

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
            case SourcesSpec() as spec:
                result = find_sources(spec)
            case AlignSpec() as spec:
                result = align(spec)
            case PicturesSpec() as spec:
                result = draw(spec)
            case StubSpec() as spec:
                result = stub(spec)
    except (Exception, SystemExit) as error:
        traceback.print_exc()
        last = str(error).strip().splitlines()
        result = TaskResult(ok=False, error=f"{type(error).__name__}: {last[-1] if last else 'no message'}")
    image = image_identity()
    software = {"versions": installed_versions(), "image": None if image is None else asdict(image)}
    write_result(folder, replace(result, data=result.data | {"software": software}), ANSWER_FILE)
    return result.ok
