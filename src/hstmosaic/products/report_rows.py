"""Rows of the tables of the report, and its pictures, read from a run's record."""

from __future__ import annotations

import base64
import math
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from hstmosaic.products.charts import KIND_WORDS, TaskBar
from hstmosaic.products.layer_marks import layer_title
from hstmosaic.store.result_files import read_result
from hstmosaic.store.run_directory import TaskDirectory
from hstmosaic.store.stage_events import Registered, StarsMeasured
from hstmosaic.store.task_names import Stage, stage_of
from hstmosaic.store.worker_events import Running

if TYPE_CHECKING:
    from hstmosaic.plan.exposures import Exposure
    from hstmosaic.plan.layers import Product
    from hstmosaic.plan.outlines import Outline
    from hstmosaic.products.measurements import Measurements
    from hstmosaic.products.run_record import Failed, RunRecord
    from hstmosaic.products.seams import Seams
    from hstmosaic.products.sky_levels import SkyLevel

_LOG_LINES = 15
_LOG_BYTES = 20_000


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
    stars: StarsMeasured | None = None
    """Width of its stars; None where they were not measured."""
    seams: Seams | None = None
    """Steps of its background; None where they were not measured."""


@dataclass(frozen=True)
class RegistrationRow:
    """A mosaic in the table of registrations."""

    offset: Registered
    scale: float
    """Arcsec per pixel."""
    against: str
    """Layer or catalogue that it was compared with, as the report names it."""

    @property
    def mas(self) -> float:
        """Length of the offset, milliarcseconds."""
        return 1000 * self.scale * self.offset.distance


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
    widths = {stars.layer: stars for stars in record.payloads(StarsMeasured)}
    for layer in record.made:
        used = record.used(layer)
        seconds = sum(record.plan.exposure(name).exptime for name in used)
        for product in layer.products:
            path = record.output / product.name
            if path.is_file():
                measured = record.pictures.measured.get(product.name)
                size = path.stat().st_size
                row = MosaicRow(layer.name, product, len(used), seconds, size, measured)
                if product is layer.products[-1]:
                    row = replace(row, stars=widths.get(layer.name), seams=record.pictures.seams.get(layer.name))
                rows.append(row)
    return rows


def registration_rows(record: RunRecord) -> list[RegistrationRow]:
    """Return a row for each pair of mosaics, or of a mosaic and the catalogue, whose offset was looked for."""
    scales = {layer.name: layer.products[-1].grid.scale for layer in record.plan.layers}
    return [
        RegistrationRow(
            offset,
            scales[offset.layer],
            layer_title(offset.reference) if offset.reference in scales else offset.reference,
        )
        for offset in record.payloads(Registered)
        if offset.layer in scales
    ]


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
    """Return the end of the log that shows a failure; empty if none does."""
    if not failure.log or not Path(failure.log).is_file():
        return ""
    with Path(failure.log).open("rb") as log:
        log.seek(0, 2)
        log.seek(max(0, log.tell() - _LOG_BYTES))
        lines = log.read().decode(errors="replace").splitlines()
    return "\n".join(lines[-_LOG_LINES:])


def _day(modified_julian_date: float) -> str:
    return datetime.fromtimestamp((modified_julian_date - 40587) * 86400, UTC).strftime("%Y-%m-%d")
