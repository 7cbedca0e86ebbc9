"""Comparison of a run with the earlier run of the same prefix, so that no other products are replaced unnoticed."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from hstmosaic.errors import OutputError
from hstmosaic.plan.names import json_manifest_name, tile_index_name, tile_regions_name
from hstmosaic.plan.plan import Plan, plan_from_json
from hstmosaic.plan.request import DOCUMENTED, MosaicRequest
from hstmosaic.products.gather import TILE, product_names, tile_names
from hstmosaic.products.manifest import (
    LISTED_KINDS,
    PICTURE_KINDS,
    TILE_REGIONS,
    TILE_TABLE,
    Manifest,
    manifest_from_json,
)
from hstmosaic.products.recorded_options import RecordedOptions
from hstmosaic.run.options import RunOptions, recorded_options
from hstmosaic.store.files import ENCODING, write_atomically
from hstmosaic.text import count_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from hstmosaic.store.run_directory import RunDirectory

_SHOWN = 6
"""Number of names that a message contains."""
_KINDS = LISTED_KINDS | PICTURE_KINDS | {TILE_TABLE, TILE_REGIONS}
_NEXT_STEP = "choose another -o or --output-dir, or replace them with --replace"


@dataclass(frozen=True)
class Comparison:
    """Differences of a run from the earlier run in the same place, and the files that it would replace."""

    differences: tuple[str, ...] = ()
    """Differences of exposures, options or grid after which the mosaics would be others."""
    additions: tuple[str, ...] = ()
    """Changes after which the mosaics contain everything that they contained."""
    replaced: tuple[str, ...] = ()
    """Names of the earlier run's files in the output directory."""
    orphans: tuple[str, ...] = ()
    """Those of them that the run does not make."""

    @property
    def is_conflict(self) -> bool:
        """Return whether other products would be replaced."""
        return bool(self.differences and self.replaced)

    def check(self, directory: RunDirectory, *, replace: bool) -> None:
        """Check that the run may replace what is there.

        Raises
        ------
        OutputError
            If other products would be replaced without ``--replace``.
        """
        if self.is_conflict and not replace:
            raise OutputError(f"{directory.path}: {self}", _NEXT_STEP)

    def remove_orphans(self, directory: RunDirectory) -> None:
        """Delete the files of the earlier run that the run does not make, if it makes others."""
        if self.is_conflict:
            for name in self.orphans:
                (directory.output / name).unlink(missing_ok=True)

    def __str__(self) -> str:
        files = f"{count_of(len(self.replaced), 'file')} would be replaced: {_listed(self.replaced)}"
        return f"holds another run ({'; '.join(self.differences)}). {files}"


def compare_with_earlier(plan: Plan, options: RunOptions, directory: RunDirectory) -> Comparison:
    """Compare a run with the one that its run directory holds.

    Parameters
    ----------
    plan : Plan
        Plan of the run.
    options : RunOptions
        Options of the run.
    directory : RunDirectory
        Its run directory, which need not exist.

    Returns
    -------
    Comparison
        Without differences if the run directory holds nothing.
    """
    earlier_plan, manifest = _read_plan(directory), _read_manifest(directory)
    planned = {name for layer in plan.layers for name in (*product_names(layer), *tile_names(layer))}
    if plan.request.tiles is not None:
        planned |= {tile_index_name(plan.prefix), tile_regions_name(plan.prefix)}
    if earlier_plan is not None:
        exposures = {e.name for e in earlier_plan.exposures}
        kinds = dict.fromkeys((name for layer in earlier_plan.layers for name in product_names(layer)), "mosaic")
        kinds |= dict.fromkeys((name for layer in earlier_plan.layers for name in tile_names(layer)), TILE)
    elif manifest is not None:
        exposures, kinds = {e.name for e in manifest.exposures}, {}
    else:
        found = _existing(directory, planned)
        return Comparison(("its run directory is missing",) if found else (), replaced=found)
    if manifest is not None:
        kinds |= {file.name: file.kind for file in manifest.products if file.kind in _KINDS}
    replaced = _existing(directory, kinds)
    return Comparison(
        differences=(
            *_missing_exposures(exposures, plan),
            *(_grid_differences(earlier_plan, plan) if earlier_plan is not None else ()),
            *_option_differences(read_options(directory), recorded_options(options)),
        ),
        additions=tuple(_additions(exposures, earlier_plan, plan)),
        replaced=tuple(name for name in replaced if kinds[name] not in PICTURE_KINDS),
        orphans=tuple(name for name in replaced if name not in planned),
    )


