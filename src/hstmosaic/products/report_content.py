"""Content of the report, collected from a run's record."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
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
from hstmosaic.products.report_rows import (
    ExposureRow,
    FileRow,
    MosaicRow,
    RegistrationRow,
    Shown,
    exposure_rows,
    file_rows,
    last_lines,
    mosaic_rows,
    read_pictures,
    read_tasks,
    registration_rows,
)
from hstmosaic.store.stage_events import Fallback, Finished, Stopped
from hstmosaic.store.task_names import drizzle_task
from hstmosaic.store.worker_events import Retrying

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from hstmosaic.plan.layers import Layer
    from hstmosaic.plan.plan import Plan
    from hstmosaic.products.charts import MemoryBar, Plane, Timeline
    from hstmosaic.products.run_record import Failed, RunRecord
    from hstmosaic.products.starts import Start
    from hstmosaic.store.alignment_results import AlignmentResult
    from hstmosaic.store.events import Event

_VERDICTS = {
    ExitCode.OK: ("good", "finished"),
    ExitCode.LAYER_FAILED: ("bad", "finished, but for some layers"),
    ExitCode.NOTHING_LEFT: ("bad", "no exposure was left to drizzle"),
    ExitCode.INTERRUPTED: ("bad", "interrupted"),
}


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
    registration: list[RegistrationRow]
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
        registration=registration_rows(record),
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
    warnings = [warning for finished in record.payloads(Finished) for warning in finished.warnings]
    if record.exit_code == ExitCode.OK and (warnings or crashed or any(record.payloads(Fallback))):
        return "warn", ": ".join(
            ["finished with warnings", ", ".join(warnings)] if warnings else ["finished with warnings"]
        )
    words = _VERDICTS.get(ExitCode(record.exit_code), ("bad", "stopped by an error"))
    if record.exit_code == ExitCode.LAYER_FAILED:
        count = len(record.failures)
        return "bad", f"{count} of {len(record.plan.layers)} layers failed"
    return words


def _depths(record: RunRecord) -> dict[str, tuple[tuple[float, float], ...]]:
    found = {}
    for layer in record.made:
        finest = min(layer.products, key=lambda product: product.grid.scale)
        measured = record.pictures.measured.get(finest.name)
        if measured is not None and measured.area_by_weight:
            found[layer.name] = measured.area_by_weight
    return found


def _counted(messages: Iterable[str]) -> list[tuple[str, int]]:
    """Return each message once, with its number."""
    return list(Counter(messages).items())


def _date(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
