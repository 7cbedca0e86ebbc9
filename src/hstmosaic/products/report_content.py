"""Content of the report, collected from a run's record."""

from __future__ import annotations

import base64
import math
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

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
from hstmosaic.products.methods import methods_paragraph
from hstmosaic.store.run_directory import TaskDirectory
from hstmosaic.store.stage_events import Fallback, Finished, Stopped
from hstmosaic.store.task_names import Stage, drizzle_task, stage_of
from hstmosaic.store.task_specs import read_result
from hstmosaic.store.worker_events import Retrying, Running

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from hstmosaic.plan.exposures import Exposure
    from hstmosaic.plan.layers import Layer, Product
    from hstmosaic.plan.outlines import Outline
    from hstmosaic.plan.plan import Plan
    from hstmosaic.products.charts import MemoryBar, Plane, Timeline
    from hstmosaic.products.measurements import Measurements
    from hstmosaic.products.run_record import Failed, RunRecord
    from hstmosaic.products.sky_levels import SkyLevel
    from hstmosaic.products.starts import Start
    from hstmosaic.store.alignment_results import AlignmentResult
    from hstmosaic.store.events import Event

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
    """Name of the PNG next to the report."""
    layer: str
    kind: str


@dataclass(frozen=True)
class MosaicRow:
    """A mosaic in the table of mosaics."""

    layer: str
    product: Product
    used: int
    """Number of exposures."""
    seconds: float
    """Sum of exposure times."""
    bytes: int
    measured: Measurements | None


@dataclass(frozen=True)
class ExposureRow:
    """An exposure in the table of exposures."""

    name: str
    layer: str = ""
    exposure: Exposure | None = None
    """None if it was excluded by the plan."""
    used: bool = False
    date: str = ""
    position_angle: float | None = None
    """Of its y axis, degrees east of north; None if it has no outline."""
    sky: SkyLevel | None = None
    reason: str = ""
    """Why it is not used, or what is special about it."""


@dataclass(frozen=True)
class FileRow:
    """A file in the table of files."""

    name: str
    kind: str
    size: int
    """Bytes."""
    sha256: str = ""


@dataclass(frozen=True)
class ReportContent:
    """Everything that the template shows; its fields are the variables of the template."""

    record: RunRecord
    plan: Plan
    verdict: tuple[str, str]
    """Class of the style sheet, and words."""
    begun: str
    seconds: float
    written: str
    colors: dict[str, str]
    """By the names of layers."""
    title_of: Callable[[str], str]
    """Title of a layer."""
    hero: list[Shown]
    layers: list[tuple[Layer, list[Shown]]]
    mosaics: list[MosaicRow]
    depths: dict[str, tuple[tuple[float, float], ...]]
    """Weights and areas of the finest mosaic of each layer, as `Measurements.area_by_weight` has them."""
    unmatched: list[str]
    """Cautions about layers whose skies are not matched."""
    failures: list[tuple[Failed, str]]
    """Failures with the ends of their logs."""
    stopped: Event | None
    """The event that stopped the run."""
    starts: list[tuple[Start, str]]
    """All starts of the run, with their dates."""
    timeline: Timeline | None
    earlier: int
    """Number of tasks of earlier starts."""
    memory: tuple[MemoryBar, ...]
    kind_colors: dict[str, str]
    kind_words: dict[str, str]
    tasks: list[TaskBar]
    retries: list[str]
    """Events."""
    warnings: list[tuple[str, int]]
    """Messages, and how often each was reported."""
    alignment: AlignmentResult | None
    layer_of: dict[str, str]
    """Layers by the names of exposures."""
    residuals: Plane | None
    shifts: Plane | None
    exposures: list[ExposureRow]
    proposals: list[str]
    files: list[FileRow]
    versions: dict[str, str]
    methods: str
    """Paragraph on methods; empty without mosaics."""
    side: int
    """Of a plane chart."""


