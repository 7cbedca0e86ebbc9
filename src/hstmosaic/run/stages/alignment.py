"""The alignment stage: sources of all exposures side by side, the catalogue, one joint fit."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from hstmosaic.errors import AlignmentError, FallbackError
from hstmosaic.plan.alignment import fit_order
from hstmosaic.plan.catalog_replies import CATALOGS, FEWEST, USER_CATALOG, Cone, check_reply, fit_cone, stars_around
from hstmosaic.plan.estimates import estimate_fit
from hstmosaic.plan.replan import replan
from hstmosaic.plan.user_catalog import catalog_reply, read_catalog
from hstmosaic.run.stages.alignment_messages import emit_fit
from hstmosaic.run.stages.alignment_tasks import Stage, content_state, file_states, sources_task
from hstmosaic.run.stages.catalog import Service, ServiceDownError, fetch, kept_reply, nothing_there
from hstmosaic.store import task_names
from hstmosaic.store.alignment_results import CARRIED, AlignmentResult
from hstmosaic.store.events import report_warnings
from hstmosaic.store.run_directory import task_key
from hstmosaic.store.task_names import ALIGN_TASK
from hstmosaic.store.task_specs import AlignSpec, TaskWarning
from hstmosaic.text import count_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from hstmosaic.plan.exposures import Exposure
    from hstmosaic.plan.plan import Plan
    from hstmosaic.run.pool.pool import Pool
    from hstmosaic.store.events import EventLog
    from hstmosaic.store.run_directory import RunDirectory, TaskDirectory
    from hstmosaic.store.task_specs import TaskResult

_SOURCES = task_names.Stage.FIND_SOURCES
_NEXT_STEP = "give another catalogue with --catalog FILE, or add -s to use the WCS that the exposures have"
_WITHOUT_THEM = "remove them from the list, or omit --require-alignment"
_MANY = 10
"""Sources of an exposure of which some should match those of others."""


@dataclass(frozen=True)
class AlignOptions:
    """How to align."""

    catalog: Path | None = None
    """The user's catalogue; the service is asked when None."""
    required: bool = False
    """Whether an exposure that is not aligned is an error."""
    strict: bool = False
    """Whether a fallback of a library is an error."""
    service: Service = field(default_factory=Service)
    log_level: str = "info"


@dataclass(frozen=True)
class AlignedRun:
    """What came out of the alignment."""

    plan: Plan
    """The plan for drizzling: with the corrected copies, or as it was."""
    result: AlignmentResult
    """Catalogue, fit, and numbers for each exposure."""
    exposures: dict[str, Path] = field(default_factory=dict)
    """Corrected copies by name."""
    headerlets: dict[str, Path] = field(default_factory=dict)
    """Headerlets by name of their exposure."""
    reference_catalog: Path | None = None

    @property
    def aligned(self) -> bool:
        """Whether exposures were fitted to a catalogue."""
        return self.result.aligned


def align_exposures(
    plan: Plan,
    used: Collection[str],
    directory: RunDirectory,
    pool: Pool,
    options: AlignOptions,
    events: EventLog,
    stage: Stage | None = None,
) -> AlignedRun:
    """Align all exposures of all filters together, and plan their grids again.

    Parameters
    ----------
    plan : Plan
        With its exposures' chips.
    used : collection of str
        Names of the exposures that will be drizzled.
    directory : RunDirectory
        Where tasks live. The corrected copies stay in ``tasks/align/work``, the catalogues in ``catalogs``.
    pool : Pool
        Runs the tasks.
    options : AlignOptions
        How to align.
    events : EventLog
        Receives the events.
    stage : Stage, optional
        One of these whose searches were started before.

    Returns
    -------
    AlignedRun
        Also where no catalogue fits: then with exposures that were fitted to each other only, or not at all, and the
        cause, which was reported.

    Raises
    ------
    AlignmentError
        If the user's catalogue cannot be used; if an exposure is not aligned and `options` require it.
    """
    order = fit_order(exposure for exposure in plan.exposures if exposure.name in used)
    stage = stage or Stage(plan, directory, pool)
    cone = fit_cone(order)
    user_reply = catalog_reply(read_catalog(options.catalog), cone) if options.catalog else None
    store = partial(_store_replies, cone, directory.catalogs, user_reply, options, events)
    replies, missing = store()
    try:
        found, work = _fit(stage, order, replies, options, events)
        if not found.aligned and user_reply is None and not missing:
            more, _ = store(everything=True)
            if more != replies:
                found, work = _fit(stage, order, more, options, events)
    except AlignmentError as error:
        found, work, missing = AlignmentResult(aligned=False), directory.path, error
    if not found.aligned:
        why = missing or AlignmentError(found.cause, _NEXT_STEP)
        found = replace(found, cause=why.message.splitlines()[0])
        if options.required:
            raise AlignmentError(f"the exposures cannot be aligned: {why.message}", why.next_step)
    emit_fit(found, events)
    if options.required:
        _check_all_aligned(found)
    exposures = {name: work / name for name in found.exposures}
    aligned = replan(plan, exposures) if exposures else plan
    return AlignedRun(
        plan=aligned,
        result=replace(found, tight_limits=tuple(aligned.tight_limits.as_list())),
        exposures=exposures,
        headerlets={name: work / file for name, file in found.headerlets.items()},
        reference_catalog=work / found.reference_catalog if found.reference_catalog else None,
    )


