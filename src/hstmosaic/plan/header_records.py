"""Header records of the provenance of a mosaic.

They are the same in every run of the same inputs with the same software: without date, host or path.
"""

from __future__ import annotations

import hashlib
import json
import textwrap
from dataclasses import replace
from typing import TYPE_CHECKING

from hstmosaic import __version__
from hstmosaic.plan.plan import installed_versions
from hstmosaic.store.spec_files import custom_fields

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from hstmosaic.store.pixel_repair import PixelRepair
    from hstmosaic.store.task_specs import Card, DrizzleSpec

_DIGITS = 16
_RECORD_LENGTH = 72
_PATH_COLUMN = 9
"""Of a poller."""
_NOT_IN_PIXELS = ("hstmosaic", "dask")


def software_cards() -> tuple[Card, ...]:
    """Return ``HMVERS``, the version of hstmosaic."""
    return (("HMVERS", __version__, "version of hstmosaic that made this mosaic"),)


def software_records() -> list[str]:
    """Return HISTORY records of the software of this process; they precede the others of hstmosaic."""
    versions = {name: number for name, number in installed_versions().items() if name not in _NOT_IN_PIXELS}
    text = f"hstmosaic {__version__} with " + ", ".join(f"{name} {number}" for name, number in versions.items())
    return textwrap.wrap(text, _RECORD_LENGTH, subsequent_indent="  ")


def input_records(inputs: Mapping[str, str], left_out: Iterable[str]) -> Iterator[str]:
    """Return HISTORY records about exposures.

    Parameters
    ----------
    inputs : mapping of str to str
        SHA-256, by name, of the exposures in the mosaic.
    left_out : iterable of str
        Names of the exposures of its filter that screening rejected.
    """
    for name, sha256 in inputs.items():
        yield f"{name} has SHA-256"
        yield f"  {sha256 or 'unknown'}"
    for name in left_out:
        yield f"{name} was left out"


def repair_records(names: Iterable[str], repairs: Mapping[str, PixelRepair]) -> Iterator[str]:
    """Return HISTORY records about the pixels of exposures that were repaired in working copies.

    Parameters
    ----------
    names : iterable of str
        Exposures in the mosaic.
    repairs : mapping of str to PixelRepair
        By name of the exposure.
    """
    for name in names:
        if name in repairs:
            yield from textwrap.wrap(f"{name}: {repairs[name]}", _RECORD_LENGTH, subsequent_indent="  ")


def spec_digest(spec: DrizzleSpec, inputs: Mapping[str, str]) -> str:
    """Return a digest of the inputs and parameters of a mosaic; ``HMPLAN`` in its header.

    Parameters
    ----------
    spec : DrizzleSpec
        Specification of the layer's task; its paths are ignored.
    inputs : mapping of str to str
        SHA-256, by name, of the exposures in the mosaic.
    """
    rows = [row.split(",", maxsplit=_PATH_COLUMN)[:_PATH_COLUMN] for row in spec.poller.splitlines()]
    decides: list[object] = [rows, spec.limits, spec.prefix, spec.products, spec.areas, spec.cards, spec.history]
    # tiles do not change the mosaics that they are cut out of
    if custom := custom_fields(replace(spec, tiles=())):
        decides.append(custom)
    text = json.dumps([decides, sorted(inputs.items())])
    return hashlib.sha256(text.encode()).hexdigest()[:_DIGITS]
