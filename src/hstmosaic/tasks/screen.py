"""Screening: can an exposure be used, as drizzlepac judges it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from astropy.io import fits
from drizzlepac.haputils import analyze

from hstmosaic.store.files import sha256
from hstmosaic.store.task_specs import TaskResult
from hstmosaic.tasks import upstream

if TYPE_CHECKING:
    from hstmosaic.store.task_specs import ScreenSpec


def screen(spec: ScreenSpec) -> TaskResult:
    """Judge one exposure with drizzlepac's own analysis and its guiding check.

    Parameters
    ----------
    spec : ScreenSpec
        Names the exposure and the seed of the guiding check.

    Returns
    -------
    TaskResult
        ``data`` holds ``usable`` (bool), ``reason`` (str, empty for a usable exposure without remarks) and ``sha256``,
        the checksum of the file that was judged.
    """
    upstream.seed_guiding_check(spec.seed)
    upstream.default_moving_target_flag()
    upstream.detect_sources_fast()
    table, _ = analyze.analyze_data([spec.path], type="MVM")
    row = table[0]
    remark = str(row["processMsg"]).strip()
    if not row["doProcess"]:
        usable, reason = False, f"not fit for mosaics ({remark})"
    elif blank := _blank_chips(Path(spec.path)):
        usable, reason = False, f"{', '.join(blank)} has no pixel that is not NaN"
    elif analyze.verify_guiding(spec.path):
        usable, reason = False, "guiding: stars are trailed"
    else:
        usable, reason = True, remark
    return TaskResult(ok=True, data={"usable": usable, "reason": reason, "sha256": sha256(Path(spec.path))})


def _blank_chips(path: Path) -> list[str]:
    """Name the science extensions over which drizzlepac's static mask fails, and with it the whole layer."""
    with fits.open(path) as hdus:
        chips = [hdu for hdu in hdus if hdu.name == "SCI" and hdu.data is not None]
        return [f"SCI,{chip.ver}" for chip in chips if np.isnan(chip.data).all()]
