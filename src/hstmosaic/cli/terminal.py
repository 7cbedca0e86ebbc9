"""Listeners of the command line: a live view on a terminal, plain lines elsewhere, JSON for programs."""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from hstmosaic.monitor.reducer import advance
from hstmosaic.monitor.state import ProgressState
from hstmosaic.store.events import event_line
from hstmosaic.store.payload import EventKind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.console import Console, Group
    from rich.live import Live

    from hstmosaic.store.events import Event

LOG_LEVELS = ("critical", "error", "warning", "info", "debug")
REFRESHES_PER_SECOND = 1
_IN_VIEW = frozenset(
    {
        EventKind.PROGRESS,
        EventKind.SCREENING,
        EventKind.DRIZZLING,
        EventKind.ALIGNING,
        EventKind.WORKERS,
        EventKind.RUNNING,
        EventKind.ENDED,
    }
)
"""Kinds of events that the live view shows in its tables."""


def is_shown(event: Event, log_level: str) -> bool:
    """Return whether an event has this level or a higher one."""
    return LOG_LEVELS.index(event.level) <= LOG_LEVELS.index(log_level)


def printer(log_level: str) -> Callable[[Event], None]:
    """Return a listener that prints events of a level and above; warnings and errors go to standard error."""

    def listener(event: Event) -> None:
        if is_shown(event, log_level):
            click.echo(event.message, err=event.level in ("warning", "error"))

    return listener


def json_printer() -> Callable[[Event], None]:
    """Return a listener that prints each event as a line of JSON to standard output."""

    def listener(event: Event) -> None:
        click.echo(event_line(event))
        sys.stdout.flush()

    return listener


class LiveView:
    """A listener that shows a live view at the bottom of a terminal; messages scroll above it."""

    def __init__(self, log_level: str) -> None:
        self.log_level = log_level
        self.state = ProgressState()
        self.live: Live | None = None

    def __call__(self, event: Event) -> None:
        """Handle an event."""
        self.state = advance(self.state, event)
        if self.live is None or not is_shown(event, self.log_level) or event.kind in _IN_VIEW:
            return
        style = {"warning": "yellow", "error": "bold red", "debug": "dim"}.get(event.level, "")
        self.live.console.print(event.message, style=style, markup=False, highlight=False, soft_wrap=True)

    def __rich__(self) -> Group:
        """Return the current view."""
        from hstmosaic.monitor.view import view

        return view(self.state, time.time(), self.live.console.width if self.live is not None else 80)


@contextmanager
def live_view(console: Console, log_level: str) -> Iterator[Callable[[Event], None]]:
    """Show a live view on a terminal and remove it when the run ends, also after an error."""
    from rich.live import Live

    shown = LiveView(log_level)
    with Live(shown, console=console, refresh_per_second=REFRESHES_PER_SECOND, transient=True) as live:
        shown.live = live
        yield shown


@contextmanager
def terminal_listener(
    log_level: str, *, quiet: bool = False, as_json: bool = False
) -> Iterator[Callable[[Event], None]]:
    """Choose the listener of a run.

    Parameters
    ----------
    log_level : str
        Level of detail.
    quiet : bool
        Print warnings and errors only.
    as_json : bool
        Print each event as JSON, and nothing else, to standard output.

    Yields
    ------
    callable
        The listener.
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
