"""Drizzle a chip onto a box with the kernel of this package, whose results are drizzlepac's to the bit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from hstmosaic.store.context_image import CHIPS_PER_PLANE
from hstmosaic.store.drizzle_kernel import is_compiled
from hstmosaic.tasks.boxes.geometry import make_mapping

if TYPE_CHECKING:
    from hstmosaic.tasks.boxes.records import Box, ChipRecord, MosaicRecord

_LEAST_PIXFRAC = 0.001
"""drizzlepac makes points of drops that are not larger."""


def can_drizzle(mosaic: MosaicRecord) -> bool:
    """Return whether this kernel is compiled and has what the chips of a mosaic need."""
    return is_compiled() and all(_fits(chip) for chip in mosaic.chips)


def _fits(chip: ChipRecord) -> bool:
    return (
        chip.kernel == "square"
        and chip.units in {"cps", "counts"}
        and _LEAST_PIXFRAC < chip.pixfrac <= 1
        and chip.step >= 1
        and float(chip.step).is_integer()
    )


def node_table(chip: Any, mosaic: Any, shape: tuple[int, int], step: float) -> np.ndarray:
    """Return the positions between which drizzlepac's mapping interpolates.

    Parameters
    ----------
    chip, mosaic : astropy.wcs.WCS
        Their WCSs.
    shape : tuple of int
        Rows and columns of the chip.
    step : float
        Pixels between nodes.

    Returns
    -------
    numpy.ndarray
        Shape (rows, columns, 2): x and y in the mosaic, counted from 1, of every `step` pixels from 0 on.
    """
    rows, columns = (np.arange(int(length / step) + 2) * float(step) for length in shape)
    x, y = np.meshgrid(columns, rows)
    # without a step it computes each position
    found = make_mapping(chip, mosaic, shape, 0)(x.ravel(), y.ravel())
    return np.stack(found, axis=-1).reshape(*x.shape, 2)


def drizzle_chip(
    chip: ChipRecord,
    pixels: np.ndarray,
    weights: np.ndarray,
    first: int,
    table: np.ndarray,
    box: Box,
    shape: tuple[int, int],
    planes: tuple[np.ndarray, np.ndarray, np.ndarray],
    instructions: str = "auto",
) -> None:
    """Drizzle rows of a chip.

    Parameters
    ----------
    chip : ChipRecord
        The chip.
    pixels, weights : numpy.ndarray
        Its rows, float32; pixels in counts are divided in place.
    first : int
        Number of the first row, from 0.
    table : numpy.ndarray
        From `node_table`.
    box : Box
        Rows and columns of the mosaic.
    shape : tuple of int
        Rows and columns of the mosaic.
    planes : tuple of numpy.ndarray
        Science pixels and weights of the box, float32, and its context, int32, shape (planes, rows, columns) with or
        without planes.
    instructions : str
        ``plain`` to do without those that only some processors have.
    """
    from hstmosaic.tasks.boxes.square import drop

    if chip.units == "counts":
        pixels *= np.float32(1) / np.float32(chip.exposure_time)
    science, total, context = planes
    plane, bit = divmod(chip.number - 1, CHIPS_PER_PLANE)
    drop(
        pixels,
        weights,
        table,
        science,
        total,
        context[plane] if len(context) else None,
        bit,
        chip.step,
        first,
        box.top,
        box.left,
        *shape,
        chip.pixel_ratio,
        chip.pixfrac,
        chip.weight_scale,
        instructions,
    )
