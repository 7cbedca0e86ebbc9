"""What the report says, gathered from a run's record."""

from __future__ import annotations

import base64
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hstmosaic.errors import ExitCode
from hstmosaic.plan.cautions import sky_cautions
from hstmosaic.products.charts import (
    KIND_COLORS,
    KIND_WORDS,
    SIDE,
    TaskBar,
    memory_bars,
    plane,
    residual_points,
    shift_points,
    timeline,
)
from hstmosaic.products.layer_marks import layer_colors, layer_title
from hstmosaic.products.run_record import read_measured
from hstmosaic.store.task_names import drizzle_task
from hstmosaic.store.task_specs import FALLBACK, read_result

if TYPE_CHECKING:
    from hstmosaic.products.run_record import Failed, RunRecord

_LOG_LINES = 15
_LOG_BYTES = 20_000
_VERDICTS = {
    ExitCode.OK: ("good", "finished"),
    ExitCode.LAYER_FAILED: ("bad", "finished, but for some layers"),
    ExitCode.NOTHING_LEFT: ("bad", "no exposure was left to drizzle"),
    ExitCode.INTERRUPTED: ("bad", "interrupted"),
}


@dataclass(frozen=True)
class Shown:
    """A picture as the report holds it."""

    uri: str
    alt: str
    width: int
    height: int
    whole: str
    """Name of the PNG beside the report."""
    layer: str
    kind: str


def report_content(record: RunRecord) -> dict[str, Any]:
    """Return everything that the template needs.

    Parameters
    ----------
    record : RunRecord
        The run.

    Returns
    -------
    dict
    """
    tasks = read_tasks(record)
    pictures = read_pictures(record)
    begin = record.started
    end = max((event["time"] for event in record.events), default=begin)
    colors = layer_colors(record.plan)
    fresh = [task for task in tasks if task.started >= begin - 1]
    titles = {drizzle_task(layer.name): layer_title(layer.name) for layer in record.plan.layers}
    return {
        "record": record,
        "plan": record.plan,
        "verdict": verdict(record),
        "begun": _date(begin),
        "seconds": end - begin,
        "written": _date(datetime.now(UTC).timestamp()),
        "colors": colors,
        "title_of": layer_title,
        "hero": [shown for shown in pictures if shown.kind in ("colour", "footprints")],
        "layers": [(layer, [shown for shown in pictures if shown.layer == layer.name]) for layer in record.plan.layers],
        "mosaics": mosaics(record),
        "unmatched": sky_cautions(record.made),
        "failures": [(failure, last_lines(failure)) for failure in record.failures],
        "stopped": next(iter(record.told("stopped")), None),
        "timeline": timeline(fresh, begin, end) if fresh else None,
        "earlier": len(tasks) - len(fresh),
        "memory": memory_bars(tasks, titles),
        "kind_colors": KIND_COLORS,
        "kind_words": KIND_WORDS,
        "tasks": tasks,
        "retries": list(record.told("retrying")),
        "warnings": _once(e["message"] for e in record.events if e["level"] in ("warning", "error")),
        **_alignment(record),
        "exposures": exposures(record),
        "proposals": sorted({e.proposal_id for e in record.plan.exposures if e.proposal_id}),
        "files": files(record),
        "versions": record.plan.versions if record.manifest is None else record.manifest.versions,
        "side": SIDE,
    }


def verdict(record: RunRecord) -> tuple[str, str]:
    """Return how the run ended: a class for the style sheet, and words."""
    if record.exit_code is None:
        return "bad", "not finished"
    crashed = any(exclusion.crashed for exclusion in record.left_out)
    if record.exit_code == ExitCode.OK and (crashed or any(record.told(FALLBACK))):
        return "good", "finished with warnings"
    words = _VERDICTS.get(ExitCode(record.exit_code), ("bad", "stopped by an error"))
    if record.exit_code == ExitCode.LAYER_FAILED:
        count = len(record.failures)
        return "bad", f"{count} of {len(record.plan.layers)} layers failed"
    return words


