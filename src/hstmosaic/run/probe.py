"""What a job of `hstmosaic doctor` finds on its node: ``python -m hstmosaic.run.probe FOLDER HOST PORT [SCRATCH]``.

Without arguments it prints the versions that there are.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import socket
import sys
import tempfile
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hstmosaic.store.files import ENCODING, write_whole
from hstmosaic.store.image_identity import image_identity

if TYPE_CHECKING:
    from collections.abc import Mapping

PROBE_FILE = "probe.json"
TOKEN_FILE = "token.txt"
PACKAGES = ("hstmosaic", "dask", "distributed", "drizzlepac", "numpy", "astropy")


def versions() -> dict[str, str]:
    """Return the versions that have to be the same in driver and workers."""
    found = {"python": ".".join(platform.python_version_tuple()[:2])}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "missing"
    return found


def differences(here: Mapping[str, str], there: Mapping[str, str], places: tuple[str, str]) -> list[str]:
    """Say which versions differ.

    Parameters
    ----------
    here, there : mapping of str to str
        As `versions` returns them.
    places : tuple of str
        How to call the two.
    """
    return [
        f"{name} {here[name]} {places[0]}, {there.get(name, 'unknown')} {places[1]}"
        for name in here
        if here[name] != there.get(name)
    ]


def probe(folder: Path, host: str, port: int, scratch: str = "") -> dict[str, Any]:
    """Look around.

    Parameters
    ----------
    folder : pathlib.Path
        Where the doctor has left a token.
    host, port : str and int
        Where the doctor listens.
    scratch : str
        Directory in which workers keep their files; the system's own when empty.
    """
    scratch = scratch or tempfile.gettempdir()
    # Dask makes what is missing of it
    there = next(place for place in (Path(scratch).absolute(), *Path(scratch).absolute().parents) if place.exists())
    try:
        with socket.create_connection((host, port), timeout=20):
            network = ""
    except OSError as error:
        network = str(error)
    return {
        "node": os.environ.get("SLURMD_NODENAME", platform.node()),
        "token": (folder / TOKEN_FILE).read_text(ENCODING),
        "scratch": scratch,
        "scratch_free_mb": shutil.disk_usage(there).free // 1_000_000,
        "scratch_writable": os.access(there, os.W_OK | os.X_OK),
        "network": network,
        "versions": versions(),
        "image": where_from(),
    }


def where_from() -> str:
    """Return name and digest of the image that this process runs in, nothing outside of one."""
    image = image_identity()
    return "" if image is None else f"{image.name}@{image.digest}".rstrip("@")


if __name__ == "__main__":
    if len(sys.argv) == 1:
        print(json.dumps(versions()))
        sys.exit()
    where = Path(sys.argv[1])
    write_whole(where / PROBE_FILE, json.dumps(probe(where, sys.argv[2], int(sys.argv[3]), *sys.argv[4:])))