def write_options(directory: RunDirectory, options: RunOptions) -> None:
    """Write the options that later starts are compared with."""
    write_atomically(directory.options_file, json.dumps(recorded_options(options).to_dict(), indent=1) + "\n")


def _existing(directory: RunDirectory, names: Collection[str]) -> tuple[str, ...]:
    return tuple(sorted(name for name in names if (directory.output / name).is_file()))


def _missing_exposures(earlier: Collection[str], plan: Plan) -> Iterator[str]:
    present = {e.name for e in plan.exposures} | {exclusion.name for exclusion in plan.excluded}
    missing = sorted(set(earlier) - present)
    if missing:
        yield f"{count_of(len(missing), 'exposure')} of it {'is' if len(missing) == 1 else 'are'} missing here: " + (
            _listed(missing)
        )


def _grid_differences(earlier: Plan, plan: Plan) -> Iterator[str]:
    if earlier.projection_cell != plan.projection_cell:
        yield f"it is on the projection cell {earlier.projection_cell}, not on {plan.projection_cell}"
    was, now = earlier.request, plan.request
    if was.tiles is None:  # tiles are cut out of the same mosaics
        now = replace(now, tiles=None)
    if was.grid_options != now.grid_options:
        yield f"its grid: {_described(was)}; here: {_described(now)}"
    elif was != now:
        yield f"its drizzle options: {was}; here: {now}"


def _described(request: MosaicRequest) -> str:
    chosen = request.grid_options
    return "as documented" if chosen == DOCUMENTED else str(chosen)


def _option_differences(earlier: RecordedOptions | None, now: RecordedOptions) -> Iterator[str]:
    """Compare the options that change pixels and are not in the plan."""
    if earlier is None:
        return
    was_aligned, is_aligned = _alignment(earlier), _alignment(now)
    if was_aligned != is_aligned:
        yield f"its alignment: {was_aligned}; here: {is_aligned}"
    for name in sorted(set(earlier.keep) - set(now.keep)):
        yield f"it has --keep {name}"


def _alignment(options: RecordedOptions) -> str:
    if options.skip_alignment:
        return "none (-s)"
    catalog = options.catalog
    return f"to {catalog.path}, SHA-256 {str(catalog.sha256)[:12]}" if catalog else "to the catalogue service"


def _additions(earlier_names: Collection[str], earlier: Plan | None, plan: Plan) -> Iterator[str]:
    added = sorted({e.name for e in plan.exposures} - set(earlier_names))
    if added:
        yield f"{count_of(len(added), 'exposure')} added to the earlier run: {_listed(added)}"
    known = {e.name: e for e in earlier.exposures} if earlier is not None else {}
    changed = [
        e.name
        for e in plan.exposures
        if e.name in known and (e.size, e.mtime_ns) != (known[e.name].size, known[e.name].mtime_ns)
    ]
    if changed:
        yield f"{count_of(len(changed), 'exposure')} changed since the earlier run: {_listed(changed)}"


def _listed(names: Collection[str]) -> str:
    shown = list(names)[:_SHOWN]
    more = len(names) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")


def _read_plan(directory: RunDirectory) -> Plan | None:
    """Return the plan of the earlier run; None if it is missing or damaged."""
    try:
        return plan_from_json(directory.plan_file.read_text(ENCODING))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _read_manifest(directory: RunDirectory) -> Manifest | None:
    try:
        return manifest_from_json((directory.output / json_manifest_name(directory.prefix)).read_text(ENCODING))
    except (OSError, ValueError):
        return None


def read_options(directory: RunDirectory) -> RecordedOptions | None:
    """Return the recorded options; None in run directories of other versions."""
    try:
        return RecordedOptions.from_dict(json.loads(directory.options_file.read_text(ENCODING)))
    except (OSError, ValueError, KeyError, TypeError):
        return None
