"""What the driver makes of an alignment: the plan to go on with, header cards, files for the user."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from hstmosaic.plan.names import COARSE_DETECTORS, file_key, product_stem
from hstmosaic.plan.outlines import write_outlines
from hstmosaic.products.gather import Gathered
from hstmosaic.products.header_notes import HeaderNotes
from hstmosaic.run.stages.alignment import AlignedRun, AlignOptions, align_exposures
from hstmosaic.run.stages.alignment_tasks import Stage
from hstmosaic.store.files import write_whole

if TYPE_CHECKING:
    from pathlib import Path

    from hstmosaic.plan.plan import Plan
    from hstmosaic.run.pool.pool import Pool
    from hstmosaic.store.alignment_results import AlignmentResult
    from hstmosaic.store.events import EventLog
    from hstmosaic.store.run_directory import RunDirectory


@dataclass
class Aligner:
    """Aligns between screening and drizzling, and remembers how that went."""

    directory: RunDirectory
    pool: Pool
    options: AlignOptions
    events: EventLog
    run: AlignedRun | None = field(default=None, init=False)
    _stage: Stage | None = field(default=None, init=False)

    def start_ahead(self, plan: Plan) -> None:
        """Start the searches for sources; screening comes first."""
        self._stage = Stage(plan, self.directory, self.pool)
        self._stage.start_ahead()

    def __call__(self, plan: Plan, used: list[str]) -> tuple[Plan, HeaderNotes]:
        """Align the exposures that will be used.

        Parameters
        ----------
        plan : Plan
            With its exposures' chips.
        used : list of str
            Names of the exposures that will be drizzled.

        Returns
        -------
        Plan
            To go on with.
        HeaderNotes
            For the products.

        Raises
        ------
        AlignmentError
            If alignment is required and there was none.
        """
        outcome = self.directory.alignment_file
        outcome.unlink(missing_ok=True)  # of an earlier start
        self.run = align_exposures(plan, used, self.directory, self.pool, self.options, self.events, self._stage)
        write_whole(outcome, json.dumps(self.run.result.to_dict(), indent=1))
        write_outlines(self.directory.outlines_file, self.run.plan)
        return self.run.plan, HeaderNotes(self.run.result)

    @property
    def result(self) -> AlignmentResult | None:
        """The outcome, as ``alignment.json`` has it; None until it has ended."""
        return self.run.result if self.run is not None else None

    def files(self) -> list[tuple[Gathered, Path]]:
        """Return the aligned exposures, headerlets and the reference catalogue under drizzlepac's names for them.

        There are none where no exposure was moved.
        """
        if self.run is None or not self.run.exposures:
            return []
        made = {file.name: file for file in self.run.result.files}
        found: list[tuple[Gathered, Path]] = []

        def add(name: str, kind: str, path: Path, *exposures: str) -> None:
            file = Gathered(**vars(replace(made[path.name], name=name)), kind=kind, exposures=exposures)
            found.append((file, path))

        for exposure in self.run.plan.exposures:
            if exposure.name not in self.run.exposures:
                continue
            coarse = exposure.detector in COARSE_DETECTORS
            stem = product_stem(
                self.run.plan.prefix, exposure.instrument, exposure.detector, exposure.filter, coarse=coarse
            )
            name = f"{stem}-{file_key(exposure.name)}"
            copy, headerlet = self.run.exposures[exposure.name], self.run.headerlets[exposure.name]
            add(f"{name}_{exposure.filetype}.fits", "aligned exposure", copy, exposure.name)
            add(f"{name}_hlet.fits", "headerlet", headerlet, exposure.name)
        if self.run.reference_catalog is not None:
            add(self.run.reference_catalog.name, "reference catalogue", self.run.reference_catalog)
        return found
