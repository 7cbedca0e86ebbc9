"""Comparison of products with their manifests."""

from __future__ import annotations

import os
import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from astropy.io import fits

from hstmosaic.errors import NotAsRecordedError
from hstmosaic.plan.names import SKY_CELL_TILES, report_name
from hstmosaic.products.manifest import ALIGNED_KINDS, manifest_from_json
from hstmosaic.store.files import ENCODING, hdu_names, sha256
from hstmosaic.store.run_directory import is_run_directory
from hstmosaic.store.run_lookup import find_run
from hstmosaic.store.tile_keywords import TILE_OF
from hstmosaic.text import count_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from hstmosaic.products.gather import Gathered
    from hstmosaic.products.manifest import Manifest

_ENDING = "_manifest.json"
_RUN_AGAIN = "run the same command again: it makes what is missing or changed"
_MISSING = "is missing"
_CHANGED = "its bytes are not those that were written"
_THREADS = 8


@dataclass(frozen=True)
class Fault:
    """A file that differs from its manifest."""

    name: str
    cause: str
    next_step: str

    def __str__(self) -> str:
        return f"{self.name}: {self.cause}; {self.next_step}"


@dataclass(frozen=True)
class Manifests:
    """The manifests of a directory."""

    names: tuple[str, ...]
    """File names, including unreadable ones."""
    readable: tuple[Manifest, ...]
    faults: tuple[Fault, ...]

    @property
    def products(self) -> tuple[Gathered, ...]:
        """All products that the manifests list."""
        return tuple(product for manifest in self.readable for product in manifest.products)

    @property
    def notes(self) -> tuple[str, ...]:
        """Notes about incomplete runs."""
        return tuple(
            f"{manifest.prefix}: the run ended with exit code {manifest.exit_code}; "
            + ("; ".join(f"{failure.layer or 'all'}: {failure.cause}" for failure in manifest.failures))
            for manifest in self.readable
            if manifest.exit_code
        )


@dataclass(frozen=True)
class Verified:
    """Result of a check."""

    manifests: int
    files: int
    size: int
    """Bytes."""
    faults: tuple[Fault, ...]

    def __str__(self) -> str:
        checked = f"{count_of(self.files, 'file')}, {self.size / 1e6:.1f} MB, in {count_of(self.manifests, 'manifest')}"
        return f"{checked}: " + (count_of(len(self.faults), "fault") if self.faults else "all as recorded")


def read_manifests(folder: Path, prefix: str = "*") -> Manifests:
    """Read the manifests of a directory.

    Parameters
    ----------
    folder : pathlib.Path
        The directory.
    prefix : str
        Prefix of the run; of all runs by default.

    Raises
    ------
    NotAsRecordedError
        If no manifest is found.
    """
    found = sorted(folder.glob(f"{prefix}{_ENDING}"))
    if not found:
        raise NotAsRecordedError(
            f"{folder} has no manifest (a file that ends in {_ENDING})",
            "name the directory that was the --output-dir of a run",
        )
    readable, faults = [], []
    for path in found:
        try:
            readable.append(manifest_from_json(path.read_text(ENCODING)))
        except (OSError, ValueError) as error:
            faults.append(Fault(path.name, f"cannot be read: {error}", "rerun the same command; it is written again"))
    return Manifests(tuple(path.name for path in found), tuple(readable), tuple(faults))


def find_manifests(path: Path) -> tuple[Path, Manifests]:
    """Find the manifests that a path names.

    Parameters
    ----------
    path : pathlib.Path
        A folder of products, a run directory, or a file in either.

    Returns
    -------
    folder : pathlib.Path
        Folder of the products.
    manifests : Manifests
        All of the folder, or only that of the run.

    Raises
    ------
    NotAsRecordedError
        If no manifest is found.
    OutputError
        If a file does not belong to a run.
    """
    if path.is_dir() and not is_run_directory(path):
        return path, read_manifests(path)
    if path.name.endswith(_ENDING):
        return path.parent, read_manifests(path.parent, path.name.removesuffix(_ENDING))
    run = find_run(path)
    return run.output, read_manifests(run.output, run.prefix)


