"""Removal of everything that a run made, and of nothing else."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hstmosaic.plan.names import json_manifest_name, report_name
from hstmosaic.products.gather import GATHERED_FILE, gathered_from_dict
from hstmosaic.products.manifest import manifest_from_json
from hstmosaic.store.files import ENCODING, sha256

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from hstmosaic.products.gather import Gathered
    from hstmosaic.store.run_directory import RunDirectory


@dataclass(frozen=True)
class MadeByRun:
    """Files and folders of a run."""

    files: tuple[Path, ...]
    """Files in the output directory that are as the run wrote them."""
    changed: tuple[Path, ...]
    """Files under the names of products that have other bytes; they are kept."""
    state: tuple[Path, ...]
    """Files and folders in the run directory."""
    unknown: tuple[Path, ...]
    """Other files in the run directory; they are kept."""
    size: int
    """Bytes of the files in the output directory."""

    def to_dict(self) -> dict[str, object]:
        """Return the record in `hstmosaic clean --json`; paths as text."""
        paths = {name: value for name, value in vars(self).items() if isinstance(value, tuple)}
        return {name: [str(path) for path in found] for name, found in paths.items()} | {"size": self.size}


def recorded_files(directory: RunDirectory) -> tuple[Gathered, ...]:
    """Return the files in the output directory that the manifest or the tasks of a run recorded and that exist."""
    found: dict[str, Gathered] = {}
    for file in (*_gathered_by_tasks(directory), *_listed(directory)):
        if (directory.output / file.name).is_file():
            found[file.name] = file
    return tuple(found.values())


def made_by_run(directory: RunDirectory, on_bytes: Callable[[int], object]) -> MadeByRun:
    """Find everything that a run made.

    Parameters
    ----------
    directory : RunDirectory
        The run directory.
    on_bytes : callable
        Called with numbers of bytes as products are compared with their recorded checksums.

    Returns
    -------
    MadeByRun
    """
    files: list[Path] = []
    changed: list[Path] = []
    for file in recorded_files(directory):
        path = directory.output / file.name
        unchanged = path.stat().st_size == file.size and sha256(path, on_bytes) == file.sha256
        (files if unchanged else changed).append(path)
    # both are written again with every start, and nothing records their checksums
    for name in (json_manifest_name(directory.prefix), report_name(directory.prefix)):
        if (directory.output / name).is_file():
            files.append(directory.output / name)
    state = [path for path in directory.contents if path.exists()]
    unknown = sorted(set(directory.path.iterdir()) - set(state))
    return MadeByRun(
        files=tuple(sorted(files)),
        changed=tuple(sorted(changed)),
        state=tuple(sorted(state)),
        unknown=tuple(unknown),
        size=sum(path.stat().st_size for path in files),
    )


def remove(made: MadeByRun, directory: RunDirectory) -> None:
    """Delete what a run made, and its run directory if nothing else is in it.

    Parameters
    ----------
    made : MadeByRun
        The files.
    directory : RunDirectory
        The run directory.
    """
    for path in (*made.files, *made.state):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    if not any(directory.path.iterdir()):
        directory.path.rmdir()


def _gathered_by_tasks(directory: RunDirectory) -> Iterator[Gathered]:
    for record in sorted(directory.tasks.glob(f"*/{GATHERED_FILE}")):
        try:
            yield from (gathered_from_dict(file) for file in json.loads(record.read_text(ENCODING)))
        except (OSError, ValueError, KeyError, TypeError):  # damaged: its files are kept
            continue


def _listed(directory: RunDirectory) -> tuple[Gathered, ...]:
    try:
        path = directory.output / json_manifest_name(directory.prefix)
        return manifest_from_json(path.read_text(ENCODING)).products
    except (OSError, ValueError):
        return ()