def report_content(record: RunRecord) -> ReportContent:
    """Collect the content of the report.

    Parameters
    ----------
    record : RunRecord
        The run.

    Returns
    -------
    ReportContent
    """
    tasks = read_tasks(record)
    pictures = read_pictures(record)
    begin = record.started
    end = max((event.time for event in record.events), default=begin)
    fresh = [task for task in tasks if task.started >= begin - 1]
    titles = {drizzle_task(layer.name): layer_title(layer.name) for layer in record.plan.layers}
    layer_of = {name: layer.name for layer in record.plan.layers for name in layer.exposures}
    fits = record.alignment.exposures if record.alignment else {}
    residuals = residual_points(fits, layer_of)
    return ReportContent(
        record=record,
        plan=record.plan,
        verdict=verdict(record),
        begun=_date(begin),
        seconds=end - begin,
        written=_date(datetime.now(UTC).timestamp()),
        colors=layer_colors(record.plan),
        title_of=layer_title,
        hero=[shown for shown in pictures if shown.kind in ("colour", "footprints")],
        layers=[(layer, [shown for shown in pictures if shown.layer == layer.name]) for layer in record.plan.layers],
        mosaics=mosaic_rows(record),
        depths=_depths(record),
        unmatched=sky_cautions(record.made),
        failures=[(failure, last_lines(failure)) for failure in record.failures],
        stopped=next((event for event in record.events if isinstance(event.payload, Stopped)), None),
        starts=[(start, _date(start.begun)) for start in record.starts],
        timeline=timeline(fresh, begin, end) if fresh else None,
        earlier=len(tasks) - len(fresh),
        memory=memory_bars(tasks, titles),
        kind_colors=KIND_COLORS,
        kind_words=KIND_WORDS,
        tasks=tasks,
        retries=[event.message for event in record.events if isinstance(event.payload, Retrying)],
        warnings=_counted(event.message for event in record.events if event.level in ("warning", "error")),
        alignment=record.alignment,
        layer_of=layer_of,
        residuals=plane(residuals, max(record.alignment.rms_mas)) if record.alignment and residuals else None,
        shifts=plane(shift_points(fits, layer_of)) if fits else None,
        exposures=exposure_rows(record),
        proposals=sorted({e.proposal_id for e in record.plan.exposures if e.proposal_id}),
        files=file_rows(record),
        versions=record.plan.versions if record.manifest is None else record.manifest.versions,
        methods=methods_paragraph(record),
        side=SIDE,
    )


def verdict(record: RunRecord) -> tuple[str, str]:
    """Return how the run ended: a class for the style sheet, and words."""
    if record.exit_code is None:
        return "bad", "not finished"
    crashed = any(exclusion.crashed for exclusion in record.left_out)
    told = [warning for finished in record.payloads(Finished) for warning in finished.warnings]
    if record.exit_code == ExitCode.OK and (told or crashed or any(record.payloads(Fallback))):
        return "warn", ": ".join(["finished with warnings", ", ".join(told)] if told else ["finished with warnings"])
    words = _VERDICTS.get(ExitCode(record.exit_code), ("bad", "stopped by an error"))
    if record.exit_code == ExitCode.LAYER_FAILED:
        count = len(record.failures)
        return "bad", f"{count} of {len(record.plan.layers)} layers failed"
    return words


def read_tasks(record: RunRecord) -> list[TaskBar]:
    """Read the measurements of tasks, also of earlier starts, in the order in which they began."""
    runs = {running.task: running for running in record.payloads(Running)}
    estimates = {
        task: estimate.memory_mb for task, estimate in record.plan.estimates.items() if stage_of(task) is Stage.DRIZZLE
    }
    found = []
    for folder in sorted(record.directory.tasks.glob("*")):
        measured, name = TaskDirectory(folder).read_measured(), folder.name
        if measured is None:
            continue
        kind = name.split("-", maxsplit=1)[0]
        running = runs.get(name)
        worker = running.worker if running is not None else ""
        found.append(
            TaskBar(
                name=name,
                kind=kind if kind in KIND_WORDS else "other",
                started=measured.started,
                seconds=measured.wall_seconds,
                worker=f"{measured.host} {worker}".strip() if worker not in measured.host else measured.host,
                memory_mb=measured.max_rss_mb,
                asked_mb=estimates.get(name) if running is None or running.memory_mb is None else running.memory_mb,
                cpu_seconds=measured.cpu_seconds,
                ok=(result := read_result(folder)) is not None and result.ok,
            )
        )
    return sorted(found, key=lambda task: task.started)


