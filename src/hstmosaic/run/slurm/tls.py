"""Certificates of one run, so that its scheduler talks to its own workers and to nobody else."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

from distributed.security import Security

from hstmosaic.store.files import ENCODING

if TYPE_CHECKING:
    from pathlib import Path

_ROLES = ("scheduler", "worker", "client")


def run_keys(folder: Path) -> Security:
    """Make a key and a certificate that is its own authority; what was there is replaced.

    Parameters
    ----------
    folder : pathlib.Path
        Where they go; it is made, and only the user can look into it.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    made = Security.temporary()
    for name, text in (("certificate.pem", made.tls_ca_file), ("key.pem", made.tls_worker_key)):
        with os.fdopen(
            os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding=ENCODING
        ) as file:
            file.write(text)
    return read_keys(folder)


def read_keys(folder: Path) -> Security:
    """Return what `run_keys` has made in a folder."""
    certificate, key = str(folder / "certificate.pem"), str(folder / "key.pem")
    files = {f"tls_{role}_cert": certificate for role in _ROLES} | {f"tls_{role}_key": key for role in _ROLES}
    return Security(require_encryption=True, tls_ca_file=certificate, **files)
