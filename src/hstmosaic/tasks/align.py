"""The joint fit: one run of drizzlepac's alignment for all exposures of all filters, in the current directory."""

from __future__ import annotations

import functools
import logging
import shutil
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from astropy.io import fits
from drizzlepac.haputils import align_utils, product

from hstmosaic.plan.catalog_replies import Cone, ReplyError, answer
from hstmosaic.plan.exposures import read_exposure
from hstmosaic.store.alignment_results import AlignmentResult
from hstmosaic.store.task_names import Stage
from hstmosaic.store.task_specs import TaskResult
from hstmosaic.tasks.finish import finish_file, finish_fits
from hstmosaic.tasks.outcome import exposure_outcome
from hstmosaic.tasks.sources import alignment_parameters, read_sources
from hstmosaic.tasks.upstream import fit_inputs
from hstmosaic.tasks.upstream.memory import OutOfMemoryError
from hstmosaic.tasks.upstream.repairs import apply_repairs
from hstmosaic.tasks.working_copy import repair_copy

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from astropy.table import Table

    from hstmosaic.store.task_specs import AlignSpec

_LABEL = "MVM"
_MOST_FITS = 20


def align(spec: AlignSpec) -> TaskResult:
    """Fit all exposures to a catalogue, on copies of them in the current directory.

    Exposures that cannot take part (too few sources, no match with the others) are left out of the fit and keep their
    WCS, where drizzlepac would give up on all of them.

    Parameters
    ----------
    spec : AlignSpec
        The exposures, their sources and the stored replies of the catalogue service.

    Returns
    -------
    TaskResult
        ``data`` is an `AlignmentResult` as a dict; its files lie in the current directory.
    """
    for name, path in spec.exposures:
        shutil.copyfile(path, name)
        if name in spec.repaired:
            repair_copy(Path(name))
    tables = {name: functools.partial(read_sources, paths) for name, paths in spec.sources}
    apply_repairs(Stage.ALIGN)
    fit_inputs.use_found_sources(tables)
    needed = min(alignment_parameters(spec.instrument, spec.detector)["run_align"]["mosaic_fitgeom_list"].values())
    found = {name: sum(len(table) for table in read().values()) for name, read in tables.items()}
    left_out = {
        name: f"only {count} source(s) were found in it, {needed} are needed"
        for name, count in found.items()
        if count < needed
    }
    fit, left_out, cause = _largest_fit(left_out, spec)
    if fit is None:
        return TaskResult(ok=True, data=AlignmentResult(aligned=False, cause=cause, left_out=left_out).to_dict())
    for name in fit.members:
        fits.setval(name, "HAPLEVEL", value=1, comment="Classification level of this product")
    outcome = _outcome(fit, spec, tables, left_out)
    products = [*fit.members, *outcome.headerlets.values()]
    made = (*map(finish_fits, map(Path, products)), finish_file(Path(outcome.reference_catalog)))
    return TaskResult(ok=True, data=replace(outcome, files=made).to_dict())


def _largest_fit(left_out: dict[str, str], spec: AlignSpec) -> tuple[Fit | None, dict[str, str], str]:
    """Fit all exposures; where that fails, as many as can be, at least half.

    Returns
    -------
    fit : Fit or None
        A good one.
    left_out : dict of str to str
        Exposures without part in it, and why.
    cause : str
        Why the fit of all failed.
    """
    count = len(spec.exposures) - len(left_out)
    cause = "" if count else "no exposure has enough sources"
    waiting, known = [left_out], {frozenset(left_out)}
    for _ in range(_MOST_FITS):
        waiting = [left for left in waiting if 0 < count <= 2 * (len(spec.exposures) - len(left))]
        if not waiting:
            break
        left = waiting.pop(min(range(len(waiting)), key=lambda i: len(waiting[i])))
        fit = _fit([name for name, _ in spec.exposures if name not in left], spec)
        if fit.good:
            return fit, left, cause
        cause = cause or fit.cause()
        for more in fit.suspects():
            wider = left | more
            if frozenset(wider) not in known:
                known.add(frozenset(wider))
                waiting.append(wider)
    return None, left_out, cause


class JointTable(align_utils.AlignmentTable):  # type: ignore[misc]
    """An `AlignmentTable` that remembers what drizzlepac's loop over fits swallows."""

    def __init__(self, *args: Any, **options: Any) -> None:
        self.tried = ("", "", "")
        self.attempts: list[Any] = []
        self.errors: list[Exception] = []
        self.applied = False
        super().__init__(*args, **options)

    def perform_fit(self, method_name: str, catalog_name: str, *args: Any, **options: Any) -> Any:
        """Fit, and remember how that ended."""
        self.tried = (catalog_name, method_name, options.get("fitgeom", ""))
        try:
            self.attempts.append(super().perform_fit(method_name, catalog_name, *args, **options))
        except MemoryError as error:
            raise OutOfMemoryError(str(error)) from error
        except Exception as error:
            self.errors.append(error)
            raise
        return self.attempts[-1]

    def apply_fit(self, *args: Any, **options: Any) -> None:
        """Write the new WCSs, and remember that they are written."""
        super().apply_fit(*args, **options)
        self.applied = True