def read_pictures(record: RunRecord) -> list[Shown]:
    """Read the pictures that belong to the report."""
    shown = []
    for picture in record.pictures.embedded:
        data = base64.b64encode((record.directory.pictures / picture.file).read_bytes()).decode()
        uri = f"data:image/webp;base64,{data}"
        shown.append(Shown(uri, picture.alt, picture.width, picture.height, picture.whole, picture.layer, picture.kind))
    return shown


def mosaic_rows(record: RunRecord) -> list[MosaicRow]:
    """Return a row for each existing mosaic."""
    rows = []
    for layer in record.made:
        used = record.used(layer)
        seconds = sum(record.plan.exposure(name).exptime for name in used)
        for product in layer.products:
            path = record.output / product.name
            if path.is_file():
                measured = record.pictures.measured.get(product.name)
                rows.append(MosaicRow(layer.name, product, len(used), seconds, path.stat().st_size, measured))
    return rows


def _depths(record: RunRecord) -> dict[str, tuple[tuple[float, float], ...]]:
    found = {}
    for layer in record.made:
        finest = min(layer.products, key=lambda product: product.grid.scale)
        measured = record.pictures.measured.get(finest.name)
        if measured is not None and measured.area_by_weight:
            found[layer.name] = measured.area_by_weight
    return found


def exposure_rows(record: RunRecord) -> list[ExposureRow]:
    """Return a row for each exposure of the list, excluded ones included."""
    layers = {name: layer.name for layer in record.plan.layers for name in layer.exposures}
    planned = {exposure.name for exposure in record.plan.exposures}
    in_mosaics = {name for layer in record.made for name in record.used(layer)}
    angles = {outline.name: position_angle(outline) for outline in record.outlines}
    reasons = {exclusion.name: exclusion.reason for exclusion in record.left_out}
    rows = [
        ExposureRow(
            name=e.name,
            layer=layers[e.name],
            exposure=e,
            used=e.name in in_mosaics,
            date=_day(e.expstart),
            position_angle=angles.get(e.name),
            sky=record.pictures.skies.get(e.name),
            reason=reasons.get(e.name, str(record.repairs.get(e.name, ""))),
        )
        for e in record.plan.exposures
    ]
    others = [name for name in reasons if name not in planned]
    return rows + [ExposureRow(name, position_angle=angles.get(name), reason=reasons[name]) for name in others]


def position_angle(outline: Outline) -> float:
    """Return the position angle of the y axis of an exposure's first chip, degrees east of north, from 0 to 360."""
    # the outline begins at the origin, and its last point is on the y axis
    (ra, dec), (above_ra, above_dec) = outline.chips[0][0], outline.chips[0][-1]
    east = (above_ra - ra + 180) % 360 - 180
    return math.degrees(math.atan2(east * math.cos(math.radians(dec)), above_dec - dec)) % 360


def file_rows(record: RunRecord) -> list[FileRow]:
    """Return a row for each existing file of the run in the output directory."""
    listed = record.manifest.products if record.manifest is not None else ()
    found = {file.name: (file.kind, file.sha256) for file in listed}
    for layer in record.made:
        for product in layer.products:
            for name, kind in ((product.name, "mosaic"), (product.trailer, "trailer")):
                found.setdefault(name, (kind, ""))
    for extra in record.pictures.files:
        found.setdefault(extra.name, (extra.kind, ""))
    return [
        FileRow(name, kind, path.stat().st_size, sha256)
        for name, (kind, sha256) in sorted(found.items())
        if (path := record.output / name).is_file()
    ]


def last_lines(failure: Failed) -> str:
    """Return the end of the log that shows a failure; empty where there is none."""
    if not failure.log or not Path(failure.log).is_file():
        return ""
    with Path(failure.log).open("rb") as log:
        log.seek(0, 2)
        log.seek(max(0, log.tell() - _LOG_BYTES))
        lines = log.read().decode(errors="replace").splitlines()
    return "\n".join(lines[-_LOG_LINES:])


def _counted(messages: Iterable[str]) -> list[tuple[str, int]]:
    """Return each message once, with its number."""
    return list(Counter(messages).items())


def _date(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _day(modified_julian_date: float) -> str:
    return datetime.fromtimestamp((modified_julian_date - 40587) * 86400, UTC).strftime("%Y-%m-%d")
