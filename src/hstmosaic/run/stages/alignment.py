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
from hstmosaic.run.stages.alignment_tasks import Stage, content_state, file_states, sources_task
from hstmosaic.run.stages.catalog import Service, ServiceDownError, fetch, kept_reply, nothing_there
from hstmosaic.store import task_names
from hstmosaic.store.alignment_results import AlignmentResult
from hstmosaic.store.events import report_warnings
from hstmosaic.store.run_directory import task_key
from hstmosaic.store.task_names import ALIGN_TASK
from hstmosaic.store.task_specs import AlignSpec, TaskWarning

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
_WITHOUT_THEM = "take them out of the list, or leave --require-alignment away: they keep the WCS that they have then"


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
    """The plan for drizzling: with the aligned copies, or as it was."""
    result: AlignmentResult
    """Catalogue, fit, and numbers for each exposure."""
    exposures: dict[str, Path] = field(default_factory=dict)
    """Aligned copies by name."""
    headerlets: dict[str, Path] = field(default_factory=dict)
    """Headerlets by name of their exposure."""
    reference_catalog: Path | None = None

    @property
    def aligned(self) -> bool:
        """Whether there was a good fit."""
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
        Where tasks live. The aligned copies stay in ``tasks/align/work``, the catalogues in ``catalogs``.
    pool : Pool
        Runs the tasks.
    options : AlignOptions
        How to align.
    events : EventLog
        Receives the events.
    stage : Stage, optional
        One of these whose first search was started before.

    Returns
    -------
    AlignedRun
        Also when there was no good fit: then with the plan as it was, and the cause, which has been told.

    Raises
    ------
    AlignmentError
        If the user's catalogue cannot be used; if an exposure is not aligned and `options` require it.
    """
    order = fit_order(exposure for exposure in plan.exposures if exposure.name in used)
    stage = stage or Stage(plan, directory, pool)
    cone = fit_cone(order)
    user_reply = catalog_reply(read_catalog(options.catalog), cone) if options.catalog else None
    try:
        store = partial(_store_replies, cone, directory.catalogs, user_reply, options, events)
        replies = store()
        found, work = _fit(stage, order, cone, replies, options, events)
        if not found.aligned and user_reply is None and replies != (more := store(everything=True)):
            found, work = _fit(stage, order, cone, more, options, events)
    except AlignmentError as error:
        return _not_aligned(plan, error, {}, options, events)
    if not found.aligned:
        return _not_aligned(plan, AlignmentError(found.cause, _NEXT_STEP), found.left_out, options, events)
    _emit_fit(found, events)
    if options.required and found.left_out:
        reasons = "; ".join(f"{name} ({reason})" for name, reason in found.left_out.items())
        raise AlignmentError(f"not all exposures can be aligned: {reasons}", _WITHOUT_THEM)
    exposures = {name: work / name for name in found.exposures}
    aligned = replan(plan, exposures)
    return AlignedRun(
        plan=aligned,
        result=replace(found, tight_limits=tuple(aligned.tight_limits.as_list())),
        exposures=exposures,
        headerlets={name: work / file for name, file in found.headerlets.items()},
        reference_catalog=work / found.reference_catalog,
    )


def _store_replies(
    cone: Cone,
    folder: Path,
    user_reply: str | None,
    options: AlignOptions,
    events: EventLog,
    *,
    everything: bool = False,
) -> tuple[tuple[str, str], ...]:
    """Write what the fit will ask for into the run directory, and return the catalogues that have stars in them.

    After a catalogue that has stars enough for a fit nobody is asked for another one, unless `everything` is wanted.
    What the run has kept, since an earlier start wanted everything, is taken as well, so that its fit is found again.
    """
    folder.mkdir(exist_ok=True)
    service = replace(options.service, own=folder)
    warn = partial(events.emit, "catalog", level="warning")
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
                text = fetch(service, cone, catalog, warn=warn)
        except AlignmentError as error:
            failed.append(error)
            # what is only there for want of a better one is missed only without that
            events.emit("catalog", f"{catalog}: {error.message}", "debug" if stored else "warning", catalog=catalog)
            down = isinstance(error, ServiceDownError)
            continue
        if text is None:
            continue
        count = check_reply(text, catalog)
        events.emit("catalog", f"{catalog} has {count} source(s) in the field", "debug", catalog=catalog, sources=count)
        if count:
            path = folder / f"{catalog}.csv"
            path.write_bytes(text.encode())
            stored.append((catalog, str(path)))
            enough = enough or stars_around(text, cone) >= FEWEST
    if not stored:
        raise failed[0] if failed else nothing_there(cone, options.catalog)
    return tuple(stored)


def _fit(
    stage: Stage,
    order: Sequence[Exposure],
    cone: Cone,
    replies: Sequence[tuple[str, str]],
    options: AlignOptions,
    events: EventLog,
) -> tuple[AlignmentResult, Path]:
    """Find the sources of all exposures, then fit those that have any."""
    first = order[0]
    events.emit("aligning", f"finding stars in {len(order)} exposure(s)", exposures=len(order))
    found: dict[str, tuple[TaskDirectory, TaskResult]] = {}
    waiting, fwhm = list(order), None
    while waiting and fwhm is None:
        # All later exposures start from the width of a star in the first one, as in drizzlepac's serial pass.
        leading = waiting.pop(0)
        found |= _find(stage, [leading], first, None)
        fwhm = found[leading.name][1].data.get("fwhm")
    found |= _find(stage, waiting, first, fwhm)
    for name, (_, result) in found.items():
        _report_fallbacks(name, result, options, events)
    lost = {name: result.error for name, (_, result) in found.items() if not result.ok}
    if any(result.retry for _, result in found.values()):
        raise AlignmentError("; ".join(f"{name}: {cause}" for name, cause in lost.items()))
    members = [exposure for exposure in order if exposure.name not in lost]
    if not members:
        raise AlignmentError(f"no exposure has stars to align it by ({first.name}: {lost[first.name]})", _NEXT_STEP)
    tables = {name: _tables(task, result) for name, (task, result) in found.items() if result.ok}
    spec = AlignSpec(
        exposures=tuple((exposure.name, str(exposure.path)) for exposure in members),
        sources=tuple((exposure.name, tables[exposure.name]) for exposure in members),
        replies=tuple(replies),
        cone=(cone.ra, cone.dec, cone.radius),
        instrument=first.instrument,
        detector=first.detector,
        prefix=stage.plan.prefix,
        repaired=tuple(exposure.name for exposure in members if exposure.needs_repair),
        log_level=options.log_level,
    )
    files = [path for _, path in replies] + [path for paths in tables.values() for path in paths if path]
    inputs = file_states(members) | {path: content_state(Path(path)) for path in files}
    key = task_key(spec, inputs, stage.plan.versions)
    events.emit("aligning", f"fitting {len(members)} exposure(s) to {', '.join(name for name, _ in replies)}")
    task, answer = stage.start(ALIGN_TASK, spec, key, estimate_fit(members, stage.plan.learned))
    result = stage.result(answer)
    if not result.ok:
        raise AlignmentError(f"the fit failed: {result.error} (log: {task.log})", _NEXT_STEP)
    _report_fallbacks("alignment", result, options, events)
    fit = AlignmentResult.from_dict(result.data)
    return replace(fit, left_out=fit.left_out | lost), task.work


def _report_fallbacks(name: str, result: TaskResult, options: AlignOptions, events: EventLog) -> None:
    crash = (TaskWarning(_SOURCES.value, f"{_SOURCES.label} crashed: {result.error}"),) if result.crashed else ()
    grave = report_warnings(name, (*result.warnings, *crash), events)
    if grave and options.strict:
        raise FallbackError(f"{name}: {'; '.join(map(str, grave))}", "see the log of the task, or omit --strict")


def _find(
    stage: Stage, exposures: Iterable[Exposure], first: Exposure, fwhm: float | None
) -> dict[str, tuple[TaskDirectory, TaskResult]]:
    started = {}
    for exposure in exposures:
        wanted = sources_task(stage.plan, exposure, first, fwhm)
        started[exposure.name] = stage.start(wanted.name, wanted.spec, wanted.key, wanted.estimate)
    return {name: (task, stage.result(answer)) for name, (task, answer) in started.items()}


def _tables(task: TaskDirectory, result: TaskResult) -> tuple[str, ...]:
    return tuple(str(task.work / file) if file else "" for file in result.data["tables"])


def _emit_fit(found: AlignmentResult, events: EventLog) -> None:
    ra, dec = found.rms_mas
    told = found.to_dict()
    events.emit(
        "aligned",
        f"aligned {len(found.exposures)} exposure(s) to {found.catalog}: {found.matches} stars"
        f"{' in the weakest fit' if found.alone else ''}, "
        f"RMS {ra:.1f} and {dec:.1f} mas ({found.method} fit, {found.fitgeom})",
        **{key: told[key] for key in ("catalog", "method", "fitgeom", "matches", "rms_mas", "exposures", "left_out")},
    )
    if found.alone:
        events.emit(
            "fitted alone",
            f"not all exposures match each other (do they overlap?): each was fitted to {found.catalog} by itself, "
            "with the few stars that it has, and filters are registered no better than that",
            "warning",
        )
    for name, fit in found.exposures.items():
        east, north = fit.shift_mas
        rms = "no match" if fit.rms_mas is None else "RMS {:.1f} and {:.1f} mas".format(*fit.rms_mas)
        events.emit(
            "aligned",
            f"{name}: moved {east:+.1f} mas east, {north:+.1f} mas north, turned {fit.rotation_deg:+.4f} deg, "
            f"scale {fit.scale:.6f}; {fit.matches} of {fit.sources} sources match, {rms}",
            "info",
            exposure=name,
        )
    for name, reason in found.left_out.items():
        events.emit("not aligned", f"{name} keeps its WCS: {reason}", "warning", exposure=name, reason=reason)


def _not_aligned(
    plan: Plan, error: AlignmentError, left_out: dict[str, str], options: AlignOptions, events: EventLog
) -> AlignedRun:
    if options.required:
        raise AlignmentError(f"the exposures cannot be aligned: {error.message}", error.next_step)
    cause = error.message.splitlines()[0]
    events.emit(
        "not aligned", f"NOT aligned: {cause}; going on with the WCS that the exposures have", "warning", cause=cause
    )
    limits = tuple(plan.tight_limits.as_list())
    result = AlignmentResult(aligned=False, cause=cause, left_out=left_out, tight_limits=limits)
    return AlignedRun(plan=plan, result=result)
