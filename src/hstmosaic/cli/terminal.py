"""Who hears of a run on the command line: a live view on a terminal, plain lines elsewhere, JSON for machines."""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from hstmosaic.monitor.reducer import advance
from hstmosaic.monitor.state import ProgressState
from hstmosaic.store.events import event_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.console import Console, Group
    from rich.live import Live

    from hstmosaic.store.events import Event

LOG_LEVELS = ("critical", "error", "warning", "info", "debug")
REFRESHES_PER_SECOND = 1
_IN_VIEW = frozenset({"progress", "screening", "drizzling", "aligning", "workers", "running", "ended"})
"""Kinds of events that the live view shows by itself."""


def wanted(event: Event, log_level: str) -> bool:
    """Tell whether an event is of a level or above."""
    return LOG_LEVELS.index(event.level) <= LOG_LEVELS.index(log_level)


def printer(log_level: str) -> Callable[[Event], None]:
    """Return a listener that prints the events of a level and above, problems to standard error."""

    def listener(event: Event) -> None:
        if wanted(event, log_level):
            click.echo(event.message, err=event.level in ("warning", "error"))

    return listener


def json_printer() -> Callable[[Event], None]:
    """Return a listener that prints every event as a line of JSON on standard output."""

    def listener(event: Event) -> None:
        click.echo(event_line(event))
        sys.stdout.flush()

    return listener


class LiveView:
    """A listener that keeps a view of the run at the foot of a terminal; what is worth reading scrolls above it."""

    def __init__(self, log_level: str) -> None:
        self.log_level = log_level
        self.state = ProgressState()
        self.live: Live | None = None

    def __call__(self, event: Event) -> None:
        """Hear an event."""
        self.state = advance(self.state, event)
        if self.live is None or not wanted(event, self.log_level) or event.kind in _IN_VIEW:
            return
        style = {"warning": "yellow", "error": "bold red", "debug": "dim"}.get(event.level, "")
        self.live.console.print(event.message, style=style, markup=False, highlight=False, soft_wrap=True)

    def __rich__(self) -> Group:
        """Return what is to be seen now."""
        from hstmosaic.monitor.view import view

        return view(self.state, time.time())


@contextmanager
def live_view(console: Console, log_level: str) -> Iterator[Callable[[Event], None]]:
    """Show a live view on a terminal; it is gone, and the terminal as it was, however the run ends."""
    from rich.live import Live

    shown = LiveView(log_level)
    with Live(shown, console=console, refresh_per_second=REFRESHES_PER_SECOND, transient=True) as live:
        shown.live = live
        yield shown


@contextmanager
def listening(log_level: str, *, quiet: bool = False, as_json: bool = False) -> Iterator[Callable[[Event], None]]:
    """Choose who hears of a run.

    Parameters
    ----------
    log_level : str
        How much is said.
    quiet : bool
        Say only what is wrong.
    as_json : bool
        Print every event as JSON, and nothing else, on standard output.
    """
    if as_json:
        yield json_printer()
    elif quiet:
        yield printer("warning")
    elif sys.stdout.isatty():
        from rich.console import Console

        console = Console()
        if console.is_dumb_terminal:
            yield printer(log_level)
        else:
            with live_view(console, log_level) as listener:
                yield listener
    else:
        yield printer(log_level)
