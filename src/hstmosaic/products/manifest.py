"""Manifests: drizzlepac's list of products, and a JSON file with all facts about them."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from hstmosaic.errors import OutputError
from hstmosaic.plan.checks import Exclusion
from hstmosaic.products.gather import TILE, Gathered, gathered_from_dict
from hstmosaic.products.seams import Seams
from hstmosaic.store.files import ENCODING, sha256
from hstmosaic.store.pixel_repair import PixelRepair
from hstmosaic.store.stage_events import Registered, StarsMeasured

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

SCHEMA = 1
ALIGNED_KINDS = frozenset({"aligned exposure", "headerlet", "reference catalogue"})
"""Kinds of files that an alignment makes."""
LISTED_KINDS = ALIGNED_KINDS | {"mosaic", "trailer", TILE}
"""Kinds of files that drizzlepac makes and lists, and tiles."""
TILE_TABLE, TILE_REGIONS = "tile index", "tile regions"
"""Kinds of the index of tiles."""
PICTURE_KINDS = frozenset({"preview", "colour", "footprints", "regions", "coverage"})
"""Kinds of files that show mosaics and can be remade at any time."""


@dataclass(frozen=True)
class Failure:
    """A layer that was not made."""

    layer: str | None
    """None if it concerns all of them."""
    cause: str
    log: str
    """Path of its log."""


@dataclass(frozen=True)
class UsedExposure:
    """An exposure of the plan."""

    name: str
    path: str
    size: int
    """Bytes."""
    sha256: str | None
    """As screening read it; None if it was not read completely."""
    layer: str | None
    """Name of the layer that it belongs to; None if it was left out."""
    repair: PixelRepair | None = None
    """Faults of its pixels that were repaired for the mosaic; None without faults."""


@dataclass(frozen=True)
class Manifest:
    """Inputs, products and failures of a run."""

    prefix: str
    created: str
    """Date and time, UTC, ISO 8601."""
    versions: dict[str, str]
    """Of the packages that determine pixels."""
    exit_code: int
    """Of the run, as README.md documents it."""
    products: tuple[Gathered, ...]
    exposures: tuple[UsedExposure, ...]
    left_out: tuple[Exclusion, ...]
    failures: tuple[Failure, ...]
    registration: tuple[Registered, ...] = ()
    """Offsets of mosaics from each other and from the catalogue; empty in manifests of older versions."""
    stars: tuple[StarsMeasured, ...] = ()
    """Widths of stars in mosaics; empty in manifests of older versions."""
    seams: Mapping[str, Seams] = field(default_factory=dict)
    """Steps of the background between overlapping exposures, by layer; empty without pictures."""
    schema: int = SCHEMA

    def to_json(self) -> str:
        """Return the text of the manifest."""
        return json.dumps({"schema": self.schema} | asdict(self), indent=1) + "\n"

    def with_products(self, more: Iterable[Gathered]) -> Manifest:
        """Return the manifest with more products, which replace those of the same names."""
        added = {file.name: file for file in more}
        kept = tuple(file for file in self.products if file.name not in added)
        return replace(self, products=(*kept, *added.values()))


def manifest_from_json(text: str) -> Manifest:
    """Read the text of a manifest.

    Raises
    ------
    ValueError
        If it is not a manifest, or of another schema.
    """
    raw: Any = json.loads(text)
    if not isinstance(raw, dict) or raw.get("schema") != SCHEMA:
        raise ValueError(f"not a manifest of schema {SCHEMA}")
    try:
        parts = {
            "products": tuple(gathered_from_dict(product) for product in raw["products"]),
            "exposures": tuple(_used_exposure(exposure) for exposure in raw["exposures"]),
            "left_out": tuple(Exclusion(**exclusion) for exclusion in raw["left_out"]),
            "failures": tuple(Failure(**failure) for failure in raw["failures"]),
            "registration": tuple(Registered(**pair) for pair in raw.get("registration", ())),
            "stars": tuple(StarsMeasured(**width) for width in raw.get("stars", ())),
            "seams": {layer: Seams.from_dict(found) for layer, found in raw.get("seams", {}).items()},
        }
        manifest = Manifest(**(raw | parts))
    except (KeyError, TypeError) as error:
        raise ValueError(f"incomplete ({error})") from error
    if not isinstance(manifest.prefix, str) or not isinstance(manifest.exit_code, int):
        raise ValueError("its prefix or its exit code is damaged")
    for product in manifest.products:
        if not _is_sound(product):
            raise ValueError(f"its entry of the product {product.name!r} is damaged")
    return manifest


def _used_exposure(raw: dict[str, Any]) -> UsedExposure:
    repair = raw.get("repair")
    return UsedExposure(**raw | {"repair": None if repair is None else PixelRepair.from_dict(repair)})


def _is_sound(product: Gathered) -> bool:
    """Return whether the entry of a product can be compared with a file next to the manifest."""
    words = (product.name, product.sha256, product.kind)
    # a name with folders would lead elsewhere
    return (
        all(isinstance(word, str) for word in words)
        and PurePath(product.name).name == product.name
        and isinstance(product.size, int)
        and isinstance(product.datasum, dict)
        and isinstance(product.checksum, dict)
    )


def read_manifest(path: Path) -> Manifest:
    """Read the manifest of a run.

    Raises
    ------
    OutputError
        If it is damaged.
    """
    try:
        return manifest_from_json(path.read_text(ENCODING))
    except ValueError as error:
        raise OutputError(f"{path} cannot be read: {error}", "rerun the same command; it is written again") from error


def manifest_text(names: Iterable[str]) -> str:
    """Return the text of a manifest as drizzlepac writes it: one file name a line, sorted."""
    return "".join(f"{name}\n" for name in sorted(set(names)))


def described(path: Path, kind: str) -> Gathered:
    """Return the entry of a small file that is written at the end of a run."""
    return Gathered(path.name, path.stat().st_size, sha256(path), kind=kind)