@dataclass
class Fit:
    """One run of drizzlepac's alignment."""

    members: Sequence[str]
    table: JointTable
    joint: Any
    unread: list[str]
    """Why stored catalogues could not be read, which drizzlepac swallows."""
    good: bool = field(default=False)

    def suspects(self) -> list[dict[str, str]]:
        """Exposures to leave out for another try, and why; several guesses, the better ones first."""
        guesses = []
        for attempt in self.table.attempts:
            failed = {
                item.meta["name"]: f"it could not be matched ({item.meta['fit_info']['status']})"
                for item in attempt
                if item.meta["fit_info"]["status"].startswith("FAILED")
            }
            if 0 < len(failed) < len(self.members):
                guesses.append(failed)
        # The second one is matched with the first alone, so that either may be the odd one.
        if len(self.members) > 1 and any(self.members[1] in failed for failed in guesses):
            guesses.append({self.members[0]: "the others could not be matched with it"})
        return guesses

    def cause(self) -> str:
        """Why no fit was good, in one clause."""
        if self.table.applied:
            return "the new WCS could not be written"
        stars = ", ".join(f"{count} in {catalog}" for catalog, count in self.stars.items())
        if not self.table.attempts and not self.table.errors:
            return f"too few stars in the field ({'; '.join([stars or 'no catalogue could be read', *self.unread])})"
        reasons = {str(row["processMsg"]) for row in self.table.filtered_table} | {str(e) for e in self.table.errors}
        reasons.update(self.unread)
        said = "; ".join(sorted(reason.rstrip(".") for reason in reasons if reason))
        return f"the stars of the catalogue could not be matched with the exposures ({stars}; {said or 'no good fit'})"

    @property
    def stars(self) -> dict[str, int]:
        """Stars in the field, by catalogue."""
        ours, ending = f"{self.joint.product_basename}_", "_ref_cat.ecsv"
        tables = self.table.reference_catalogs.items()
        return {name.removeprefix(ours).removesuffix(ending): len(table) for name, table in tables}


def _fit(members: Sequence[str], spec: AlignSpec) -> Fit:
    """Let drizzlepac align some of the exposures, as `hapmultisequencer.run_align_to_gaia` means to."""
    level = getattr(logging, spec.log_level.upper())
    parameters = alignment_parameters(spec.instrument, spec.detector)
    joint = product.FilterProduct(
        "hst", spec.prefix, spec.instrument, spec.detector, "", "metawcs", "all", "all", level
    )
    joint.product_basename = spec.prefix
    joint.configobj_pars = SimpleNamespace(get_pars=lambda _: parameters)
    for name in members:
        joint.add_member(
            SimpleNamespace(full_filename=name, headerlet_filename=name.replace(".fits", "_hlet.fits"), crclean=False)
        )
    unread: list[str] = []
    fit_inputs.serve_catalogs(_service(spec, unread))
    table = JointTable(list(members), process_type=_LABEL, log_level=level, **parameters)
    missing = sorted(set(members) - set(table.process_list or ()))
    if missing:
        raise ValueError(f"drizzlepac does not align {', '.join(missing)}")
    table.find_alignment_sources(output=False, crclean=[False] * len(members))
    fit = Fit(members, table, joint, unread)
    answered, _ = joint.align_to_gaia(
        catalog_list=[catalog for catalog, _ in spec.replies], output=False, fit_label=_LABEL, align_table=table
    )
    fit.good = answered is not None and table.applied
    if table.selected_fit and not fit.good:
        raise ValueError("the new WCS could not be written to the exposures' copies")
    return fit


def _service(spec: AlignSpec, unread: list[str]) -> Any:
    cone = Cone(*spec.cone, epoch=0.0)
    stored = dict(spec.replies)

    def reply(url: str) -> str:
        catalog = parse_qs(urlsplit(url).query)["CAT"][0]
        try:
            return answer(url, Path(stored[catalog]).read_bytes().decode(), cone)
        except ReplyError as error:
            unread.append(f"{catalog}: {error}")
            raise

    return reply


def _outcome(fit: Fit, spec: AlignSpec, tables: Mapping[str, Any], left_out: Mapping[str, str]) -> AlignmentResult:
    catalog, method, fitgeom = fit.table.tried
    made = {item.meta["name"]: _numbers(item.meta["fit_info"]) for item in fit.table.selected_fit}
    matches, rms = min(made.values())
    reference: Table = fit.table.reference_catalogs[catalog]
    originals = {name: Path(path) for name, path in spec.exposures}
    outcomes = {
        name: exposure_outcome(read_exposure(originals[name]), read_exposure(Path(name)), tables[name](), reference)
        for name in fit.members
    }
    return AlignmentResult(
        aligned=True,
        left_out=dict(left_out),
        catalog=catalog,
        method=method,
        fitgeom=fitgeom,
        matches=matches,
        rms_mas=rms,
        reference_catalog=fit.joint.refname,
        headerlets={name: name.replace(".fits", "_hlet.fits") for name in fit.members},
        exposures={
            name: replace(outcome, fit_matches=made[name][0], fit_rms_mas=made[name][1])
            for name, outcome in outcomes.items()
        },
    )


def _numbers(info: Mapping[str, Any]) -> tuple[int, tuple[float, float]]:
    return int(info["nmatches"]), (float(info["RMS_RA"].mas), float(info["RMS_DEC"].mas))
