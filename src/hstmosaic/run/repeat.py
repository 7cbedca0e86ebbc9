"""Repeat a run with the options in its provenance, if its inputs are unchanged."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

from hstmosaic.errors import BadInputError, Problem
from hstmosaic.plan.inputs import resolve_inputs
from hstmosaic.plan.plan import installed_versions
from hstmosaic.products.provenance import Recorded, read_provenance
from hstmosaic.products.recorded_options import RecordedOptions
from hstmosaic.run.options import RunOptions
from hstmosaic.store.files import ENCODING, sha256
from hstmosaic.store.image_identity import image_identity

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from contextlib import AbstractContextManager

    Bar = Callable[[str, int], AbstractContextManager[Callable[[int], object]]]

_THREADS = 8
_ELSEWHERE = "restore it, or name the present exposures: hstmosaic run LIST --like PROVENANCE"
_OTHER_CATALOG = "restore the one that was used, name another with --catalog FILE, or add -s to skip the alignment"
REPEATED = {item.name for item in fields(RecordedOptions)} - {"request"} | {"source", "notes"}
"""Fields of `RunOptions`, in addition to the request, that a repeated run takes from the recorded one."""
_CHANGED = "restore the file that was used, or start a new run without --like"


def repeated_options(
    provenance: Path, source: str | tuple[str, ...] | None, bar: Bar, typed: Collection[str] = ()
) -> RunOptions:
    """Return the options that repeat a run, after comparing its inputs with the recorded checksums.

    Parameters
    ----------
    provenance : pathlib.Path
        The ``_provenance.json`` of the run.
    source : str, tuple of str or None
        Where its exposures are now, if they moved.
    bar : callable
        Shows progress: called with a label and a number of bytes, as `hstmosaic.cli.bars.byte_bar` is.
    typed : collection of str
        Names of the options that override the recorded ones.

    Returns
    -------
    RunOptions
        With the options in the provenance.

    Raises
    ------
    BadInputError
        If the provenance cannot be read, or an exposure or a catalogue that will be used is missing or changed.
    """
    recorded = _read(provenance)
    paths = _places(recorded, source)
    catalog = recorded.options.catalog
    if not {"catalog", "skip_alignment"}.isdisjoint(typed):
        catalog = None
    files = [_File(Path(paths[e.name]), e.sha256, if_gone=_ELSEWHERE, if_changed=_CHANGED) for e in recorded.exposures]
    if catalog is not None:
        files.append(_File(Path(catalog.path), catalog.sha256, _OTHER_CATALOG, _OTHER_CATALOG))
    _check(files, bar)
    same = {item.name: getattr(recorded.options, item.name) for item in fields(RecordedOptions)}
    changed = {
        "source": tuple(paths[exposure.name] for exposure in recorded.exposures),
        "catalog": None if catalog is None else Path(catalog.path),
        "notes": tuple(_differences(recorded)),
    }
    return RunOptions(**same | changed)


def _read(provenance: Path) -> Recorded:
    try:
        return read_provenance(provenance.read_text(ENCODING))
    except (OSError, ValueError, KeyError) as error:
        cause = error.strerror if isinstance(error, OSError) else str(error)
        cause = f"it lacks {cause}" if isinstance(error, KeyError) else cause
        next_step = "name the file that ends in _provenance.json next to the products of a run"
        raise BadInputError([Problem(str(provenance), f"cannot be used: {cause}", next_step)]) from error


def _places(recorded: Recorded, source: str | tuple[str, ...] | None) -> dict[str, str]:
    """Return the path of every exposure."""
    if source is None:
        return {exposure.name: exposure.path for exposure in recorded.exposures}
    where = source if isinstance(source, str) else " ".join(source)
    found = {item.path.name: str(item.path) for item in resolve_inputs(source)}
    missing = [exposure.name for exposure in recorded.exposures if exposure.name not in found]
    if missing:
        raise BadInputError([Problem(name, f"the run used it, but it is not in {where}", "add it") for name in missing])
    return found


@dataclass(frozen=True)
class _File:
    path: Path
    expected: str | None
    """Recorded SHA-256; None if missing."""
    if_gone: str
    """Next step if the file is missing."""
    if_changed: str


def _check(files: list[_File], bar: Bar) -> None:
    """Compare files with their recorded SHA-256."""
    problems = [
        Problem(str(file.path), "the run used it, and it is missing now", file.if_gone)
        for file in files
        if not file.path.is_file()
    ]
    there = [file for file in files if file.expected is not None and file.path.is_file()]
    with (
        bar("comparing inputs", sum(file.path.stat().st_size for file in there)) as advance,
        ThreadPoolExecutor(min(_THREADS, len(os.sched_getaffinity(0)))) as threads,
    ):
        digests = list(threads.map(lambda file: sha256(file.path, advance), there))
    for file, digest in zip(there, digests, strict=True):
        if digest != file.expected:
            shown = f"SHA-256 {digest[:12]}... instead of {str(file.expected)[:12]}..."
            problems.append(Problem(str(file.path), f"it is not the file that the run used ({shown})", file.if_changed))
    if problems:
        raise BadInputError(problems)


def _differences(recorded: Recorded) -> list[str]:
    """Return differences between the recorded software and the present one."""
    now = installed_versions()
    notes = [
        f"{name} was {recorded.versions.get(name, 'absent')} in the run to repeat, it is {now.get(name, 'absent')} now"
        for name in sorted(recorded.versions.keys() | now.keys())
        if recorded.versions.get(name) != now.get(name)
    ]
    identity = image_identity()
    image = f"{identity.name} {identity.digest}".strip() if identity is not None else ""
    if image != recorded.image:
        notes.append(f"the image was {recorded.image or 'none'} in the run to repeat, it is {image or 'none'} now")
    return notes