def read_tasks(record: RunRecord) -> list[TaskBar]:
    """Read what tasks have taken, those of earlier starts too, in the order in which they began."""
    given = {event["task"]: event for event in record.told("running")}
    estimates = {drizzle_task(layer.name): layer.estimate.memory_mb for layer in record.plan.layers}
    found = []
    for folder in sorted(record.directory.tasks.glob("*")):
        measured, name = read_measured(folder), folder.name
        if measured is None:
            continue
        kind = name.split("-", maxsplit=1)[0]
        event = given.get(name, {})
        worker = str(event.get("worker", ""))
        found.append(
            TaskBar(
                name=name,
                kind=kind if kind in KIND_WORDS else "other",
                started=measured["started"],
                seconds=measured["wall_seconds"],
                worker=f"{measured['host']} {worker}".strip() if worker not in measured["host"] else measured["host"],
                memory_mb=measured["max_rss_mb"],
                asked_mb=event.get("memory_mb", estimates.get(name)),
                cpu_seconds=measured["cpu_seconds"],
                ok=(result := read_result(folder)) is not None and result.ok,
            )
        )
    return sorted(found, key=lambda task: task.started)


def read_pictures(record: RunRecord) -> list[Shown]:
    """Read the pictures that belong to the report."""
    shown = []
    for picture in record.pictures.get("embedded", []):
        data = base64.b64encode((record.directory.pictures / picture["file"]).read_bytes()).decode()
        uri = f"data:image/webp;base64,{data}"
        size = picture["width"], picture["height"]
        shown.append(Shown(uri, picture["alt"], *size, picture["whole"], picture["layer"], picture["kind"]))
    return shown


def mosaics(record: RunRecord) -> list[dict[str, Any]]:
    """Return a row for each mosaic that is there."""
    measured = record.pictures.get("measured", {})
    rows = []
    for layer in record.made:
        used = record.used(layer)
        seconds = sum(record.plan.exposure(name).exptime for name in used)
        for product in layer.products:
            path = record.output / product.name
            if path.is_file():
                rows.append(
                    {
                        "layer": layer.name,
                        "product": product,
                        "used": len(used),
                        "seconds": seconds,
                        "bytes": path.stat().st_size,
                        "measured": measured.get(product.name),
                    }
                )
    return rows


def exposures(record: RunRecord) -> list[dict[str, Any]]:
    """Return a row for each exposure of the list, those that are left out too."""
    layers = {name: layer.name for layer in record.plan.layers for name in layer.exposures}
    planned = {exposure.name for exposure in record.plan.exposures}
    in_mosaics = {name for layer in record.made for name in record.used(layer)}
    rows = [
        {
            "name": e.name,
            "layer": layers[e.name],
            "exposure": e,
            "used": e.name in in_mosaics,
            "date": _day(e.expstart),
        }
        for e in record.plan.exposures
    ]
    rest = [exclusion.name for exclusion in record.left_out if exclusion.name not in planned]
    return rows + [{"name": name, "layer": "", "exposure": None, "used": False, "date": ""} for name in rest]


def files(record: RunRecord) -> list[dict[str, Any]]:
    """Return a row for each file of the output directory that the run has made."""
    listed = record.manifest.products if record.manifest is not None else ()
    rows: dict[str, dict[str, Any]] = {file.name: asdict(file) for file in listed}
    for layer in record.made:
        for product in layer.products:
            for name, kind in ((product.name, "mosaic"), (product.trailer, "trailer")):
                rows.setdefault(name, {"name": name, "kind": kind, "layer": layer.name})
    for extra in record.pictures.get("files", []):
        rows.setdefault(extra["name"], extra)
    there = []
    for name, row in sorted(rows.items()):
        path = record.output / name
        if path.is_file():
            there.append({"sha256": "", **row, "size": path.stat().st_size})
    return there


def last_lines(failure: Failed) -> str:
    """Return the end of the log that shows a failure; empty where there is none."""
    if not failure.log or not Path(failure.log).is_file():
        return ""
    with Path(failure.log).open("rb") as log:
        log.seek(0, 2)
        log.seek(max(0, log.tell() - _LOG_BYTES))
        lines = log.read().decode(errors="replace").splitlines()
    return "\n".join(lines[-_LOG_LINES:])


def _alignment(record: RunRecord) -> dict[str, Any]:
    found = record.alignment
    layers = {name: layer.name for layer in record.plan.layers for name in layer.exposures}
    residuals = residual_points(found.exposures, layers) if found else []
    return {
        "alignment": found,
        "layer_of": layers,
        "residuals": plane(residuals, max(found.rms_mas)) if found and residuals else None,
        "shifts": plane(shift_points(found.exposures, layers)) if found and found.exposures else None,
    }


def _once(messages: Any) -> list[tuple[str, int]]:
    counts: dict[str, int] = {}
    for message in messages:
        counts[message] = counts.get(message, 0) + 1
    return list(counts.items())


def _date(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _day(modified_julian_date: float) -> str:
    return datetime.fromtimestamp((modified_julian_date - 40587) * 86400, UTC).strftime("%Y-%m-%d")
