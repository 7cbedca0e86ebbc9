"""Drizzle a box with the kernel of this package, or with drizzlepac's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from drizzlepac import cdriz

from hstmosaic.store.context_image import CHIPS_PER_PLANE
from hstmosaic.tasks.boxes import own_kernel
from hstmosaic.tasks.boxes.geometry import chip_wcs, grid_wcs, make_mapping, read_bounds
from hstmosaic.tasks.boxes.layout import LARGEST
from hstmosaic.tasks.boxes.pixels import read_pixels, read_weights

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from hstmosaic.tasks.boxes.records import Box, ChipRecord, MosaicRecord

_NO_FILL = "INDEF"


def drizzle_box(folder: Path, mosaic: MosaicRecord, box: Box) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Drizzle a box of a mosaic.

    Parameters
    ----------
    folder : pathlib.Path
        Where the files of the record are.
    mosaic : MosaicRecord
        The mosaic.
    box : Box
        Rows and columns.

    Returns
    -------
    tuple of numpy.ndarray
        Science pixels and weights, float32, shape (rows, columns) of the box, and the planes of the context, int32,
        shape (planes, rows, columns).

    Raises
    ------
    ValueError
        If drizzlepac's kernel is needed and cannot reach the box: its indices have 32 bits.
    """
    drizzle = _drizzle_quickly if own_kernel.can_drizzle(mosaic) else _drizzle_with_drizzlepac
    science, weights, context = drizzle(folder, mosaic, box)
    if mosaic.fill is not None:
        science[weights == 0] = mosaic.fill
    if mosaic.gain is not None:
        np.divide(science, np.float64(mosaic.gain) if mosaic.double_gain else mosaic.gain, science)
    return science, weights, context


def _drizzle_quickly(folder: Path, mosaic: MosaicRecord, box: Box) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    shape = box.bottom - box.top, box.right - box.left
    science = np.full(shape, np.nan if mosaic.fill is not None else mosaic.empty, np.float32)
    weights, context = np.zeros(shape, np.float32), np.zeros((mosaic.context, *shape), np.int32)
    grid = grid_wcs(mosaic.grid)
    for chip, first, last in _touching(folder, mosaic, box):
        own_kernel.drizzle_chip(
            chip,
            read_pixels(folder, chip, first, last),
            read_weights(folder, chip, first, last),
            first,
            own_kernel.node_table(_wcs(folder, chip), grid, chip.shape, chip.step),
            box,
            mosaic.shape,
            (science, weights, context),
        )
    return science, weights, context


def _drizzle_with_drizzlepac(folder: Path, mosaic: MosaicRecord, box: Box) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    height, width = box.bottom - box.top, box.right - box.left
    if height * box.right >= LARGEST:
        raise ValueError(f"a box of {height} rows to column {box.right} is too large for the kernel")
    # memory that is not written to is never allocated
    science = np.empty((height, box.right), np.float32)
    science[:, :width] = np.nan if mosaic.fill is not None else mosaic.empty
    weights = np.zeros((height, box.right), np.float32)
    # without a context image, all chips share a plane that nobody reads
    context = np.zeros((mosaic.context or 1, height, box.right), np.int32)
    # The kernel takes pixels up to the declared size of the mosaic, counted before the shift, so that the arrays are
    # declared larger than they are; it never looks at rows beyond those of the box.
    declared = [
        np.lib.stride_tricks.as_strided(array, (box.bottom, box.right), array.strides)
        for array in (science, weights, *context)
    ]
    grid = grid_wcs(mosaic.grid)
    for chip, first, last in _touching(folder, mosaic, box):
        cdriz.tdriz(
            read_pixels(folder, chip, first, last),
            read_weights(folder, chip, first, last),
            *declared[:2],
            declared[2 + ((chip.number - 1) // CHIPS_PER_PLANE if mosaic.context else 0)],
            chip.number,
            first,
            box.left + 1,
            box.top + 1,
            last - first,
            chip.pixel_ratio,
            1.0,
            1.0,
            "center",
            chip.pixfrac,
            chip.kernel,
            chip.units,
            chip.exposure_time,
            chip.weight_scale,
            _NO_FILL,
            0,
            0,
            1,
            make_mapping(_wcs(folder, chip), grid, chip.shape, chip.step),
        )
    return science[:, :width], weights[:, :width], context[: mosaic.context, :, :width]


def _touching(folder: Path, mosaic: MosaicRecord, box: Box) -> Iterator[tuple[ChipRecord, int, int]]:
    """Yield chips that touch a box, with the first of their rows and the one after the last."""
    for chip in mosaic.chips:
        rows = read_bounds(folder, chip).rows(box)
        if rows is not None:
            yield chip, *rows


def _wcs(folder: Path, chip: ChipRecord) -> Any:
    return chip_wcs(folder / chip.geometry, chip.extver, chip.shape)


def kernel_version() -> str:
    """Return what drizzlepac's kernel calls itself, for the headers; the other one gives the same pixels."""
    one, none = np.ones((1, 1), np.float32), [np.zeros((1, 1), kind) for kind in (np.float32, np.float32, np.int32)]

    def mapping(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return x, y

    found = cdriz.tdriz(
        one,
        one,
        *none,
        1,
        0,
        1,
        1,
        1,
        1.0,
        1.0,
        1.0,
        "center",
        1.0,
        "square",
        "cps",
        1.0,
        1.0,
        _NO_FILL,
        0,
        0,
        1,
        mapping,
    )
    return str(found[0])
