"""Drizzling: one `hapmultisequencer` run for one layer, in the current directory."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from drizzlepac import hapmultisequencer
from drizzlepac.haputils.analyze import Ret_code

from hstmosaic.plan.header_records import software_cards, software_records
from hstmosaic.store.files import ENCODING
from hstmosaic.store.image_identity import image_identity
from hstmosaic.store.pixel_repair import FILLED_FLAG
from hstmosaic.store.result_files import TaskResult
from hstmosaic.store.task_names import Stage
from hstmosaic.store.task_results import DrizzleResult
from hstmosaic.store.task_specs import TRAILERS
from hstmosaic.tasks.boxes.layer import OwnRecords, make_in_boxes
from hstmosaic.tasks.boxes.prepare import Recorder
from hstmosaic.tasks.cut import cut_tile
from hstmosaic.tasks.fallbacks import joined, read_warnings
from hstmosaic.tasks.finish import finish_file, finish_fits, refer_npixfrac
from hstmosaic.tasks.mosaic_stars import find_stars
from hstmosaic.tasks.planes import add_planes
from hstmosaic.tasks.upstream import drizzling
from hstmosaic.tasks.upstream.memory import OutOfMemoryError
from hstmosaic.tasks.upstream.parameters import record_parameters
from hstmosaic.tasks.upstream.repairs import apply_repairs
from hstmosaic.tasks.upstream.steps import record_steps
from hstmosaic.tasks.upstream.user_options import use_context, use_grids, use_inverse_variances, use_parameters
from hstmosaic.tasks.working_copy import FILLED_KEYWORD, link_exposure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hstmosaic.store.drizzle_steps import DrizzleSteps
    from hstmosaic.store.files import MadeFile
    from hstmosaic.store.result_files import TaskWarning
    from hstmosaic.store.task_results import Parameters
    from hstmosaic.store.task_specs import DrizzleSpec

RECORDS = Path("boxes")
"""Folder in the working directory for the files of records."""
MEANING = {
    Ret_code.KEYWORD_UPDATE_PROBLEM.value: "a product's header could not be updated (often a full disk)",
    Ret_code.NO_VIABLE_DATA.value: "no exposure that drizzlepac can use",
}


@dataclass(frozen=True)
class UpstreamRun:
    """Files of a run of `hapmultisequencer` in the current directory."""

    parameters: dict[str, Parameters]
    """Parameters of AstroDrizzle, by name of the mosaic."""
    steps: DrizzleSteps
    warnings: tuple[TaskWarning, ...]
    recorder: Recorder | None
    """Records of the mosaics; None where drizzlepac drizzled them."""


def drizzle(spec: DrizzleSpec) -> TaskResult:
    """Make the mosaics of a layer, box by box if the specification allows it.

    Parameters
    ----------
    spec : DrizzleSpec
        The poller, the exposures to link in, limits, prefix and expected products.

    Returns
    -------
    TaskResult
        ``data`` is a `DrizzleResult` as a dict; its files lie in the current directory. Fallbacks are in ``warnings``
        and in HISTORY records of the mosaics.
    """
    ran = run_upstream(spec)
    if isinstance(ran, TaskResult):
        return ran
    files = _finish(spec, ran.warnings, ran.recorder)
    made = DrizzleResult(files, ran.parameters, ran.steps, find_stars(Path(spec.finest)))
    return TaskResult(ok=True, data=made.to_dict(), warnings=ran.warnings)


def run_upstream(spec: DrizzleSpec) -> UpstreamRun | TaskResult:
    """Run `hapmultisequencer` on a poller whose rows of one layer are NEW; return the result if it failed.

    Parameters
    ----------
    spec : DrizzleSpec
        Of the layer.
    """
    for name, path in spec.links:
        if name in spec.repaired:
            link_exposure(Path(path))
        else:
            Path(name).symlink_to(path)
    Path(spec.poller_name).write_text(spec.poller, ENCODING, errors="surrogateescape")
    apply_repairs(Stage.DRIZZLE)
    drizzling.reject_filled_pixels(FILLED_KEYWORD, FILLED_FLAG)
    use_parameters(spec)
    use_grids(spec)
    use_context(spec)
    use_inverse_variances(spec)
    boxes = _record_boxes(spec) if spec.in_boxes else None
    parameters, recorder = record_parameters(), record_steps()
    code = hapmultisequencer.run_mvm_processing(
        spec.poller_name,
        skip_gaia_alignment=True,
        custom_limits=list(spec.limits),
        output_file_prefix=drizzling.exact_prefix(spec.prefix),
        log_level=getattr(logging, spec.log_level.upper()),
    )
    if boxes is not None and boxes.refusal:
        return TaskResult(ok=False, error=f"{boxes.refusal}: drizzle whole layers")
    if isinstance(code, OutOfMemoryError):
        raise code
    if isinstance(code, SystemExit):
        code = code.code
    if code != 0:
        return TaskResult(ok=False, error=MEANING.get(code, f"hapmultisequencer returned {code}"))
    missing = [name for name in spec.products if not Path(name).is_file()]
    if missing:
        return TaskResult(ok=False, error=f"hapmultisequencer made no {', '.join(missing)}")
    trailers = [path.read_text(ENCODING, errors="replace") for path in sorted(Path().glob(TRAILERS))]
    steps = recorder.steps()
    warnings = joined(steps.warnings(), read_warnings(trailers))
    return UpstreamRun(parameters, steps, tuple(warnings), boxes)


def _record_boxes(spec: DrizzleSpec) -> Recorder:
    """Let drizzlepac record what it would drizzle."""
    RECORDS.mkdir()
    recorder = Recorder(RECORDS, spec.context)
    recorder.install()
    return recorder


def _finish(spec: DrizzleSpec, warnings: Sequence[TaskWarning], recorder: Recorder | None) -> tuple[MadeFile, ...]:
    own = own_records(spec, warnings)
    mosaics = {} if recorder is None else {mosaic.name: mosaic for mosaic in recorder.mosaics}
    files = []
    for path in map(Path, spec.products):
        if path.name not in own:
            files.append(finish_file(path))
        elif recorder is None:
            its = own[path.name]
            add_planes(path, error=spec.error, context=spec.context)
            cards = [refer_npixfrac(path, *its.areas), *its.cards]
            files.append(finish_fits(path, cards, its.history, compress=spec.compress))
        else:
            compress = spec.assembled_compressed
            files.append(make_in_boxes(recorder.folder, mosaics[path.name], path, own[path.name], compress=compress))
            files[-1] = finish_assembled(spec, path, files[-1])
    return (*files, *cut_tiles(spec))


def finish_assembled(spec: DrizzleSpec, path: Path, made: MadeFile) -> MadeFile:
    """Add the images that a specification requests to an assembled mosaic, and compress it then if requested.

    Parameters
    ----------
    spec : DrizzleSpec
        Of the layer.
    path : pathlib.Path
        The mosaic, with checksums.
    made : MadeFile
        What it can be checked by; returned if nothing is to be done.
    """
    if not (spec.error or spec.context):
        return made
    add_planes(path, error=spec.error, context=spec.context)
    return finish_fits(path, compress=spec.compress)


def cut_tiles(spec: DrizzleSpec) -> tuple[MadeFile, ...]:
    """Cut the tiles of a layer from its mosaics in the current directory."""
    return tuple(cut_tile(Path(tile.mosaic), tile, compress=spec.compress) for tile in spec.tiles)


def own_records(spec: DrizzleSpec, warnings: Sequence[TaskWarning]) -> dict[str, OwnRecords]:
    """Return the records of ours for the header of each mosaic, by its name."""
    image = image_identity()
    cards = (*software_cards(), *(image.cards() if image is not None else ()), *spec.cards)
    history = (*software_records(), *spec.history, *(f"WARNING: {warning}" for warning in warnings))
    return {name: OwnRecords((given, documented), cards, history) for name, given, documented in spec.areas}