def verify_products(folder: Path, manifests: Manifests, on_bytes: Callable[[int], object]) -> Verified:
    """Check sizes, SHA-256 and FITS checksums of products, and look for files that no manifest lists.

    Parameters
    ----------
    folder : pathlib.Path
        Folder of the products.
    manifests : Manifests
        Their manifests.
    on_bytes : callable
        Called, from several threads, with numbers of bytes as they are read.

    Returns
    -------
    Verified
    """
    listed = [(manifest.prefix, product) for manifest in manifests.readable for product in manifest.products]
    products = [product for _, product in listed]
    with ThreadPoolExecutor(min(_THREADS, len(os.sched_getaffinity(0)))) as threads:
        causes = list(threads.map(lambda product: _compare(folder / product.name, product, on_bytes), products))
    faults = list(manifests.faults)
    for (prefix, product), cause in zip(listed, causes, strict=True):
        # One after the other, because Python's filters of warnings are of all threads.
        inside = _fits_faults(folder / product.name, product) if not cause or cause.startswith(_CHANGED) else []
        if cause or inside:
            # the aligned copies in the run directory may be the same files by other names
            kept = cause != _MISSING and product.kind in ALIGNED_KINDS
            next_step = f"delete {prefix}_run/tasks/align and {_RUN_AGAIN}" if kept else _RUN_AGAIN
            faults.append(Fault(product.name, "; ".join([cause, *inside] if cause else inside), next_step))
    faults += _unknown(folder, manifests)
    size = sum(product.size for product in products)
    return Verified(len(manifests.names), len(products), size, tuple(faults))


def _compare(path: Path, product: Gathered, on_bytes: Callable[[int], object]) -> str:
    """Return the fault of a file as a whole, or an empty string."""
    try:
        size = path.stat().st_size
        if size != product.size:
            on_bytes(product.size)
            return f"has {size} bytes instead of {product.size}"
        found = sha256(path, on_bytes)
    except FileNotFoundError:
        on_bytes(product.size)
        return _MISSING
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    return (
        "" if found == product.sha256 else f"{_CHANGED} (SHA-256 {found[:12]}... instead of {product.sha256[:12]}...)"
    )


def _fits_faults(path: Path, product: Gathered) -> list[str]:
    """Name the HDUs whose checksums do not hold, or are not those of the manifest."""
    if not product.datasum:
        return []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with fits.open(path, disable_image_compression=True) as hdus:
                names = hdu_names([hdu.header for hdu in hdus])
                found = [_hdu_fault(name, hdu, product) for name, hdu in zip(names, hdus, strict=True)]
        except (OSError, ValueError, TypeError, KeyError) as error:
            return [f"is not a readable FITS file ({error})"]
    return [fault for fault in found if fault]


def _hdu_fault(name: str, hdu: Any, product: Gathered) -> str:
    if hdu.verify_datasum() != 1:
        return f"the data of {name} do not have its DATASUM"
    if hdu.verify_checksum() != 1:
        return f"the header of {name} does not have its CHECKSUM"
    if hdu.header["CHECKSUM"] != product.checksum.get(name):
        return f"{name} is whole, but has another CHECKSUM than in the manifest"
    return ""


def _unknown(folder: Path, manifests: Manifests) -> Iterator[Fault]:
    known = {product.name for product in manifests.products} | set(manifests.names)
    prefixes = sorted({name.removesuffix(_ENDING) for name in manifests.names})
    # the files of a run with a damaged manifest are unknown
    unread = tuple(f"{fault.name.removesuffix(_ENDING)}_" for fault in manifests.faults)
    # so are those of a run that is not checked
    others = {path.name.removesuffix(_ENDING) for path in folder.glob(f"*{_ENDING}")} - set(prefixes)
    unread += tuple(f"{other}_" for other in others)
    # a report can be remade at any time
    known |= {report_name(prefix) for prefix in prefixes}
    for prefix in prefixes:
        for path in sorted([*folder.glob(f"{prefix}_*"), *folder.glob(f".{prefix}_*.part")]):
            if path.name in known or path.is_dir() or path.name.startswith(unread):
                continue
            known.add(path.name)
            if path.suffix == ".part":
                yield Fault(path.name, "an incomplete file", "delete it")
            else:
                yield Fault(
                    path.name,
                    "is named like a product but in no manifest",
                    "move it elsewhere: it is not from this run",
                )
    # tiles with the names of drizzlepac's sky cells do not begin with the prefix
    for path in sorted(folder.glob(SKY_CELL_TILES)):
        if path.name not in known and _mosaic_of(path).startswith(tuple(f"{prefix}_" for prefix in prefixes)):
            yield Fault(path.name, "is a tile of another run, and in no manifest", "delete it, or move it elsewhere")


def _mosaic_of(path: Path) -> str:
    """Return the name of the mosaic that a tile is cut out of; empty for other files."""
    try:
        return str(fits.getval(path, TILE_OF))
    except (OSError, KeyError, ValueError, TypeError):
        return ""
