"""Names of the tasks of a run, and the stages they belong to."""

from __future__ import annotations

from enum import StrEnum

ALIGN_TASK = "align"
"""Name of the joint fit."""


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
    """Return the name of the task that drizzles a layer."""
    return f"{Stage.DRIZZLE}-{layer}"


def layer_of(task: str) -> str:
    """Return the layer of a task that drizzles one."""
    return task.removeprefix(f"{Stage.DRIZZLE}-")
