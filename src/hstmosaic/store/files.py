"""Files that tasks make, as they stand when the task ends."""

from __future__ import annotations

import hashlib
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from astropy.io.fits import Header

ENCODING = "utf-8"
"""Of all text files, whatever the user's locale is."""
CHECKSUM_COMMENT = "FITS checksum convention"
"""Comment of ``CHECKSUM`` and ``DATASUM``; astropy's own has a date, and no two runs would be alike."""
_PIECE = 1 << 20


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


@contextmanager
def atomic_draft(path: Path) -> Iterator[Path]:
    """Let a file appear complete or not at all: the draft gets its name at the end.

    Parameters
    ----------
    path : pathlib.Path
        The file.

    Yields
    ------
    pathlib.Path
        The draft next to it, which does not exist. It is removed after an error.
    """
    draft = path.with_name(f".{path.name}.part")
    try:
        draft.unlink(missing_ok=True)  # of a process that was killed
        yield draft
        draft.replace(path)
    finally:
        # after a renaming it is there only if both were links to one file, which are not renamed
        draft.unlink(missing_ok=True)


def write_atomically(path: Path, text: str) -> None:
    """Write a text file completely or not at all; undecodable bytes of file names are written as escapes."""
    with atomic_draft(path) as draft:
        draft.write_text(text, ENCODING, errors="backslashreplace")


def sha256(path: Path, on_bytes: Callable[[int], object] | None = None) -> str:
    """Return the SHA-256 of a file's bytes, in hexadecimal.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    on_bytes : callable, optional
        Called with the number of bytes of each piece after it is read.
    """
    digest, piece = hashlib.sha256(), bytearray(_PIECE)
    with path.open("rb", buffering=0) as file:
        while count := file.readinto(piece):
            digest.update(memoryview(piece)[:count])
            if on_bytes is not None:
                on_bytes(count)
    return digest.hexdigest()


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
