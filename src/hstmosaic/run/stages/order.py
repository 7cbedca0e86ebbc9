"""The order of a run: screen, find sources, align, drizzle, gather, show."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hstmosaic.plan.checks import apply_strict
from hstmosaic.products.gather import publish
from hstmosaic.products.header_notes import HeaderNotes
from hstmosaic.run.pictures import draw_on_worker
from hstmosaic.run.stages.aligner import Aligner
from hstmosaic.run.stages.alignment import AlignOptions
from hstmosaic.run.stages.drizzling import drizzle, gather, usable_exposures
from hstmosaic.run.stages.scheduler import all_of
from hstmosaic.run.stages.screening import screen

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hstmosaic.plan.layers import Layer
    from hstmosaic.plan.plan import Plan
    from hstmosaic.run.stages.run_state import Run
    from hstmosaic.run.stages.scheduler import Pending
    from hstmosaic.run.stages.screening import Verdict


async def make_mosaics(run: Run) -> None:
    """Make the mosaics of a run.

    A layer drizzles as soon as its exposures are screened; with an alignment or ``--strict``, as soon as all are.

    Parameters
    ----------
    run : Run
        The run; its results are filled in as they come.

    Raises
    ------
    BadInputError
        With ``--strict``, if screening left an exposure out.
    AlignmentError
        If alignment is required and failed.
    ClusterError
        If tasks cannot run.
    """
    aligner = find_sources_early(run) if run.options.aligned else None
    screening = screen(run)
    if run.options.strict:
        await all_of(screening.values())
        apply_strict(run.results.left_out, "exposures were screened, nothing was drizzled")
    aligned = None if aligner is None else await align(run, aligner, screening)
    layers = run.plan.layers if aligned is None else aligned[0].layers
    longest_first = sorted(layers, key=lambda layer: -layer.estimate.seconds)
    await all_of([run.scheduler.start(make_layer(run, layer, screening, aligned)) for layer in longest_first])
    if aligner is not None and run.results.gathered:
        run.results.gathered += publish(aligner.files(), run.directory.output)
    if run.options.draws_on_worker:
        run.results.pictures = draw_on_worker(run.plan, run.directory, run.scheduler.pool, run.events)


def find_sources_early(run: Run) -> Aligner:
    """Start to find sources, for when screening leaves a core idle."""
    options = run.options
    how = AlignOptions(
        options.catalog,
        required=options.require_alignment,
        strict=options.strict,
        service=run.service,
        log_level=options.log_level,
    )
    aligner = Aligner(run.directory, run.scheduler.pool, how, run.events)
    aligner.start_ahead(run.plan)
    return aligner


async def align(
    run: Run, aligner: Aligner, screening: Mapping[str, Pending[Verdict]]
) -> tuple[Plan, HeaderNotes] | None:
    """Align the exposures that screening left; None if it left none."""
    verdicts = {verdict.exposure: verdict for verdict in await all_of(screening.values())}
    used = [name for layer in run.plan.layers for name in layer.exposures if verdicts[name].used]
    if not used:
        return None
    aligned = aligner(run.repaired_plan(), used)
    run.results.alignment = aligner.result
    return aligned


async def make_layer(
    run: Run, layer: Layer, screening: Mapping[str, Pending[Verdict]], aligned: tuple[Plan, HeaderNotes] | None
) -> None:
    """Drizzle a layer once its exposures are screened, and gather its products."""
    used = usable_exposures(run, layer, await all_of(screening[name] for name in layer.exposures))
    if not used:
        return
    plan, notes = aligned or (run.repaired_plan(), HeaderNotes())
    drizzled = await drizzle(run, plan, layer, used, notes)
    if drizzled is not None:
        gather(run, drizzled)
