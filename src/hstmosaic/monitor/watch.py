"""Live view of a run from another shell."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from hstmosaic.monitor.status import RunLog

if TYPE_CHECKING:
    from pathlib import Path

_PERIOD = 1.0


def watch_run(run: Path) -> None:
    """Show a live view of a run until its driver ends; without a terminal, only wait.

    Parameters
    ----------
    run : pathlib.Path
        The run directory.

    Raises
    ------
    OutputError
        If it is not a run directory.
    """
    from rich.console import Console
    from rich.live import Live

    from hstmosaic.monitor.view import view

    log, console = RunLog(run), Console()
    status = log.status(time.time())
    with Live(
        view(status.progress, status.now, console.width), console=console, auto_refresh=False, transient=True
    ) as live:
        while status.driver:
            if console.is_terminal:
                live.update(view(status.progress, status.now, console.width), refresh=True)
            time.sleep(_PERIOD)
            status = log.status(time.time())
