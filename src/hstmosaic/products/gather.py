"""Gathering: finished products move from a task's working directory to the user, whole or not at all."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from hstmosaic.plan.specs import WORK_FOLDER
from hstmosaic.products.notes import add_notes
from hstmosaic.products.verify import check_product, refer_npixfrac, sha256

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

    from hstmosaic.plan.layers import Layer
    from hstmosaic.plan.limits import Limits
    from hstmosaic.products.notes import HeaderNotes

_GATHERED_FILE = "gathered.json"


@dataclass(frozen=True)
class Gathered:
    """A file that was put into the output directory."""

    name: str
    size: int
    """Bytes."""
    sha256: str


def finish_layer(layer: Layer, used: Collection[str], tight: Limits, notes: HeaderNotes, work: Path) -> None:
    """Check the products of a layer against the plan and complete their headers, where they were made.

    Parameters
    ----------
    layer : Layer
        What was planned.
    used : collection of str
        Names of the exposures that were drizzled.
    tight : Limits
        The limits that drizzlepac was given.
    notes : HeaderNotes
        What the headers say beside what drizzlepac writes.
    work : pathlib.Path
        The working directory of the task.

    Raises
    ------
    ProductError
        If a product is not as planned.
    """
    for product in layer.products:
        check_product(work / product.name, product, used)
    for product in layer.products:
        refer_npixfrac(work / product.name, product, tight)
        add_notes(work / product.name, notes, used)


def product_names(layer: Layer) -> tuple[str, ...]:
    """Return the names of the files that a layer gives, trailers included."""
    return tuple(name for product in layer.products for name in (product.name, product.trailer))


def gather(files: Mapping[str, str], task: Path, output: Path) -> tuple[Gathered, ...]:
    """Move the finished files of a task to the output directory; a run that was killed on the way goes on here.

    The task directory lies in the output directory, so that a move is a renaming.

    Parameters
    ----------
    files : mapping of str to str
        SHA-256 by name. A file that is not under ``work/`` any more has been moved already.
    task : pathlib.Path
        The task directory.
    output : pathlib.Path
        The output directory.

    Returns
    -------
    tuple of Gathered
    """
    for name in files:
        if (task / WORK_FOLDER / name).exists():
            (task / WORK_FOLDER / name).replace(output / name)
    gathered = tuple(Gathered(name, (output / name).stat().st_size, checksum) for name, checksum in files.items())
    draft = task / (_GATHERED_FILE + ".part")
    draft.write_text(json.dumps([asdict(file) for file in gathered], indent=1))
    draft.replace(task / _GATHERED_FILE)
    return gathered


def still_gathered(task: Path, output: Path) -> tuple[Gathered, ...] | None:
    """Return what a task gave to the output directory if all of it is still there unchanged, else None."""
    try:
        recorded = tuple(Gathered(**file) for file in json.loads((task / _GATHERED_FILE).read_text()))
    except FileNotFoundError:
        return None
    unchanged = all(
        (output / file.name).is_file()
        and (output / file.name).stat().st_size == file.size
        and sha256(output / file.name) == file.sha256
        for file in recorded
    )
    return recorded if unchanged else None


def publish(files: Mapping[str, Path], output: Path) -> tuple[Gathered, ...]:
    """Put files that tasks still need into the output directory under other names, whole or not at all.

    Parameters
    ----------
    files : mapping of str to pathlib.Path
        Files by the names that they get.
    output : pathlib.Path
        The output directory.

    Returns
    -------
    tuple of Gathered
    """
    for name, source in files.items():
        draft = output / f".{name}.part"
        draft.unlink(missing_ok=True)
        try:
            draft.hardlink_to(source)
        except OSError:  # a file system without hard links
            shutil.copyfile(source, draft)
        draft.replace(output / name)
        draft.unlink(missing_ok=True)  # renaming a link to another link of the same file does nothing
    return tuple(Gathered(name, (output / name).stat().st_size, sha256(output / name)) for name in files)
