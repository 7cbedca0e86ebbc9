"""Screening: can an exposure be used, as drizzlepac judges it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drizzlepac.haputils import analyze

from hstmosaic.plan.specs import TaskResult
from hstmosaic.tasks import upstream

if TYPE_CHECKING:
    from hstmosaic.plan.specs import ScreenSpec


def screen(spec: ScreenSpec) -> TaskResult:
    """Judge one exposure with drizzlepac's own analysis and its guiding check.

    Parameters
    ----------
    spec : ScreenSpec
        Names the exposure and the seed of the guiding check.

    Returns
    -------
    TaskResult
        ``data`` holds ``usable`` (bool) and ``reason`` (str, empty for a usable exposure without remarks).
    """
    upstream.seed_guiding_check(spec.seed)
    upstream.default_moving_target_flag()
    upstream.detect_sources_fast()
    table, _ = analyze.analyze_data([spec.path], type="MVM")
    row = table[0]
    remark = str(row["processMsg"]).strip()
    if not row["doProcess"]:
        return TaskResult(ok=True, data={"usable": False, "reason": f"not fit for mosaics ({remark})"})
    if analyze.verify_guiding(spec.path):
        return TaskResult(ok=True, data={"usable": False, "reason": "guiding: stars are trailed"})
    return TaskResult(ok=True, data={"usable": True, "reason": remark})
