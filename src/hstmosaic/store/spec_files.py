"""Specifications of tasks as JSON, in the file `SPEC_FILE` of a task directory."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from hstmosaic.store.task_specs import (
    TANGENT,
    AlignSpec,
    AssembleSpec,
    BoxPlace,
    BoxSpec,
    DrizzleSpec,
    GridSpec,
    PicturesSpec,
    PrepareSpec,
    ScreenSpec,
    SourcesSpec,
    StubSpec,
    TileSpec,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from hstmosaic.store.task_specs import TaskSpec

_CUSTOM: dict[str, Any] = {
    "parameters": (),
    "fixed_set": False,
    "compress": False,
    "grids": (),
    "tiles": (),
} | dict.fromkeys(("error", "context"), False)
"""Fields of `DrizzleSpec` with their defaults, at which they are omitted from specifications and keys."""


def custom_fields(spec: DrizzleSpec) -> dict[str, object]:
    """Return the fields for options of the user that differ from their defaults."""
    raw = asdict(spec)
    for grid in raw["grids"]:
        if grid["projection"] == TANGENT:
            del grid["projection"]
    return {name: raw[name] for name, default in _CUSTOM.items() if raw[name] != default}


def spec_to_json(spec: TaskSpec) -> str:
    """Return the text of a spec file."""
    raw = asdict(spec)
    if isinstance(spec, DrizzleSpec):
        raw = _drizzle_to_dict(spec)
    elif isinstance(spec, PrepareSpec | AssembleSpec):
        raw["layer"] = _drizzle_to_dict(spec.layer)
    return json.dumps(raw, indent=1)


def _drizzle_to_dict(spec: DrizzleSpec) -> dict[str, Any]:
    raw = {name: value for name, value in asdict(spec).items() if name not in _CUSTOM} | custom_fields(spec)
    # the mosaics are the same, so that it does not count as an option for pixels
    if not spec.whole:
        del raw["whole"]
    return raw


def _drizzle_from_dict(raw: dict[str, Any]) -> DrizzleSpec:
    changed = {
        "links": tuple((name, path) for name, path in raw["links"]),
        "limits": tuple(raw["limits"]),
        "areas": tuple(tuple(area) for area in raw["areas"]),
        "cards": tuple(tuple(card) for card in raw["cards"]),
        "history": tuple(raw["history"]),
        "products": tuple(raw["products"]),
        "repaired": tuple(raw["repaired"]),
        "grids": tuple(GridSpec.from_dict(grid) for grid in raw.get("grids", ())),
        "tiles": tuple(TileSpec(**tile) for tile in raw.get("tiles", ())),
        "parameters": tuple((name, value) for name, value in raw.get("parameters", ())),
    }
    return DrizzleSpec(**(raw | changed))


def spec_from_json(text: str) -> TaskSpec:
    """Read the text of a spec file.

    Raises
    ------
    ValueError
        If it names no known kind of task.
    """
    raw = json.loads(text)
    kind = raw.get("kind")
    if kind not in _READERS:
        raise ValueError(f"no task of kind {kind!r}")
    return _READERS[kind](raw)


def _prepare_from_dict(raw: dict[str, Any]) -> PrepareSpec:
    return PrepareSpec(**raw | {"layer": _drizzle_from_dict(raw["layer"])})


def _box_from_dict(raw: dict[str, Any]) -> BoxSpec:
    return BoxSpec(**raw | {"places": tuple(BoxPlace(**place) for place in raw["places"])})


def _assemble_from_dict(raw: dict[str, Any]) -> AssembleSpec:
    boxes = tuple((product, record) for product, record in raw["boxes"])
    return AssembleSpec(**raw | {"layer": _drizzle_from_dict(raw["layer"]), "boxes": boxes})


def _align_from_dict(raw: dict[str, Any]) -> AlignSpec:
    changed = {
        "exposures": tuple((name, path) for name, path in raw["exposures"]),
        "sources": tuple((name, tuple(tables)) for name, tables in raw["sources"]),
        "replies": tuple((catalog, path) for catalog, path in raw["replies"]),
        "repaired": tuple(raw["repaired"]),
    }
    return AlignSpec(**raw | changed)


_READERS: dict[str, Callable[[dict[str, Any]], TaskSpec]] = {
    "screen": lambda raw: ScreenSpec(**raw),
    "drizzle": _drizzle_from_dict,
    "prepare": _prepare_from_dict,
    "box": _box_from_dict,
    "assemble": _assemble_from_dict,
    "sources": lambda raw: SourcesSpec(**raw),
    "align": _align_from_dict,
    "pictures": lambda raw: PicturesSpec(**raw),
    "stub": lambda raw: StubSpec(**raw | {"products": tuple(raw["products"])}),
}
