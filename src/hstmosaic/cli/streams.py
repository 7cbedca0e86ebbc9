"""Standard streams of the command line: closed ones, full ones, and characters that they cannot show."""

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
"""By these Python stands for bytes of a file name that are no text."""
_NEXT_STEP = "redirect it to a file on a disk with room, or to /dev/null"


def prepare_streams() -> None:
    """Make standard streams safe to use.

    The null device takes the place of closed ones, which files that are opened later would get in their place. Bytes of
    file names that are no text are written as they are, and characters that an encoding does not have as escapes.

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


def complain(words: object) -> None:
    """Print an error, if standard error can be written."""
    with suppress(OSError):
        click.echo(f"hstmosaic: {words}", err=True)


def stream_error() -> OutputError | None:
    """Write what standard streams still hold, and return what went wrong with them, now or before."""
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
        # a reader that wants no more, such as head, is no error
        if cause is not None and cause.errno != errno.EPIPE:
            found = OutputError(f"{name} cannot be written: {cause.strerror}", _NEXT_STEP)
    return found


class _RememberingFile(io.FileIO):
    """A file that keeps the error of a write: what prints may go on without it."""

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
    # without a locale Python takes all letters but those of ASCII for bytes, which are written as they are
    encoding = "utf-8" if codecs.lookup(stream.encoding).name == "ascii" else stream.encoding
    return io.TextIOWrapper(io.BufferedWriter(raw), encoding=encoding, errors=_ERRORS, line_buffering=stream.isatty())


def _discard(stream: TextIO) -> None:
    """Let the interpreter drop what a stream still holds; it would report the same error in words of its own."""
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
