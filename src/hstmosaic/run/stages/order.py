"""The order of a run: screen, find sources, align, drizzle, gather, show."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hstmosaic.plan.checks import apply_strict
from hstmosaic.products.header_notes import HeaderNotes
from hstmosaic.run.pictures import draw_on_worker
from hstmosaic.run.stages.aligned_files import gather_alignment
from hstmosaic.run.stages.alignment import align
from hstmosaic.run.stages.drizzling import drizzle, gather, usable_exposures
from hstmosaic.run.stages.finding_sources import find_sources
from hstmosaic.run.stages.registration import check_mosaics
from hstmosaic.run.stages.scheduler import all_of
from hstmosaic.run.stages.screening import screen

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hstmosaic.plan.layers import Layer
    from hstmosaic.run.stages.alignment import Alignment
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
    # the sources of the first exposure are found while others are screened
    sources = find_sources(run) if run.options.aligned else None
    screening = screen(run)
    if run.options.strict:
        await all_of(screening.values())
        apply_strict(run.results.left_out, "exposures were screened, nothing was drizzled")
    alignment = None
    if sources is not None and (used := await screened(run, screening)):
        alignment = await align(run, used, sources)
    layers = run.plan.layers if alignment is None else alignment.plan.layers
    longest_first = sorted(layers, key=lambda layer: -layer.estimate.seconds)
    await all_of([run.scheduler.start(make_layer(run, layer, screening, alignment)) for layer in longest_first])
    if alignment is not None and run.results.gathered:
        gather_alignment(run, alignment)
    if not run.options.stub:
        failed = {failure.layer for failure in run.results.failures}
        check_mosaics(run, [layer for layer in layers if layer.name not in failed])
    if run.options.draws_on_worker:
        run.results.pictures = draw_on_worker(run.plan, run.directory, run.scheduler.pool, run.events)


async def screened(run: Run, screening: Mapping[str, Pending[Verdict]]) -> list[str]:
    """Wait for all verdicts, and return the names of the exposures that can be used, by layer."""
    verdicts = {verdict.exposure: verdict for verdict in await all_of(screening.values())}
    return [name for layer in run.plan.layers for name in layer.exposures if verdicts[name].used]


async def make_layer(
    run: Run, layer: Layer, screening: Mapping[str, Pending[Verdict]], alignment: Alignment | None
) -> None:
    """Drizzle a layer once its exposures are screened, and gather its products."""
    used = usable_exposures(run, layer, await all_of(screening[name] for name in layer.exposures))
    if not used:
        return
    plan, result = (alignment.plan, alignment.result) if alignment else (run.repaired_plan(), None)
    drizzled = await drizzle(run, plan, layer, used, HeaderNotes(result))
    if drizzled is not None:
        gather(run, drizzled)
