"""What a job of `hstmosaic doctor` finds on its node: ``python -m hstmosaic.run.probe FOLDER HOST PORT``."""

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
from typing import Any

PROBE_FILE = "probe.json"
TOKEN_FILE = "token.txt"
PACKAGES = ("hstmosaic", "dask", "distributed", "drizzlepac", "numpy", "astropy")


def versions() -> dict[str, str]:
    """Return the versions that have to be the same on both sides."""
    found = {"python": ".".join(platform.python_version_tuple()[:2])}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "missing"
    return found


def probe(folder: Path, host: str, port: int) -> dict[str, Any]:
    """Look around.

    Parameters
    ----------
    folder : pathlib.Path
        Where the doctor has left a token.
    host, port : str and int
        Where the doctor listens.
    """
    scratch = tempfile.gettempdir()
    try:
        with socket.create_connection((host, port), timeout=20):
            network = ""
    except OSError as error:
        network = str(error)
    return {
        "node": os.environ.get("SLURMD_NODENAME", platform.node()),
        "token": (folder / TOKEN_FILE).read_text(),
        "scratch": scratch,
        "scratch_free_mb": shutil.disk_usage(scratch).free // 1_000_000,
        "network": network,
        "versions": versions(),
    }


if __name__ == "__main__":
    where = Path(sys.argv[1])
    draft = where / (PROBE_FILE + ".part")
    draft.write_text(json.dumps(probe(where, sys.argv[2], int(sys.argv[3]))))
    draft.replace(where / PROBE_FILE)
