"""Digest of a failure: cause, lines of the log that show it, and remedy."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hstmosaic.products.causes import find_cause
from hstmosaic.store.files import ENCODING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from hstmosaic.products.manifest import Failure

_LINES = 8
_WIDTH = 200
_ERROR = re.compile(r"(?:[A-Za-z_]\w*\.)*[A-Za-z_]*(?:Error|Exception|Exit|Interrupt|Warning)(?::.*)?")
_FRAME = re.compile(r'  File ".*", line \d+, in .*')
_LOGGED = re.compile(r"\d{13} (?:ERROR|CRITICAL) .*|\[(?:ERROR|CRITICAL)\s*\].*|.*Return condition -?[1-9]\d*\s*")
_UNINFORMATIVE = re.compile(r".*(?:[-\]]\s*\W*|- message|An unhandled exception ocurred:)")
"""Frames of number signs, and the headings that drizzlepac and stsci.tools put over a traceback."""
_UNKNOWN = "Look at the lines and the log; if the exposures are sound, report it with both."


@dataclass(frozen=True)
class FailureDigest:
    """Digest of a failure."""

    layer: str
    cause: str
    """One of the names in `hstmosaic.products.causes`, or ``unknown``."""
    sentence: str
    lines: tuple[str, ...]
    """Of the log, with file name and number."""
    next_step: str
    log: str
    """Path of the log."""

    def __str__(self) -> str:
        shown = [f"    {line}" for line in self.lines]
        return "\n".join(
            [f"{self.layer} was not made. {self.sentence}", *shown, f"  -> {self.next_step}", f"  log: {self.log}"]
        )


def digest(failure: Failure, logs: Iterable[Path]) -> FailureDigest:
    """Digest a failure.

    Parameters
    ----------
    failure : Failure
        The failure as the driver recorded it.
    logs : iterable of pathlib.Path
        Logs that may show it: that of the task, and its trailers, which mostly repeat it.

    Returns
    -------
    FailureDigest
    """
    shown: dict[str, str] = {}
    for path in logs:
        for number, text in evidence(_read(path)):
            shown.setdefault(text, f"{path.name}:{number}: {text[:_WIDTH]}")
    known = find_cause([failure.cause, *shown])
    return FailureDigest(
        layer=failure.layer or "the mosaic",
        cause=known.name if known else "unknown",
        sentence=known.sentence if known else f"{failure.cause[:1].upper()}{failure.cause[1:]}.",
        lines=tuple([f"error: {failure.cause}"] if known else []) + tuple(shown.values())[-_LINES:],
        next_step=known.next_step if known else _UNKNOWN,
        log=failure.log,
    )


def evidence(lines: Sequence[str]) -> list[tuple[int, str]]:
    """Return the lines of a log that show an error.

    Parameters
    ----------
    lines : sequence of str
        The log.

    Returns
    -------
    list of (int, str)
        Number, from 1, and text: errors that were logged, the last line of each traceback with the place it was raised
        at, each text once.
    """
    seen: set[str] = set()
    found = []
    for number, text in _error_lines(lines):
        if text not in seen:
            seen.add(text)
            found.append((number, text))
    return sorted(found)


def _error_lines(lines: Sequence[str]) -> Iterator[tuple[int, str]]:
    frame: tuple[int, str] | None = None
    for number, line in enumerate(lines, start=1):
        if line.startswith("Traceback ("):
            frame = None
        elif _FRAME.fullmatch(line):
            frame = (number, line.strip())
        elif frame is not None and _ERROR.fullmatch(line):
            yield frame
            yield number, line
            frame = None
        elif _LOGGED.fullmatch(line) and not _UNINFORMATIVE.fullmatch(line):
            yield number, line.strip()


def _read(path: Path) -> list[str]:
    try:
        return path.read_text(ENCODING, errors="replace").splitlines()
    except OSError:  # a task that never started has none
        return []


def digests_text(digests: Iterable[FailureDigest]) -> str:
    """Return the text of ``failures.txt``."""
    return "".join(f"{found}\n\n" for found in digests)
