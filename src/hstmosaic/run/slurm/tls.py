"""TLS key and certificate of one run, so that its scheduler accepts its own workers alone."""

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
    """Make a key and a self-signed certificate; a folder of an earlier start is replaced.

    Parameters
    ----------
    folder : pathlib.Path
        Is made with access for the user alone.
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
    """Return the security settings for the files that `run_keys` made in a folder."""
    certificate, key = str(folder / "certificate.pem"), str(folder / "key.pem")
    files = {f"tls_{role}_cert": certificate for role in _ROLES} | {f"tls_{role}_key": key for role in _ROLES}
    return Security(require_encryption=True, tls_ca_file=certificate, **files)
