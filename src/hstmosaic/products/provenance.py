"""Provenance of a run: inputs, products, software, options and times."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from hstmosaic.products.manifest import ALIGNED_KINDS
from hstmosaic.products.prov_document import RunDocument, records
from hstmosaic.products.recorded_options import RecordedOptions
from hstmosaic.store.files import sha256
from hstmosaic.store.result_files import TaskResult, read_result
from hstmosaic.store.run_directory import RunDirectory, TaskDirectory
from hstmosaic.store.task_names import ALIGN_TASK, drizzle_task, screen_task, sources_task
from hstmosaic.store.task_results import DrizzleResult, TaskSoftware

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from hstmosaic.plan.plan import Plan
    from hstmosaic.products.manifest import Manifest
    from hstmosaic.store.alignment_results import AlignmentResult, ExposureFit


@dataclass(frozen=True)
class RunFacts:
    """Facts of a run that the driver provides."""

    identifier: str
    """Of this run among all runs."""
    command: str
    """As it was typed."""
    options: RecordedOptions
    started: float
    """Seconds since 1970."""
    ended: float
    host: str
    job: str = ""
    """Number of the Slurm job that the driver ran in."""
    image: dict[str, str] | None = None
    """Name and digest of the image that the driver ran in."""
    alignment: AlignmentResult | None = None
    """Outcome of the alignment; None where nothing was to be aligned."""


@dataclass(frozen=True)
class RecordedExposure:
    """An input of a recorded run."""

    name: str
    path: str
    sha256: str | None
    """None if the file was never read completely."""


@dataclass(frozen=True)
class Recorded:
    """Everything needed to repeat a run."""

    options: RecordedOptions
    prefix: str
    versions: dict[str, str]
    image: str
    """Name and digest of the driver's; empty outside of one."""
    exposures: tuple[RecordedExposure, ...]
    """In the order of the list."""


def provenance_json(plan: Plan, manifest: Manifest, facts: RunFacts, run: Path) -> str:
    """Return the provenance of a run as W3C PROV-JSON.

    Parameters
    ----------
    plan : Plan
        Made from the input exposures.
    manifest : Manifest
        Inputs and products.
    facts : RunFacts
        Facts from the driver.
    run : pathlib.Path
        The run directory, with the finished tasks.

    Returns
    -------
    str
    """
    document = RunDocument(facts.identifier)
    catalogs = sorted(RunDirectory(run).catalogs.glob("*.csv")) if facts.alignment else []
    _add_run(document, plan, manifest, facts, run)
    _add_exposures(document, manifest)
    for path in catalogs:
        document.file(f"catalogs/{path.name}", "hm:Catalogue", str(path), _content(path))
    _add_tasks(document, plan, manifest, facts, run, [f"catalogs/{path.name}" for path in catalogs])
    _add_products(document, manifest, facts.alignment.exposures if facts.alignment else {}, run)
    return document.to_json()


def read_provenance(text: str) -> Recorded:
    """Read a provenance.

    Raises
    ------
    ValueError, KeyError
        If it is not the provenance of a run.
    """
    runs = records(text, "hm:Run")
    if len(runs) != 1:
        raise ValueError("it is not the provenance of a run")
    exposures = sorted(records(text, "hm:Exposure"), key=lambda exposure: exposure["hm:order"])
    (recorded,) = runs
    return Recorded(
        options=RecordedOptions.from_dict(json.loads(recorded["hm:options"])),
        prefix=recorded["hm:prefix"],
        versions=json.loads(recorded["hm:versions"]),
        image=recorded.get("hm:image", ""),
        exposures=tuple(RecordedExposure(e["prov:label"], e["prov:location"], e.get("hm:sha256")) for e in exposures),
    )


def _add_run(document: RunDocument, plan: Plan, manifest: Manifest, facts: RunFacts, run: Path) -> None:
    values = {
        "hm:command": facts.command,
        "hm:options": json.dumps(facts.options.to_dict(), sort_keys=True),
        "hm:prefix": plan.prefix,
        "hm:exitCode": manifest.exit_code,
        "hm:host": facts.host,
        "hm:slurmJob": facts.job,
        "hm:image": " ".join(facts.image.values()) if facts.image is not None else None,
        "hm:versions": json.dumps(plan.versions, sort_keys=True),
    }
    document.task("run", "hm:Run", facts.started, facts.ended, values)
    document.software("run", plan.versions, facts.image)
    plan_file = RunDirectory(run).plan_file
    document.file(plan_file.name, "hm:Plan", str(plan_file), _content(plan_file))
    document.made(plan_file.name, "run")


