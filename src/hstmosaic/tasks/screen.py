"""Screening: can an exposure be used, as drizzlepac judges it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from drizzlepac.haputils import analyze

from hstmosaic.store.files import sha256
from hstmosaic.store.task_names import Stage
from hstmosaic.store.task_results import ScreenResult
from hstmosaic.store.task_specs import TaskResult
from hstmosaic.tasks.upstream import screening
from hstmosaic.tasks.upstream.repairs import apply_repairs
from hstmosaic.tasks.working_copy import link_exposure

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
        ``data`` is a `ScreenResult` as a dict.
    """
    path = Path(spec.path)
    apply_repairs(Stage.SCREEN)
    screening.seed_guiding_check(spec.seed)
    repair = link_exposure(path)
    usable, reason = (False, _blank(repair.blank)) if repair.blank else _judge(path.name)
    return TaskResult(ok=True, data=ScreenResult(usable, reason, sha256(path), repair).to_dict())


def _judge(name: str) -> tuple[bool, str]:
    """Return drizzlepac's verdict on an exposure in the current directory, and the reason or a remark."""
    table, _ = analyze.analyze_data([name], type="MVM")
    row = table[0]
    remark = str(row["processMsg"]).strip()
    if not row["doProcess"]:
        return False, f"not fit for mosaics ({remark})"
    if analyze.verify_guiding(name):
        return False, "guiding: stars are trailed"
    return True, remark


def _blank(chips: tuple[str, ...]) -> str:
    """Give the reason for leaving out an exposure of which a chip is blank."""
    return f"no pixel of {', '.join(chips)} is finite in SCI and ERR"
