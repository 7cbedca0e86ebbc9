"""Aligned exposures, headerlets and the reference catalogue in the output directory."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from hstmosaic.plan.names import COARSE_DETECTORS, file_key, product_stem
from hstmosaic.products.gather import Gathered, publish

if TYPE_CHECKING:
    from pathlib import Path

    from hstmosaic.run.stages.alignment import Alignment
    from hstmosaic.run.stages.run_state import Run


def gather_alignment(run: Run, alignment: Alignment) -> None:
    """Link or copy the files of an alignment to the output directory, under drizzlepac's names.

    Parameters
    ----------
    run : Run
        The run.
    alignment : Alignment
        Its alignment; without moved exposures it has no files.
    """
    if alignment.exposures:
        run.results.gathered += publish(alignment_files(alignment), run.directory.output)


def alignment_files(alignment: Alignment) -> list[tuple[Gathered, Path]]:
    """Return the files of an alignment with their paths in its working directory."""
    made = {file.name: file for file in alignment.result.files}
    found: list[tuple[Gathered, Path]] = []

    def add(name: str, kind: str, path: Path, *exposures: str) -> None:
        file = Gathered(**vars(replace(made[path.name], name=name)), kind=kind, exposures=exposures)
        found.append((file, path))

    plan = alignment.plan
    for exposure in plan.exposures:
        if exposure.name not in alignment.exposures:
            continue
        coarse = exposure.detector in COARSE_DETECTORS
        stem = product_stem(plan.prefix, exposure.instrument, exposure.detector, exposure.filter, coarse=coarse)
        name = f"{stem}-{file_key(exposure.name)}"
        copy, headerlet = alignment.exposures[exposure.name], alignment.headerlets[exposure.name]
        add(f"{name}_{exposure.filetype}.fits", "aligned exposure", copy, exposure.name)
        add(f"{name}_hlet.fits", "headerlet", headerlet, exposure.name)
    if alignment.reference_catalog is not None:
        add(alignment.reference_catalog.name, "reference catalogue", alignment.reference_catalog)
    return found
