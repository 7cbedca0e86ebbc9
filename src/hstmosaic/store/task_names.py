"""Names of the tasks of a run, the stages they belong to, and what they wait for."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

ALIGN_TASK = "align"
"""Name of the joint fit."""
_PREPARE, _BOX = "prepare", "box"
"""What names of the tasks of a divided layer have after that of the layer and a dot."""


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


def drizzle_task(layer: str) -> str:
    """Return the name of the task that makes the products of a layer, whose name contains no dot.

    It drizzles a layer that is a single box, and assembles the boxes of any other.
    """
    return f"{Stage.DRIZZLE}-{layer}"


def prepare_task(layer: str) -> str:
    """Return the name of the task that prepares the boxes of a layer."""
    return f"{drizzle_task(layer)}.{_PREPARE}"


def box_task(layer: str, number: int) -> str:
    """Return the name of the task that drizzles a box of a layer, by its number from 0."""
    return f"{drizzle_task(layer)}.{_BOX}{number}"


def layer_tasks(layer: str, boxes: int) -> tuple[str, ...]:
    """Return the names of all tasks that drizzle a layer with a number of boxes, in their order."""
    if boxes == 1:
        return (drizzle_task(layer),)
    return (prepare_task(layer), *(box_task(layer, number) for number in range(boxes)), drizzle_task(layer))


def layer_of(task: str) -> str:
    """Return the layer of a task that drizzles one, or a part of one."""
    return task.removeprefix(f"{Stage.DRIZZLE}-").partition(".")[0]


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
        | _drizzling(by_stage[Stage.DRIZZLE], {layer: fits or screens for layer, screens in screens_of.items()})
    )


def _drizzling(tasks: Collection[str], ready: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """Return what tasks that drizzle wait for; ``ready`` has what their layers wait for."""
    by_layer: dict[str, list[str]] = {}
    for task in tasks:
        by_layer.setdefault(layer_of(task), []).append(task)
    found: dict[str, tuple[str, ...]] = {}
    for layer, members in by_layer.items():
        prepare, whole = prepare_task(layer), drizzle_task(layer)
        boxes = tuple(task for task in members if task not in (prepare, whole))
        found |= {prepare: ready[layer]} if boxes else {}
        found |= dict.fromkeys(boxes, (prepare,)) | {whole: boxes or ready[layer]}
    return {task: found[task] for task in tasks}
