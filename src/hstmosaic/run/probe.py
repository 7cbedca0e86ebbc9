"""Probe of a node for `hstmosaic doctor`: ``python -m hstmosaic.run.probe FOLDER HOST PORT [SCRATCH]``.

Without arguments it prints the installed versions.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import socket
import sys
import tempfile
from dataclasses import asdict, dataclass, fields
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from hstmosaic.store.files import ENCODING, write_atomically
from hstmosaic.store.image_identity import image_identity

if TYPE_CHECKING:
    from collections.abc import Mapping

PROBE_FILE = "probe.json"
TOKEN_FILE = "token.txt"
PACKAGES = ("hstmosaic", "dask", "distributed", "drizzlepac", "numpy", "astropy")


def versions() -> dict[str, str]:
    """Return the versions that must be the same in driver and workers; ``missing`` if not installed."""
    found = {"python": ".".join(platform.python_version_tuple()[:2])}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "missing"
    return found


def differences(here: Mapping[str, str], there: Mapping[str, str], places: tuple[str, str]) -> list[str]:
    """Return which versions differ, as clauses.

    Parameters
    ----------
    here, there : mapping of str to str
        From `versions`.
    places : tuple of str
        Names of the two.
    """
    return [
        f"{name} {here[name]} {places[0]}, {there.get(name, 'unknown')} {places[1]}"
        for name in here
        if here[name] != there.get(name)
    ]


@dataclass(frozen=True)
class Probe:
    """The findings on a node."""

    node: str
    token: str
    """Content of the doctor's token file, as the node reads it."""
    scratch: str
    """Directory for files of workers."""
    scratch_free_mb: int
    scratch_writable: bool
    network: str
    """Why the node does not reach the doctor; empty if it does."""
    versions: dict[str, str]
    image: str
    """Name and digest of the image; empty outside of one."""

    def to_json(self) -> str:
        """Return the text of a probe file."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Probe:
        """Read the text of a probe file, which an image of another version may have written."""
        raw = json.loads(text)
        return cls(**{item.name: raw[item.name] for item in fields(cls)})


def probe(folder: Path, host: str, port: int, scratch: str = "") -> Probe:
    """Examine the node of this process.

    Parameters
    ----------
    folder : pathlib.Path
        Holds the token of the doctor.
    host, port : str and int
        Address at which the doctor listens.
    scratch : str
        Directory for files of workers; that of the system when empty.
    """
    scratch = scratch or tempfile.gettempdir()
    # Dask makes missing parents
    existing = next(place for place in (Path(scratch).absolute(), *Path(scratch).absolute().parents) if place.exists())
    try:
        with socket.create_connection((host, port), timeout=20):
            network = ""
    except OSError as error:
        network = str(error)
    return Probe(
        node=os.environ.get("SLURMD_NODENAME", platform.node()),
        token=(folder / TOKEN_FILE).read_text(ENCODING),
        scratch=scratch,
        scratch_free_mb=shutil.disk_usage(existing).free // 1_000_000,
        scratch_writable=os.access(existing, os.W_OK | os.X_OK),
        network=network,
        versions=versions(),
        image=where_from(),
    )


def where_from() -> str:
    """Return name and digest of the image that this process runs in, or an empty string."""
    image = image_identity()
    return "" if image is None else f"{image.name}@{image.digest}".rstrip("@")


if __name__ == "__main__":
    if len(sys.argv) == 1:
        print(json.dumps(versions()))
        sys.exit()
    where = Path(sys.argv[1])
    write_atomically(where / PROBE_FILE, probe(where, sys.argv[2], int(sys.argv[3]), *sys.argv[4:]).to_json())
