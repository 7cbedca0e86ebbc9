"""Progress of a run as text and as a live view, for the driver and for ``hstmosaic status``."""

from __future__ import annotations

from functools import partial
from itertools import islice
from typing import TYPE_CHECKING

from rich.console import Group
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from hstmosaic.monitor.eta import in_words
from hstmosaic.monitor.share import drawing_share, layer_shares, progress_words, share_done
from hstmosaic.monitor.state import DONE, DRAWING, DROPPED, FAILED, RUNNING, WAITING
from hstmosaic.store.task_names import Stage
from hstmosaic.text import count_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from hstmosaic.monitor.state import ProgressState, Task

_NAMED = 6
"""Number of layers in one state that are named."""
_BAR, _SHORT_BAR = 28, 8
_WIDE = 90
"""Width of a terminal, columns, from which bars are long."""


def stage_words(tasks: Sequence[Task]) -> str:
    """Return how many tasks of a stage are finished, running, failed."""
    counts = {state: sum(task.state == state for task in tasks) for state in (DONE, RUNNING, FAILED, DROPPED)}
    wanted = len(tasks) - counts[DROPPED]
    return f"{counts[DONE]} of {wanted} finished, {counts[RUNNING]} running, {counts[FAILED]} failed"


def _short_stage_words(tasks: Sequence[Task]) -> str:
    counts = {state: sum(task.state == state for task in tasks) for state in (DONE, RUNNING, FAILED, DROPPED)}
    some = [f"{counts[state]} {state}" for state in (RUNNING, FAILED) if counts[state]]
    return ", ".join([f"{counts[DONE]} of {len(tasks) - counts[DROPPED]}", *some])


def notes(state: ProgressState, now: float) -> Iterator[tuple[str, str]]:
    """Yield the lines below the stages: heading and text."""
    yield "layers", _layer_words(state)
    if state.slots:
        busy = sum(task.state == RUNNING for task in state.tasks.values())
        memory = f"{state.claimed_mb / 1000:.1f} of {state.memory_mb / 1000:.1f} GB claimed"
        yield "workers", f"{state.workers}, {busy} of {state.slots} slots busy, {memory}"
    if state.jobs or state.retries:
        yield "jobs", f"{len(state.jobs)} submitted, {count_of(state.retries, 'task')} started again"
    if state.pending:
        yield "waiting", state.pending
    yield "time", _time_words(state, now)


def _time_words(state: ProgressState, now: float) -> str:
    if not state.begun:
        return in_words(None)
    if state.ended is not None:
        return f"{int(100 * share_done(state, now))} % done, took {_clock(state.ended - state.begun)}"
    return f"{progress_words(state, now)}, {_clock(now - state.begun)} so far"


def _layer_words(state: ProgressState) -> str:
    names: dict[str, list[str]] = {}
    for layer, what in state.layers.items():
        names.setdefault(what, []).append(layer)
    words = []
    for what, word in ((DONE, "made"), (RUNNING, "running"), (FAILED, "failed"), (WAITING, "waiting")):
        found = names.get(what, [])
        if found:
            more = f" and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
            words.append(f"{len(found)} {word} ({', '.join(found[:_NAMED])}{more})")
    return ", ".join(words) or "none"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(max(round(seconds), 0), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"


def _bar(share: float, width: int) -> ProgressBar:
    return ProgressBar(total=1.0, completed=share, width=width)


def view(state: ProgressState, now: float, width: int = _WIDE) -> Group:
    """Return the live view of a run.

    Parameters
    ----------
    state : ProgressState
        How far it is.
    now : float
        Seconds since 1970.
    width : int
        Width of the terminal, columns.
    """
    words_of = stage_words if width >= _WIDE else _short_stage_words
    bar = partial(_bar, width=_BAR if width >= _WIDE else _SHORT_BAR)
    stages = Table.grid(padding=(0, 2))
    for name, tasks in state.stages().items():
        stages.add_row(name, bar(sum(task.over for task in tasks) / len(tasks)), words_of(tasks))
        if name == Stage.DRIZZLE.label:
            for layer, share in islice(layer_shares(state, now).items(), _NAMED):
                stages.add_row(f"  {layer}", bar(share), f"{int(100 * share)} %")
    if state.drawing is not None:
        share = drawing_share(state, now)
        stages.add_row(DRAWING, bar(share), f"{int(100 * share)} %" if state.drawing == RUNNING else state.drawing)
    line = Table.grid(padding=(0, 2))
    for heading, words in notes(state, now):
        line.add_row(heading, Text(words))
    return Group(stages, line) if state.tasks else Group(Text("reading headers"))
