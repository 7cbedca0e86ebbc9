"""Names of the tasks of a run, the stages they belong to, and what they wait for."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

ALIGN_TASK = "align"
"""Name of the joint fit."""
_BOX = ".box"


class Stage(StrEnum):
    """A stage of a run; its value begins the names of its tasks."""

    SCREEN = "screen"
    FIND_SOURCES = "sources"
    ALIGN = ALIGN_TASK
    DRIZZLE = "drizzle"

    @property
    def label(self) -> str:
        """The stage as users read it."""
        return _TITLES[self]


_TITLES = {
    Stage.SCREEN: "screening",
    Stage.FIND_SOURCES: "finding stars",
    Stage.ALIGN: "aligning",
    Stage.DRIZZLE: "drizzling",
}


def stage_of(task: str) -> Stage:
    """Return the stage that a task belongs to.

    Raises
    ------
    ValueError
        If the task is of none.
    """
    return Stage(task.partition("-")[0])


def screen_task(exposure: str) -> str:
    """Return the name of the task that screens an exposure of a file name."""
    return f"{Stage.SCREEN}-{exposure.removesuffix('.fits')}"


def sources_task(exposure: str) -> str:
    """Return the name of the task that finds the sources of an exposure of a file name."""
    return f"{Stage.FIND_SOURCES}-{exposure.removesuffix('.fits')}"


def drizzle_task(layer: str, box: int = 0, boxes: int = 1) -> str:
    """Return the name of the task that drizzles a box of a layer.

    The task of a layer that is a single box is named after the layer alone.

    Parameters
    ----------
    layer : str
        Name of the layer; it contains no dot.
    box : int
        Number of the box, from 0.
    boxes : int
        Number of boxes of the layer.
    """
    name = f"{Stage.DRIZZLE}-{layer}"
    return name if boxes == 1 else f"{name}{_BOX}{box}"


def layer_of(task: str) -> str:
    """Return the layer of a task that drizzles a box of one."""
    return task.removeprefix(f"{Stage.DRIZZLE}-").partition(_BOX)[0]


def dependencies(tasks: Iterable[str], layers: Mapping[str, Iterable[str]]) -> dict[str, tuple[str, ...]]:
    """Return what each task of a run waits for: the graph of tasks.

    Parameters
    ----------
    tasks : iterable of str
        Names of the tasks of the run, with the joint fit if exposures will be aligned.
    layers : mapping of str to iterable of str
        File names of the exposures of each layer.

    Returns
    -------
    dict of str to tuple of str
        Names of the tasks that must have ended before a task starts, by its name. Tasks that wait for the same ones
        share one tuple.
    """
    by_stage: dict[Stage, list[str]] = {stage: [] for stage in Stage}
    for task in tasks:
        by_stage[stage_of(task)].append(task)
    screens, searches, fits = (tuple(by_stage[stage]) for stage in (Stage.SCREEN, Stage.FIND_SOURCES, Stage.ALIGN))
    screens_of = {layer: tuple(map(screen_task, exposures)) for layer, exposures in layers.items()}
    return (
        dict.fromkeys(screens, ())
        | dict.fromkeys(searches, screens)
        | dict.fromkeys(fits, searches)
        | {task: fits or screens_of[layer_of(task)] for task in by_stage[Stage.DRIZZLE]}
    )
