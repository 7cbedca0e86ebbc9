"""Standard streams of the command line: closed streams, full disks and characters outside the encoding."""

from __future__ import annotations

import codecs
import errno
import io
import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import click

from hstmosaic.errors import OutputError

if TYPE_CHECKING:
    from typing import TextIO

_ERRORS = "hstmosaic"
_STANDARD = (0, 1, 2)
_SURROGATES = range(0xDC80, 0xDD00)
"""Code points by which Python represents undecodable bytes of file names."""
_NEXT_STEP = "redirect it to a file on a disk with room, or to /dev/null"


def prepare_streams() -> None:
    """Make standard streams safe to use.

    Closed streams are replaced with the null device; otherwise, files opened later would get their numbers. Undecodable
    bytes of file names are written unchanged, and characters outside the encoding are escaped.

    Raises
    ------
    OutputError
        If standard output is closed.
    """
    closed = [number for number in _STANDARD if not _is_open(number)]
    for _ in closed:
        os.open(os.devnull, os.O_RDWR)  # gets the lowest number that is free
    codecs.register_error(_ERRORS, _encode_anyway)
    if sys.stdout is sys.__stdout__ and sys.stdout is not None:
        sys.stdout = _remembering(sys.stdout)
    if sys.stderr is sys.__stderr__ and sys.stderr is not None:
        sys.stderr = _remembering(sys.stderr)
    if sys.stdout is None:
        raise OutputError("standard output is closed", _NEXT_STEP)


def print_error(message: object) -> None:
    """Print an error, if standard error is writable."""
    with suppress(OSError):
        click.echo(f"hstmosaic: {message}", err=True)


def stream_error() -> OutputError | None:
    """Flush the standard streams and return the first error of any write to them."""
    found = None
    for name, stream in (("standard error", sys.stderr), ("standard output", sys.stdout)):
        try:
            if stream is not None:
                stream.flush()
        except OSError as error:
            _discard(stream)
            cause: OSError | None = error
        else:
            cause = getattr(getattr(getattr(stream, "buffer", None), "raw", None), "error", None)
        # a reader that stops early, such as head, is not an error
        if cause is not None and cause.errno != errno.EPIPE:
            found = OutputError(f"cannot write {name}: {cause.strerror}", _NEXT_STEP)
    return found


class _RememberingFile(io.FileIO):
    """A file that remembers the error of a write, because the caller may suppress it."""

    error: OSError | None = None

    def write(self, data: Any) -> int:
        """Write bytes."""
        try:
            return super().write(data)
        except OSError as error:
            self.error = error
            raise


def _remembering(stream: TextIO) -> TextIO:
    raw = _RememberingFile(stream.fileno(), "w", closefd=False)
    # without a locale Python decodes every non-ASCII letter to surrogates, which are written as the original bytes
    encoding = "utf-8" if codecs.lookup(stream.encoding).name == "ascii" else stream.encoding
    return io.TextIOWrapper(io.BufferedWriter(raw), encoding=encoding, errors=_ERRORS, line_buffering=stream.isatty())


def _discard(stream: TextIO) -> None:
    """Discard the buffer of a stream, so that the interpreter does not report the same error again."""
    null = os.open(os.devnull, os.O_WRONLY)
    with suppress(OSError):
        os.dup2(null, stream.fileno())
    os.close(null)


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True


def _encode_anyway(error: UnicodeError) -> tuple[str | bytes, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    found = error.object[error.start : error.end]
    encoded = (
        bytes([ord(letter) - 0xDC00]) if ord(letter) in _SURROGATES else letter.encode("ascii", "backslashreplace")
        for letter in found
    )
    return b"".join(encoded), error.end
