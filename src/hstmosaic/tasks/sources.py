"""Source finding in one exposure, the longest part of the alignment, with drizzlepac's own detection."""

from __future__ import annotations

import copy
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from astropy.table import Table
from drizzlepac.haputils import align_utils, config_utils

from hstmosaic.plan.star_widths import STAR_WIDTHS
from hstmosaic.store.result_files import TaskResult
from hstmosaic.store.task_names import Stage
from hstmosaic.store.task_results import SourcesResult
from hstmosaic.tasks.finish import finish_file
from hstmosaic.tasks.upstream import source_finding
from hstmosaic.tasks.upstream.repairs import apply_repairs
from hstmosaic.tasks.working_copy import link_exposure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hstmosaic.store.task_specs import SourcesSpec

_FORMAT = "ascii.ecsv"


def find_sources(spec: SourcesSpec) -> TaskResult:
    """Find the sources of one exposure with its detector's parameters, and write a table per chip.

    Parameters
    ----------
    spec : SourcesSpec
        The exposure and its detector.

    Returns
    -------
    TaskResult
        ``data`` is a `SourcesResult` as a dict; its files lie in the current directory.
    """
    name = Path(spec.path).name
    link_exposure(Path(spec.path))
    apply_repairs(Stage.FIND_SOURCES)
    source_finding.expect_width(STAR_WIDTHS[spec.detector])
    parameters = alignment_parameters(spec.instrument, spec.detector)
    table = align_utils.AlignmentTable([name], process_type="MVM", log_level=logging.INFO, **parameters)
    if not table.process_list:
        message = str(table.filtered_table[0]["processMsg"]).strip()
        return TaskResult(ok=False, error=f"drizzlepac does not align it ({message})")
    if len(table.haplist) != 1:
        return TaskResult(ok=False, error="drizzlepac could not model its background")
    fwhm = float(table.haplist[0].fwhmpsf)
    table.find_alignment_sources(output=False, crclean=[False])
    chips = table.extracted_sources[name]
    files = [write_sources(chips[chip], Path(f"sci{chip}.ecsv")) for chip in sorted(chips)]
    counts = tuple(0 if chips[chip] is None else len(chips[chip]) for chip in sorted(chips))
    made = tuple(finish_file(Path(file)) for file in files if file)
    return TaskResult(ok=True, data=SourcesResult(fwhm, counts, tuple(files), made).to_dict())


def alignment_parameters(instrument: str, detector: str) -> dict[str, Any]:
    """Return drizzlepac's parameters for the alignment of multi-visit mosaics, a copy of one's own."""
    index, folder = config_utils.read_index(instrument, detector, "mvm")
    pars = config_utils.AlignmentPars(index["alignment"], [], "mvm", folder, "alignment", True, None)
    return copy.deepcopy(pars.outpars)


def write_sources(sources: Table | None, path: Path) -> str:
    """Write the sources of a chip and return the file's name, or nothing if there are none."""
    if sources is None or len(sources) == 0:
        return ""
    sources.write(path, format=_FORMAT, overwrite=True)
    return path.name


def read_sources(paths: Sequence[str]) -> dict[int, Table]:
    """Read the tables of an exposure's chips, by number of the chip; a chip without sources has an empty one."""
    empty = {"xcentroid": float, "ycentroid": float, "mag": float}
    return {
        chip: Table.read(path, format=_FORMAT) if path else Table(names=list(empty), dtype=list(empty.values()))
        for chip, path in enumerate(paths, start=1)
    }
