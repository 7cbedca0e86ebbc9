"""A run in progress, and the results of its stages."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hstmosaic.products.manifest import Failure
from hstmosaic.run.stages.catalog import Service
from hstmosaic.store.stage_events import LayerFailed

if TYPE_CHECKING:
    from hstmosaic.plan.checks import Exclusion
    from hstmosaic.plan.layers import Layer
    from hstmosaic.plan.plan import Plan
    from hstmosaic.products.gather import Gathered
    from hstmosaic.run.options import RunOptions
    from hstmosaic.run.stages.scheduler import Scheduler
    from hstmosaic.store.alignment_results import AlignmentResult
    from hstmosaic.store.events import EventLog
    from hstmosaic.store.pixel_repair import PixelRepair
    from hstmosaic.store.run_directory import RunDirectory, TaskDirectory
    from hstmosaic.store.stage_events import Registered, StarsMeasured
    from hstmosaic.store.task_results import MosaicSource


@dataclass
class Results:
    """Results of the stages, kept as they come, so that a run that ends with an error reports them."""

    left_out: list[Exclusion] = field(default_factory=list)
    """Exposures that screening left out."""
    failures: list[Failure] = field(default_factory=list)
    gathered: list[Gathered] = field(default_factory=list)
    """Files in the output directory."""
    sha256: dict[str, str] = field(default_factory=dict)
    """Checksums of exposures, by name, as screening read them."""
    repairs: dict[str, PixelRepair] = field(default_factory=dict)
    """Faults in the pixels of exposures, by name, which working copies do not have."""
    alignment: AlignmentResult | None = None
    """None until the alignment has ended."""
    registration: list[Registered] = field(default_factory=list)
    """Offsets of mosaics from each other and from the catalogue."""
    sources: dict[str, tuple[MosaicSource, ...]] = field(default_factory=dict)
    """Compact sources of mosaics, by layer."""
    stars: list[StarsMeasured] = field(default_factory=list)
    """Widths of stars in mosaics."""
    pictures: list[Gathered] | None = None
    """None until they are drawn, by a worker or while the run went on."""


@dataclass(frozen=True)
class Run:
    """A run in progress."""

    plan: Plan
    """The plan as made from the exposures as given."""
    options: RunOptions
    directory: RunDirectory
    scheduler: Scheduler
    events: EventLog
    results: Results = field(default_factory=Results)
    service: Service = field(default_factory=Service)
    """The catalogue service."""

    def repaired_plan(self) -> Plan:
        """Return the plan with the repairs that exposures need, as far as they are screened."""
        plan = self.plan
        for name in self.results.repairs:
            plan = plan.with_repair(name)
        return plan

    def fail(self, layer: Layer, cause: str, task: TaskDirectory) -> None:
        """Record and report that a layer failed."""
        self.results.failures.append(Failure(layer.name, cause, str(task.log)))
        self.events.emit(LayerFailed(layer.name), f"{layer.name} failed: {cause} (log: {task.log})", "error")
