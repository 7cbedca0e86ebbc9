"""Files that tasks make, as they stand when the task ends."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from astropy.io.fits import Header


@dataclass(frozen=True)
class MadeFile:
    """A file and what it can be checked by."""

    name: str
    size: int
    """Bytes."""
    sha256: str
    """Of all its bytes, in hexadecimal."""
    datasum: dict[str, str] = field(default_factory=dict)
    """``DATASUM`` by name of the HDU; empty for files that are no FITS files of ours."""
    checksum: dict[str, str] = field(default_factory=dict)
    """``CHECKSUM`` by name of the HDU."""


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def hdu_names(headers: Sequence[Header]) -> list[str]:
    """Return a name for each HDU of a FITS file: ``PRIMARY``, ``SCI``, or ``SCI,2`` where several share it.

    Parameters
    ----------
    headers : sequence of Header
        Of all HDUs, in their order.
    """
    names = ["PRIMARY", *(str(header.get("EXTNAME", "")).strip() for header in headers[1:])]
    return [
        f"{name},{header.get('EXTVER', 1)}" if names.count(name) > 1 else name
        for name, header in zip(names, headers, strict=True)
    ]
