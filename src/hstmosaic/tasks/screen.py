"""Screening: whether an exposure can be used, by drizzlepac's analysis and by the shapes of its stars."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from astropy.io import fits
from drizzlepac.haputils import analyze

from hstmosaic.plan.checks import GUIDING_FAILURES, LOST_GUIDING
from hstmosaic.store.files import sha256
from hstmosaic.store.result_files import TaskResult
from hstmosaic.store.task_names import Stage
from hstmosaic.store.task_results import ScreenResult
from hstmosaic.store.task_specs import Screening
from hstmosaic.tasks.guiding import can_tell, is_trailed, measure_stars
from hstmosaic.tasks.upstream import screening
from hstmosaic.tasks.upstream.repairs import apply_repairs
from hstmosaic.tasks.working_copy import link_exposure

if TYPE_CHECKING:
    from hstmosaic.store.pixel_repair import PixelRepair
    from hstmosaic.store.task_specs import ScreenSpec

_UPSTREAM_BAD = "drizzlepac's guiding check finds trails"


def screen(spec: ScreenSpec) -> TaskResult:
    """Judge one exposure with drizzlepac's own analysis and its guiding by the shapes of stars.

    Parameters
    ----------
    spec : ScreenSpec
        Names the exposure, the kind of screening and the seed of drizzlepac's guiding check.

    Returns
    -------
    TaskResult
        ``data`` is a `ScreenResult` as a dict.
    """
    path = Path(spec.path)
    apply_repairs(Stage.SCREEN)
    screening.seed_guiding_check(spec.seed)
    repair = link_exposure(path)
    found = _judge(path.name, spec.screening, sha256(path), repair)
    return TaskResult(ok=True, data=found.to_dict())


def _judge(name: str, way: Screening, digest: str, repair: PixelRepair) -> ScreenResult:
    """Return the verdict on an exposure in the current directory."""
    if repair.blank:
        return ScreenResult(False, _blank(repair.blank), digest, repair)
    table, _ = analyze.analyze_data([name], type="MVM")
    row = table[0]
    remark = str(row["processMsg"]).strip()
    if not row["doProcess"]:
        return ScreenResult(False, f"not fit for mosaics ({remark})", digest, repair)
    quality = str(fits.getheader(name).get("QUALITY", ""))
    if any(failure in quality.upper() for failure in GUIDING_FAILURES):
        return ScreenResult(False, f"QUALITY={quality}: {LOST_GUIDING}", digest, repair)
    doubted = bool(analyze.verify_guiding(name))
    if way == Screening.DRIZZLEPAC:
        reason = f"guiding: stars are trailed, {_UPSTREAM_BAD}" if doubted else remark
        return ScreenResult(not doubted, reason, digest, repair)
    shapes = measure_stars(Path(name))
    if is_trailed(shapes, seconded=doubted):
        return ScreenResult(False, f"guiding: stars are trailed; {shapes}", digest, repair, shapes)
    remarks = [remark] if remark else []
    if shapes.lines:
        remarks.append("a linear trail crosses the frame")
    if doubted:
        remarks.append(f"{_UPSTREAM_BAD} ({shapes})")
    return ScreenResult(True, "; ".join(remarks), digest, repair, shapes, doubted and not can_tell(shapes))


def _blank(chips: tuple[str, ...]) -> str:
    """Give the reason for leaving out an exposure of which a chip is blank."""
    return f"no pixel of {', '.join(chips)} is finite in SCI and ERR"
