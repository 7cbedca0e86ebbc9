"""Positions of the pixels of a chip in a mosaic."""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS
from drizzlepac import cdriz
from stwcs.wcsutil import HSTWCS

from hstmosaic.tasks.boxes.records import Box, ChipRecord, Grid
from hstmosaic.tasks.exact.opened import file_state

if TYPE_CHECKING:
    from pathlib import Path

_TABLES = ("WCSDVARR", "D2IMARR")
_SCIENCE = "SCI"
NODE = 10
"""Pixels of a chip between nodes."""
_MARGIN = 3
"""Pixels of the mosaic by which bounds are widened at least; drops reach less than one beyond their corners."""
_REMEMBERED = 32
"""Chips whose WCSs are remembered: each is used when it is recorded and when it is drizzled."""
HALO = 2
"""Rows of a chip that are drizzled on each side of those that touch a box."""


def save_geometry(exposure: Path, target: Path) -> None:
    """Write the headers and tables of an exposure that its WCSs are made of."""
    with fits.open(exposure) as source:
        kept = fits.HDUList([fits.PrimaryHDU(header=source[0].header)])
        for hdu in source[1:]:
            if hdu.name == _SCIENCE:
                kept.append(fits.ImageHDU(header=hdu.header))
            elif hdu.name in _TABLES:
                kept.append(hdu.copy())
        kept.writeto(target, overwrite=True)


def chip_wcs(geometry: Path, extver: int, shape: tuple[int, int]) -> HSTWCS:
    """Return the WCS of a chip, which is not to be changed."""
    return _chip_wcs(geometry, file_state(geometry), extver, shape)


@functools.lru_cache(maxsize=_REMEMBERED)
def _chip_wcs(geometry: Path, _state: tuple[int, int, int], extver: int, shape: tuple[int, int]) -> HSTWCS:
    with fits.open(geometry) as file:
        header = file[_SCIENCE, extver].header
        # a header without pixels would be warned of
        header["NAXIS"] = len(shape)
        header.set("NAXIS1", shape[1], after="NAXIS")
        header.set("NAXIS2", shape[0], after="NAXIS1")
        wcs = HSTWCS(file, ext=(_SCIENCE, extver))
    wcs.pixel_shape = shape[::-1]
    return wcs


def describe_grid(wcs: Any) -> Grid:
    """Return what the WCS of a mosaic is made of."""
    crval, crpix = (tuple(map(float, numbers)) for numbers in (wcs.wcs.crval, wcs.wcs.crpix))
    cd = tuple(tuple(map(float, row)) for row in wcs.wcs.cd)
    return Grid(crval, crpix, cd, tuple(map(str, wcs.wcs.ctype)))  # type: ignore[arg-type]


def grid_wcs(grid: Grid) -> WCS:
    """Return the WCS of a mosaic."""
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = grid.ctype
    wcs.wcs.crval, wcs.wcs.crpix, wcs.wcs.cd = grid.crval, grid.crpix, np.array(grid.cd)
    wcs.wcs.set()
    return wcs


def make_mapping(chip: Any, mosaic: Any, shape: tuple[int, int], step: float) -> Any:
    """Return drizzlepac's mapping from pixels of a chip to those of a mosaic, both counted from 1."""
    return cdriz.DefaultWCSMapping(chip, mosaic, shape[1], shape[0], step)


def node_positions(mapping: Any, shape: tuple[int, int]) -> np.ndarray:
    """Return where a grid of pixels, and the outer edges of the chip, lie in the mosaic, shape (2, rows, columns)."""
    rows, columns = (np.concatenate([[0.5], np.arange(NODE, length, NODE), [length + 0.5]]) for length in shape)
    x, y = np.meshgrid(columns, rows)
    found = mapping(x.ravel(), y.ravel())
    return np.asarray(found).reshape(2, len(rows), len(columns))


class ChipBounds:
    """Rows of a chip, and the pixels of the mosaic that they touch."""

    def __init__(self, nodes: np.ndarray, shape: tuple[int, int], margin: int = _MARGIN) -> None:
        corners = [nodes[:, :-1, :-1], nodes[:, :-1, 1:], nodes[:, 1:, :-1], nodes[:, 1:, 1:]]
        # positions count from 1, pixels from 0
        (self._left, self._top), (self._right, self._bottom) = (
            np.minimum.reduce(corners) - 1 - margin,
            np.maximum.reduce(corners) - 1 + margin,
        )
        self._rows = shape[0]

    def rows(self, box: Box) -> tuple[int, int] | None:
        """Return the first row that touches a box, and the one after the last, with their halo; None if none does."""
        touching = np.flatnonzero(self._touching(box).any(axis=1))
        if not len(touching):
            return None
        return max(0, int(touching[0]) * NODE - HALO - 1), min(self._rows, (int(touching[-1]) + 1) * NODE + HALO)

    def columns(self, top: int, bottom: int) -> tuple[int, int] | None:
        """Return the first column of the mosaic that is touched in some of its rows, and the one after the last."""
        touching = (self._bottom >= top) & (self._top < bottom)
        if not touching.any():
            return None
        return int(np.floor(self._left[touching].min())), int(np.ceil(self._right[touching].max())) + 1

    def count_cells(self, edge: int, strips: int) -> np.ndarray:
        """Return how many cells between nodes lie in each strip of `edge` rows of the mosaic."""
        middle = (self._top + self._bottom) / 2
        inside = middle[(middle >= 0) & (middle < edge * strips)]
        return np.bincount((inside // edge).astype(np.int64), minlength=strips)

    def _touching(self, box: Box) -> np.ndarray:
        touching: np.ndarray = (
            (self._bottom >= box.top) & (self._top < box.bottom) & (self._right >= box.left) & (self._left < box.right)
        )
        return touching

    def misses(self, shape: tuple[int, int]) -> int:
        """Return about how many pixels of the chip lie outside of a mosaic."""
        outside = ~self._touching(Box(0, shape[0], 0, shape[1]))
        return int(np.count_nonzero(outside)) * NODE * NODE


def read_bounds(folder: Path, chip: ChipRecord) -> ChipBounds:
    """Return the bounds of a recorded chip."""
    return ChipBounds(np.load(folder / chip.nodes), chip.shape, max(_MARGIN, math.ceil(1 / chip.pixel_ratio) + 1))
