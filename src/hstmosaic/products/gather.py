"""Moves of finished products from working directories of tasks to the output directory."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from hstmosaic.products.product_check import ProductError, check_product
from hstmosaic.store.files import ENCODING, MadeFile, atomic_draft, sha256, write_atomically
from hstmosaic.store.task_specs import WORK_FOLDER

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from pathlib import Path

    from hstmosaic.plan.layers import Layer

GATHERED_FILE = "gathered.json"
"""Record of the files of a task in the output directory."""
TILE = "tile"
"""Kind of the tiles of mosaics."""


@dataclass(frozen=True)
class Gathered(MadeFile):
    """A file in the output directory."""

    kind: str = ""
    """``mosaic``, ``trailer``, ``aligned exposure``, ``headerlet``, ``reference catalogue`` and so on."""
    layer: str | None = None
    """Name of its layer."""
    exposures: tuple[str, ...] = ()
    """Names of its exposures."""


def gathered_from_dict(raw: Mapping[str, Any]) -> Gathered:
    """Return the `Gathered` that `dataclasses.asdict` converted, possibly by way of JSON."""
    return Gathered(**{**raw, "exposures": tuple(raw["exposures"])})


def gather_layer(
    layer: Layer, used: Collection[str], made: Iterable[MadeFile], task: Path, output: Path
) -> tuple[Gathered, ...]:
    """Check the products of a layer, then move them to the output directory.

    Nothing is moved unless every product of the layer is as planned.

    Parameters
    ----------
    layer : Layer
        The planned layer.
    used : collection of str
        Names of the exposures that were drizzled.
    made : iterable of MadeFile
        Files that the task reported.
    task : pathlib.Path
        The task directory, with the products under ``work/``.
    output : pathlib.Path
        The output directory.

    Returns
    -------
    tuple of Gathered

    Raises
    ------
    ProductError
        If a product is not as planned.
    """
    for product in layer.products:
        check_product(_place(product.name, task, output), product, used)
    return move_products(layer, used, made, task, output)


def move_products(
    layer: Layer, used: Collection[str], made: Iterable[MadeFile], task: Path, output: Path
) -> tuple[Gathered, ...]:
    """Move the products of a layer to the output directory without looking into them, and record them.

    The task directory is in the output directory, so each move is a renaming. Files that a killed driver moved are
    used where they are. Parameters and result are those of `gather_layer`.

    Raises
    ------
    ProductError
        If a product does not have the size that the task reported.
    """
    files = {file.name: file for file in made}
    kinds = {product.name: "mosaic" for product in layer.products}
    kinds |= {product.trailer: "trailer" for product in layer.products}
    kinds |= {name: TILE for product in layer.products for name, _ in product.tiles}
    for name in kinds:
        # files written on another node may not have arrived completely
        size = _place(name, task, output).stat().st_size
        if size != files[name].size:
            raise ProductError(f"{name} has {size} bytes, but its task has written {files[name].size}")
    gathered = tuple(
        Gathered(**asdict(files[name]), kind=kind, layer=layer.name, exposures=tuple(used))
        for name, kind in kinds.items()
    )
    for name in kinds:
        _place(name, task, output).replace(output / name)
    write_atomically(task / GATHERED_FILE, json.dumps([asdict(file) for file in gathered], indent=1))
    return gathered


def _place(name: str, task: Path, output: Path) -> Path:
    made = task / WORK_FOLDER / name
    return made if made.exists() else output / name


def product_names(layer: Layer) -> tuple[str, ...]:
    """Return the names of the files that drizzlepac makes of a layer, trailers included."""
    return tuple(name for product in layer.products for name in (product.name, product.trailer))


def tile_names(layer: Layer) -> tuple[str, ...]:
    """Return the names of the tiles of a layer's mosaics."""
    return tuple(name for product in layer.products for name, _ in product.tiles)


def still_gathered(task: Path, output: Path) -> tuple[Gathered, ...] | None:
    """Return the files of a task in the output directory if all are unchanged, else None."""
    try:
        recorded = tuple(gathered_from_dict(file) for file in json.loads((task / GATHERED_FILE).read_text(ENCODING)))
    except FileNotFoundError:
        return None
    unchanged = all(
        (output / file.name).is_file()
        and (output / file.name).stat().st_size == file.size
        and sha256(output / file.name) == file.sha256
        for file in recorded
    )
    return recorded if unchanged else None


def publish(files: Iterable[tuple[Gathered, Path]], output: Path) -> tuple[Gathered, ...]:
    """Copy or link files that tasks still need into the output directory under other names, atomically.

    Parameters
    ----------
    files : iterable of (Gathered, pathlib.Path)
        Description and present path of each.
    output : pathlib.Path
        The output directory.

    Returns
    -------
    tuple of Gathered
    """
    published = []
    for file, source in files:
        with atomic_draft(output / file.name) as draft:
            try:
                draft.hardlink_to(source)
            except OSError:  # a file system without hard links
                shutil.copyfile(source, draft)
        published.append(file)
    return tuple(published)