def _add_exposures(document: RunDocument, manifest: Manifest) -> None:
    left_out = {exclusion.name: exclusion.reason for exclusion in manifest.left_out}
    for number, exposure in enumerate(manifest.exposures):
        values = {
            "hm:order": number,
            "hm:size": exposure.size,
            "hm:sha256": exposure.sha256,
            "hm:layer": exposure.layer,
            "hm:leftOut": left_out.get(exposure.name),
            "hm:repair": str(exposure.repair) if exposure.repair is not None else None,
        }
        document.file(exposure.name, "hm:Exposure", exposure.path, values)
        document.used("run", exposure.name)


def _add_tasks(
    document: RunDocument, plan: Plan, manifest: Manifest, facts: RunFacts, run: Path, catalogs: list[str]
) -> None:
    directory = RunDirectory(run)
    for exposure in manifest.exposures:
        _add_task(document, directory.task(screen_task(exposure.name)).path, "hm:Screening", [exposure.name])
        if facts.alignment:
            _add_task(document, directory.task(sources_task(exposure.name)).path, "hm:SourceFinding", [exposure.name])
    aligned = False
    if facts.alignment:
        values = {key: value for key, value in facts.alignment.to_dict().items() if key not in ("files", "exposures")}
        used = [*facts.alignment.exposures, *catalogs]
        result = {"hm:result": json.dumps(values, sort_keys=True)}
        aligned = _add_task(document, directory.task(ALIGN_TASK).path, "hm:Alignment", used, result)
    for layer in plan.layers:
        made = [product for product in manifest.products if product.layer == layer.name]
        drizzled = sorted({name for product in made for name in product.exposures})
        task = directory.task(drizzle_task(layer.name))
        done = _add_task(document, task.path, "hm:Drizzling", drizzled)
        if done and aligned:
            document.followed(task.name, ALIGN_TASK)


def _add_task(
    document: RunDocument, folder: Path, kind: str, used: Iterable[str], more: Mapping[str, Any] | None = None
) -> bool:
    """Add a task if it ended; return whether it did."""
    result = read_result(folder)
    measured = TaskDirectory(folder).read_measured()
    if result is None or measured is None:
        return False
    values = {
        "hm:ok": result.ok,
        "hm:error": result.error,
        "hm:host": measured.host,
        "hm:slurmJob": measured.job,
        "hm:cpuSeconds": measured.cpu_seconds,
        "hm:peakMemoryMB": measured.max_rss_mb,
    }
    ended = measured.started + measured.wall_seconds
    document.task(folder.name, kind, measured.started, ended, values | dict(more or {}))
    software = result.read(TaskSoftware)
    image = None if software.image is None else asdict(software.image)
    document.software(folder.name, software.versions, image)
    for file in used:
        document.used(folder.name, file)
    return True


def _add_products(document: RunDocument, manifest: Manifest, fitted: Mapping[str, ExposureFit], run: Path) -> None:
    for product in manifest.products:
        task, parameters, moved = "run", None, None
        if product.layer is not None:
            task = drizzle_task(product.layer)
            result = read_result(RunDirectory(run).task(task).path) or TaskResult(ok=False)
            parameters = result.read(DrizzleResult).parameters.get(product.name)
        elif product.kind in ALIGNED_KINDS:
            task = ALIGN_TASK
            moved = fitted.get(product.exposures[0]) if product.exposures else None
        values = {
            "hm:kind": product.kind,
            "hm:size": product.size,
            "hm:sha256": product.sha256,
            "hm:layer": product.layer,
            "hm:parameters": json.dumps(parameters, sort_keys=True) if parameters else None,
            "hm:moved": json.dumps(asdict(moved), sort_keys=True) if moved else None,
        }
        document.file(product.name, "hm:Product", str(run.parent / product.name), values)
        document.made(product.name, task)
        for name in product.exposures:
            document.derived(product.name, name)


def _content(path: Path) -> dict[str, Any]:
    return {"hm:size": path.stat().st_size, "hm:sha256": sha256(path)}
