"""Pictures that are drawn next to the driver while the run goes on."""

from __future__ import annotations

import subprocess
import tempfile
from contextlib import contextmanager, suppress
from typing import IO, TYPE_CHECKING

from hstmosaic.child import child_environment, module_command
from hstmosaic.products.picture_program import END, FOLLOW, PROGRAM
from hstmosaic.run.pictures import drawn, emit_drawing, emit_undrawn, fits_beside_tasks, last_words
from hstmosaic.store.files import ENCODING
from hstmosaic.store.stage_events import Gathered, Reused

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hstmosaic.plan.plan import Plan
    from hstmosaic.products import gather
    from hstmosaic.run.options import RunOptions
    from hstmosaic.store.events import Event, EventLog
    from hstmosaic.store.run_directory import RunDirectory


class Painter:
    """Draws each layer as soon as its products are gathered, in a process of its own.

    Parameters
    ----------
    directory : RunDirectory
        The run.
    words : file
        Receives what the process writes about a failure.
    """

    def __init__(self, directory: RunDirectory, words: IO[str]) -> None:
        self._directory, self._words = directory, words
        self._process: subprocess.Popen[str] | None = None
        self._failed = False

    def __call__(self, event: Event) -> None:
        """Draw the layer of an event that reports its products."""
        if not isinstance(event.payload, Gathered | Reused) or self._failed:
            return
        if self._process is None:
            try:
                self._process = self._start()
            except OSError:
                self._failed = True  # all pictures are drawn at the end
                return
        self._send(event.payload.layer)

    def finish(self, events: EventLog) -> list[gather.Gathered] | None:
        """Draw the rest once all layers are gathered.

        Parameters
        ----------
        events : EventLog
            Receives the events.

        Returns
        -------
        list of Gathered or None
            The files in the output directory, none if drawing failed; None if no layer was drawn.
        """
        if self._process is None:
            return None
        emit_drawing(events)
        self._send(END)
        failed = self._process.wait()
        if not failed:
            return drawn(self._directory)
        self._words.seek(0)
        details = self._words.read()
        emit_undrawn(self._directory, events, last_words(details, failed), details)
        return []

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            assert self._process.stdin is not None
            with suppress(OSError):
                self._process.stdin.close()

    def _start(self) -> subprocess.Popen[str]:
        # a signal for the driver's process group does not end it; the end of its standard input does
        return subprocess.Popen(
            module_command(PROGRAM, str(self._directory.path), FOLLOW),
            env=child_environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=self._words,
            encoding=ENCODING,
            process_group=0,
        )

    def _send(self, line: str) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        # where the process has ended, its exit code is reported at the end
        with suppress(BrokenPipeError):
            self._process.stdin.write(f"{line}\n")
            self._process.stdin.flush()


@contextmanager
def painting(plan: Plan, options: RunOptions, directory: RunDirectory, events: EventLog) -> Iterator[Painter | None]:
    """Draw the pictures of a run while it goes on, if the machine has the memory.

    Parameters
    ----------
    plan : Plan
        The plan.
    options : RunOptions
        Options of the run.
    directory : RunDirectory
        The run directory.
    events : EventLog
        Whose events are followed.

    Yields
    ------
    Painter or None
        None if pictures are drawn at the end. On leaving, its process ends.
    """
    if not (options.draws_beside_tasks and fits_beside_tasks(plan)):
        yield None
        return
    with tempfile.TemporaryFile("w+", encoding=ENCODING, errors="replace") as words:
        painter = Painter(directory, words)
        events.add_listener(painter)
        try:
            yield painter
        finally:
            painter.close()
