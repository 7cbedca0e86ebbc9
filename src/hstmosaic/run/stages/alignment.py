"""The stage that fits all exposures together to a catalogue."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from hstmosaic.errors import AlignmentError
from hstmosaic.plan.alignment import fit_order
from hstmosaic.plan.catalog_replies import fit_cone
from hstmosaic.plan.estimates import estimate_fit
from hstmosaic.plan.outlines import write_outlines
from hstmosaic.plan.replan import replan
from hstmosaic.run.stages.alignment_messages import emit_fit
from hstmosaic.run.stages.finding_sources import report_fallbacks, sources_of
from hstmosaic.run.stages.scheduler import Task
from hstmosaic.run.stages.stored_catalogs import store_catalogs
from hstmosaic.run.stages.task_inputs import content_state, file_states, work_is_intact
from hstmosaic.store.alignment_events import FindingSources, Fitting
from hstmosaic.store.alignment_results import CARRIED, AlignmentResult
from hstmosaic.store.files import write_atomically
from hstmosaic.store.task_names import ALIGN_TASK
from hstmosaic.store.task_specs import AlignSpec
from hstmosaic.text import count_of

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from hstmosaic.plan.exposures import Exposure
    from hstmosaic.plan.plan import Plan
    from hstmosaic.run.stages.finding_sources import FoundSources
    from hstmosaic.run.stages.run_state import Run
    from hstmosaic.run.stages.scheduler import EndedTask, Pending

_NEXT_STEP = "give another catalogue with --catalog FILE, or add -s to use the WCS that the exposures have"
_WITHOUT_THEM = "remove them from the list, or omit --require-alignment"
_MANY = 10
"""Sources of an exposure of which some should match those of others."""


@dataclass(frozen=True)
class Alignment:
    """The alignment of a run."""

    plan: Plan
    """The plan for drizzling: with the corrected copies, or unchanged."""
    result: AlignmentResult
    """Catalogue, fit, and numbers for each exposure."""
    exposures: dict[str, Path] = field(default_factory=dict)
    """Corrected copies by name."""
    headerlets: dict[str, Path] = field(default_factory=dict)
    """Headerlets by name of their exposure."""
    reference_catalog: Path | None = None


async def align(run: Run, used: Collection[str], sources: Mapping[str, Pending[EndedTask]]) -> Alignment:
    """Align all exposures of all filters together, and plan their grids again.

    Parameters
    ----------
    run : Run
        The run. The corrected copies stay in the working directory of the task.
    used : collection of str
        Names of the exposures that will be drizzled.
    sources : mapping of str to Pending
        The tasks of `find_sources`.

    Returns
    -------
    Alignment
        Also where no catalogue fits: then with exposures that were fitted to each other only, or not at all, and the
        cause, which was reported.

    Raises
    ------
    AlignmentError
        If the user's catalogue cannot be used; with ``--require-alignment``, if an exposure is not aligned.
    FallbackError
        With ``--strict``, if a library used a fallback.
    """
    outcome = run.directory.alignment_file
    outcome.unlink(missing_ok=True)  # of an earlier start
    alignment = await _align(run, run.repaired_plan(), used, sources)
    run.results.alignment = alignment.result
    write_atomically(outcome, json.dumps(alignment.result.to_dict(), indent=1))
    write_outlines(run.directory.outlines_file, alignment.plan)
    return alignment


async def _align(run: Run, plan: Plan, used: Collection[str], sources: Mapping[str, Pending[EndedTask]]) -> Alignment:
    order = fit_order(exposure for exposure in plan.exposures if exposure.name in used)
    cone = fit_cone(order)
    stored = store_catalogs(run, cone)
    error, work = stored.error, run.directory.path
    try:
        found = await _await_sources(run, order, sources)
        result, work = await fit(run, plan, order, found, stored.replies)
        if not result.aligned and run.options.catalog is None and error is None:
            more = store_catalogs(run, cone, everything=True).replies
            if more != stored.replies:
                result, work = await fit(run, plan, order, found, more)
    except AlignmentError as failure:
        result, error = AlignmentResult(aligned=False), failure
    required = run.options.require_alignment
    if not result.aligned:
        error = error or AlignmentError(result.cause, _NEXT_STEP)
        result = replace(result, cause=error.message.splitlines()[0], no_catalog=not stored.replies)
        if required:
            raise AlignmentError(f"the exposures cannot be aligned: {error.message}", error.next_step)
    emit_fit(result, run.events, {exposure.name for exposure in order if exposure.detector == "ir"})
    if required:
        _check_all_aligned(result)
    exposures = {name: work / name for name in result.exposures}
    aligned = replan(plan, exposures) if exposures else plan
    return Alignment(
        plan=aligned,
        result=replace(result, tight_limits=tuple(aligned.tight_limits.as_list())),
        exposures=exposures,
        headerlets={name: work / file for name, file in result.headerlets.items()},
        reference_catalog=work / result.reference_catalog if result.reference_catalog else None,
    )


async def _await_sources(
    run: Run, order: Sequence[Exposure], sources: Mapping[str, Pending[EndedTask]]
) -> dict[str, FoundSources]:
    """Wait for the sources of exposures; some of them may have none, but not all."""
    words = f"finding stars in {count_of(len(order), 'exposure')}"
    run.events.emit(FindingSources(len(order)), words)
    ended = {exposure.name: await sources[exposure.name] for exposure in order}
    found = {name: sources_of(run, name, task) for name, task in ended.items()}
    lost = {name: one.error for name, one in found.items() if one.error}
    if any(one.retry for one in found.values()):
        raise AlignmentError("; ".join(f"{name}: {cause}" for name, cause in lost.items()))
    if len(lost) == len(order):
        first = order[0].name
        raise AlignmentError(f"no exposure has stars to align it by ({first}: {lost[first]})", _NEXT_STEP)
    return found


async def fit(
    run: Run,
    plan: Plan,
    order: Sequence[Exposure],
    found: Mapping[str, FoundSources],
    replies: Sequence[tuple[str, str]],
) -> tuple[AlignmentResult, Path]:
    """Fit exposures together.

    Parameters
    ----------
    run : Run
        The run.
    plan : Plan
        Its plan, with the repairs that exposures need.
    order : sequence of Exposure
        The exposures, in the order of the fit.
    found : mapping of str to FoundSources
        Their sources, by name.
    replies : sequence of tuple of str
        Catalogues and their stored replies, best first.

    Returns
    -------
    result : AlignmentResult
        The fit.
    work : pathlib.Path
        Folder of the files that it made.

    Raises
    ------
    AlignmentError
        If the task failed.
    """
    spec = AlignSpec(
        exposures=tuple((exposure.name, str(exposure.path)) for exposure in order),
        sources=tuple((exposure.name, found[exposure.name].tables) for exposure in order),
        replies=tuple(replies),
        prefix=plan.prefix,
        repaired=tuple(exposure.name for exposure in order if exposure.needs_repair),
    )
    files = [path for _, path in replies] + [path for one in found.values() for path in one.tables if path]
    estimate = estimate_fit(order, plan.learned)
    task = Task(
        name=ALIGN_TASK,
        spec=spec,
        inputs=file_states(order) | {path: content_state(Path(path)) for path in files},
        estimate=estimate,
        priority=round(estimate.seconds),
        is_intact=work_is_intact,
    )
    catalogs = ", ".join(name for name, _ in replies) or "each other"
    run.events.emit(Fitting(), f"fitting {count_of(len(order), 'exposure')} to {catalogs}")
    ended = await run.scheduler.start_task(task)
    if not ended.result.ok:
        raise AlignmentError(f"the fit failed: {ended.result.error} (log: {ended.directory.log})", _NEXT_STEP)
    report_fallbacks(run, "alignment", ended.result)
    result = ended.result.read(AlignmentResult)
    lost = {name: one.error for name, one in found.items() if one.error}
    reasons = {name: lost.get(name, reason) for name, reason in result.left_out.items()}
    moved = {name: replace(one, reason=lost.get(name, one.reason)) for name, one in result.exposures.items()}
    return replace(result, left_out=reasons, exposures=moved), ended.directory.work


def _check_all_aligned(found: AlignmentResult) -> None:
    """Raise an error if an exposure is not fitted to the catalogue."""
    reasons = dict(found.left_out)
    for name, one in found.exposures.items():
        if not one.absolute:
            reasons[name] = "it is not connected with the catalogue"
        elif one.status == CARRIED and one.sources >= _MANY:
            reasons[name] = f"it could not be matched: {one.reason}"
    if reasons:
        listed = "; ".join(f"{name} ({reason})" for name, reason in reasons.items())
        raise AlignmentError(f"not all exposures can be aligned: {listed}", _WITHOUT_THEM)
