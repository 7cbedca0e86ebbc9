"""Gathering: finished products move from a task's working directory to the user, whole or not at all."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from hstmosaic.products.product_check import ProductError, check_product
from hstmosaic.store.files import ENCODING, MadeFile, sha256, whole, write_whole
from hstmosaic.store.task_specs import WORK_FOLDER

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from pathlib import Path

    from hstmosaic.plan.layers import Layer

_GATHERED_FILE = "gathered.json"


@dataclass(frozen=True)
class Gathered(MadeFile):
    """A file that was put into the output directory."""

    kind: str = ""
    """``mosaic``, ``trailer``, ``aligned exposure``, ``headerlet``, ``reference catalogue`` and so on."""
    layer: str | None = None
    """Name of its layer."""
    exposures: tuple[str, ...] = ()
    """Names of the exposures that it is made from."""


def gathered_from_dict(raw: Mapping[str, Any]) -> Gathered:
    """Return what `dataclasses.asdict` has made of a `Gathered`, perhaps by way of JSON."""
    return Gathered(**{**raw, "exposures": tuple(raw["exposures"])})


def gather_layer(
    layer: Layer, used: Collection[str], made: Iterable[MadeFile], task: Path, output: Path
) -> tuple[Gathered, ...]:
    """Check the products of a layer, then move them to the output directory.

    Nothing is moved unless every product of the layer is as planned; the task directory lies in the output
    directory, so that a move is a renaming. What a driver that was killed has already moved is taken where it is.

    Parameters
    ----------
    layer : Layer
        What was planned.
    used : collection of str
        Names of the exposures that were drizzled.
    made : iterable of MadeFile
        What the task says that it has made.
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
    return gather_stub(layer, used, made, task, output)


def gather_stub(
    layer: Layer, used: Collection[str], made: Iterable[MadeFile], task: Path, output: Path
) -> tuple[Gathered, ...]:
    """Move what a task has only pretended to make; see `gather_layer`."""
    files = {file.name: file for file in made}
    kinds = {product.name: "mosaic" for product in layer.products}
    kinds |= {product.trailer: "trailer" for product in layer.products}
    for name in kinds:
        # what a task wrote on another node has to have arrived here
        size = _place(name, task, output).stat().st_size
        if size != files[name].size:
            raise ProductError(f"{name} has {size} bytes, its task has written {files[name].size}")
    gathered = tuple(
        Gathered(**asdict(files[name]), kind=kind, layer=layer.name, exposures=tuple(used))
        for name, kind in kinds.items()
    )
    for name in kinds:
        _place(name, task, output).replace(output / name)
    write_whole(task / _GATHERED_FILE, json.dumps([asdict(file) for file in gathered], indent=1))
    return gathered


def _place(name: str, task: Path, output: Path) -> Path:
    made = task / WORK_FOLDER / name
    return made if made.exists() else output / name


def product_names(layer: Layer) -> tuple[str, ...]:
    """Return the names of the files that a layer gives, trailers included."""
    return tuple(name for product in layer.products for name in (product.name, product.trailer))


def still_gathered(task: Path, output: Path) -> tuple[Gathered, ...] | None:
    """Return what a task gave to the output directory if all of it is still there unchanged, else None."""
    try:
        recorded = tuple(gathered_from_dict(file) for file in json.loads((task / _GATHERED_FILE).read_text(ENCODING)))
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
    """Put files that tasks still need into the output directory under other names, whole or not at all.

    Parameters
    ----------
    files : iterable of (Gathered, pathlib.Path)
        What each is to be, and where it lies.
    output : pathlib.Path
        The output directory.

    Returns
    -------
    tuple of Gathered
    """
    published = []
    for file, source in files:
        with whole(output / file.name) as draft:
            try:
                draft.hardlink_to(source)
            except OSError:  # a file system without hard links
                shutil.copyfile(source, draft)
        published.append(file)
    return tuple(published)
