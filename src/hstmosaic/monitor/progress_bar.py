"""A progress bar for scripts and notebooks that run mosaics without a listener of their own."""

from __future__ import annotations

import logging
import sys
import time
from contextlib import contextmanager
from html import escape
from typing import TYPE_CHECKING, Any

from hstmosaic.monitor.eta import in_words, time_left
from hstmosaic.monitor.reducer import advance
from hstmosaic.monitor.share import share_done
from hstmosaic.monitor.state import ProgressState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hstmosaic.store.events import Event

log = logging.getLogger("hstmosaic")
_PERIOD = 0.5
"""Shortest time between two updates of a notebook, seconds."""
_PROBLEMS = frozenset({"warning", "error"})


@contextmanager
def progress_bar() -> Iterator[Callable[[Event], None]]:
    """Show the progress of a run: a bar in a notebook or on a terminal, nothing elsewhere.

    Warnings and errors of the run go to the logger ``hstmosaic``, which prints them to standard error unless the
    program configures logging.

    Yields
    ------
    callable
        The listener of the run.
    """
    if _in_notebook():
        bar = _NotebookBar()
        yield bar
        bar.show()
    elif sys.stderr is not None and sys.stderr.isatty():
        with _terminal_bar() as listener:
            yield listener
    else:
        yield _log_problems


def _log_problems(event: Event) -> None:
    if event.level in _PROBLEMS:
        log.log(getattr(logging, event.level.upper()), "%s", event.message)


@contextmanager
def _terminal_bar() -> Iterator[Callable[[Event], None]]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

    columns = TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TextColumn("{task.fields[left]}")
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task("mosaics", total=1.0, left="")
        state = ProgressState()

        def listener(event: Event) -> None:
            nonlocal state
            state = advance(state, event)
            now = time.time()
            progress.update(bar, completed=share_done(state, now), left=in_words(time_left(state, now)))
            _log_problems(event)

        yield listener


class _NotebookBar:
    """A bar that replaces itself in the output of a notebook's cell."""

    def __init__(self) -> None:
        from IPython.display import display

        self._state = ProgressState()
        self._shown = 0.0
        self._handle: Any = display(self, display_id=True)

    def __call__(self, event: Event) -> None:
        """Handle an event."""
        self._state = advance(self._state, event)
        _log_problems(event)
        if time.monotonic() - self._shown > _PERIOD:
            self.show()

    def show(self) -> None:
        """Update the output."""
        self._shown = time.monotonic()
        self._handle.update(self)

    def __repr__(self) -> str:
        return f"{share_done(self._state, time.time()):.0%} done"

    def _repr_html_(self) -> str:
        now = time.time()
        share, left = share_done(self._state, now), in_words(time_left(self._state, now))
        return f"<progress max='1' value='{share:.3f}'></progress> {share:.0%} {escape(left)}"


def _in_notebook() -> bool:
    """Return whether a kernel runs this process; IPython on a terminal has none."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return getattr(shell, "kernel", None) is not None
