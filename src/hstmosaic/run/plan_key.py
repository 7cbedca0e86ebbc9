"""Digest of everything that a plan is made from, so that a start with the same inputs reads no header."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from hstmosaic.errors import BadInputError
from hstmosaic.plan.inputs import find_all_inputs, reads_once
from hstmosaic.plan.plan import installed_versions

if TYPE_CHECKING:
    from hstmosaic.plan.inputs import InputFile
    from hstmosaic.run.options import RunOptions


def plan_key(options: RunOptions) -> str | None:
    """Return the digest of everything that the plan of a run depends on, except for estimates.

    Parameters
    ----------
    options : RunOptions
        Options of the run.

    Returns
    -------
    str or None
        Hexadecimal. None if INPUT can be read only once, or some of it cannot be found, which the plan reports.
    """
    sources = (options.source,) if isinstance(options.source, str) else options.source
    if any(reads_once(source) for source in sources):
        return None
    try:
        files, problems = find_all_inputs(sources)
        states = [_state(file) for file in files]
    except (BadInputError, OSError):
        return None
    if problems:
        return None
    parts = [
        states,
        options.product_prefix,
        options.keep,
        options.strict,
        options.request.to_dict(),
        asdict(options.division),
        sorted(installed_versions().items()),
    ]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _state(file: InputFile) -> tuple[str, bool, int, int]:
    status = file.path.stat()
    return str(file.path), file.made_by_run, status.st_size, status.st_mtime_ns