def _check_all_aligned(found: AlignmentResult) -> None:
    """Raise an error if the catalogue does not say of every exposure where it is."""
    reasons = dict(found.left_out)
    for name, fit in found.exposures.items():
        if not fit.absolute:
            reasons[name] = "it is not connected with the catalogue"
        elif fit.status == CARRIED and fit.sources >= _MANY:
            reasons[name] = f"it could not be matched: {fit.reason}"
    if reasons:
        listed = "; ".join(f"{name} ({reason})" for name, reason in reasons.items())
        raise AlignmentError(f"not all exposures can be aligned: {listed}", _WITHOUT_THEM)


def _store_replies(
    cone: Cone,
    folder: Path,
    user_reply: str | None,
    options: AlignOptions,
    events: EventLog,
    *,
    everything: bool = False,
) -> tuple[tuple[tuple[str, str], ...], AlignmentError | None]:
    """Write replies into the run directory, and return the catalogues that have stars in them.

    After a catalogue that has stars enough for a fit no other one is requested, unless `everything` is wanted.
    What the run has kept, since an earlier start wanted everything, is taken as well, so that its fit is found again.
    Where no catalogue has stars, the second value says why.
    """
    folder.mkdir(exist_ok=True)
    service = replace(options.service, own=folder)
    failed: list[AlignmentError] = []
    stored: list[tuple[str, str]] = []
    down = enough = False
    for catalog in (USER_CATALOG,) if user_reply is not None else CATALOGS:
        try:
            if user_reply is not None:
                text: str | None = user_reply
            elif down:
                text = kept_reply(service, cone, catalog)
            elif enough and not everything:
                text = kept_reply(replace(service, cache=None), cone, catalog)
            else:
                text = fetch(service, cone, catalog)
        except AlignmentError as error:
            failed.append(error)
            # a later catalogue is missed only where no better one was found
            events.emit("catalog", f"{catalog}: {error.message}", "debug" if stored else "warning", catalog=catalog)
            down = isinstance(error, ServiceDownError)
            continue
        if text is None:
            continue
        count = check_reply(text, catalog)
        words = f"{catalog} has {count_of(count, 'source')} in the field"
        events.emit("catalog", words, "debug", catalog=catalog, sources=count)
        if count:
            path = folder / f"{catalog}.csv"
            path.write_bytes(text.encode())
            stored.append((catalog, str(path)))
            enough = enough or stars_around(text, cone) >= FEWEST
    if stored:
        return tuple(stored), None
    return (), failed[0] if failed else nothing_there(cone, options.catalog)


def _fit(
    stage: Stage,
    order: Sequence[Exposure],
    replies: Sequence[tuple[str, str]],
    options: AlignOptions,
    events: EventLog,
) -> tuple[AlignmentResult, Path]:
    """Find the sources of all exposures, then fit them."""
    events.emit("aligning", f"finding stars in {count_of(len(order), 'exposure')}", exposures=len(order))
    found = _find(stage, order)
    for name, (_, result) in found.items():
        _report_fallbacks(name, result, options, events)
    lost = {name: result.error for name, (_, result) in found.items() if not result.ok}
    if any(result.retry for _, result in found.values()):
        raise AlignmentError("; ".join(f"{name}: {cause}" for name, cause in lost.items()))
    if len(lost) == len(order):
        first = order[0].name
        raise AlignmentError(f"no exposure has stars to align it by ({first}: {lost[first]})", _NEXT_STEP)
    tables = {name: _tables(task, result) if result.ok else () for name, (task, result) in found.items()}
    spec = AlignSpec(
        exposures=tuple((exposure.name, str(exposure.path)) for exposure in order),
        sources=tuple((exposure.name, tables[exposure.name]) for exposure in order),
        replies=tuple(replies),
        prefix=stage.plan.prefix,
        repaired=tuple(exposure.name for exposure in order if exposure.needs_repair),
    )
    files = [path for _, path in replies] + [path for paths in tables.values() for path in paths if path]
    inputs = file_states(order) | {path: content_state(Path(path)) for path in files}
    key = task_key(spec, inputs, stage.plan.versions)
    catalogs = ", ".join(name for name, _ in replies) or "each other"
    events.emit("aligning", f"fitting {count_of(len(order), 'exposure')} to {catalogs}")
    task, answer = stage.start(ALIGN_TASK, spec, key, estimate_fit(order, stage.plan.learned))
    result = stage.result(answer)
    if not result.ok:
        raise AlignmentError(f"the fit failed: {result.error} (log: {task.log})", _NEXT_STEP)
    _report_fallbacks("alignment", result, options, events)
    fit = AlignmentResult.from_dict(result.data)
    reasons = {name: lost.get(name, reason) for name, reason in fit.left_out.items()}
    moved = {name: replace(one, reason=lost.get(name, one.reason)) for name, one in fit.exposures.items()}
    return replace(fit, left_out=reasons, exposures=moved), task.work


def _report_fallbacks(name: str, result: TaskResult, options: AlignOptions, events: EventLog) -> None:
    crash = (TaskWarning(_SOURCES.value, f"{_SOURCES.label} crashed: {result.error}"),) if result.crashed else ()
    grave = report_warnings(name, (*result.warnings, *crash), events)
    if grave and options.strict:
        raise FallbackError(f"{name}: {'; '.join(map(str, grave))}", "see the log of the task, or omit --strict")


def _find(stage: Stage, exposures: Iterable[Exposure]) -> dict[str, tuple[TaskDirectory, TaskResult]]:
    started = {}
    for exposure in exposures:
        wanted = sources_task(stage.plan, exposure)
        started[exposure.name] = stage.start(wanted.name, wanted.spec, wanted.key, wanted.estimate)
    return {name: (task, stage.result(answer)) for name, (task, answer) in started.items()}


def _tables(task: TaskDirectory, result: TaskResult) -> tuple[str, ...]:
    return tuple(str(task.work / file) if file else "" for file in result.data["tables"])
