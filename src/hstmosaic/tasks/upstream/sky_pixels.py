"""Repairs of the time that sky matching takes to find the pixels of overlaps; they and their order are the same."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import numpy as np
from stsci.skypac import region, skymatch

from hstmosaic.tasks.exact.pixels_within import is_compiled

if TYPE_CHECKING:
    from collections.abc import Sequence

    Outlines = Sequence[tuple[np.ndarray, np.ndarray]]


def fill_polygons_fast() -> None:
    """Let sky matching paint overlaps with `fill_polygon`, in a tenth of the time; it needs no tables of edges."""
    region.Polygon.scan = fill_polygon
    region.Polygon._construct_ordered_GET = lambda polygon: None


def fill_polygon(polygon: Any, mask: np.ndarray) -> np.ndarray:
    """Set the pixels of a mask inside a polygon, as `stsci.skypac.region.Polygon.scan` does.

    Parameters
    ----------
    polygon : stsci.skypac.region.Polygon
        With whole numbers as vertices; its scan lines, edges and shifts are used.
    mask : numpy.ndarray
        Changed in place and returned.
    """
    for row, first, stop in find_runs(polygon, mask.shape):
        mask[row, first:stop] = polygon._rid
    return mask


def find_runs(polygon: Any, shape: tuple[int, ...]) -> np.ndarray:
    """Return the runs of pixels that `stsci.skypac.region.Polygon.scan` sets.

    Parameters
    ----------
    polygon : stsci.skypac.region.Polygon
        As for `fill_polygon`.
    shape : tuple of int
        Rows and columns of the image.

    Returns
    -------
    numpy.ndarray
        Int64, shape (number, 3): row, first column, and the column behind the last one, in ascending order of rows.
    """
    left, _, width, _ = polygon._bbox
    if width <= 0:
        return np.empty((0, 3), np.int64)
    rows, crossings = _crossings(polygon.get_edges(), left, width, polygon._scan_line_range[-1])
    order = np.lexsort((crossings, rows))
    rows, crossings = rows[order], crossings[order] + polygon._shiftx
    in_row = np.arange(len(rows)) - np.searchsorted(rows, rows)
    starts = np.flatnonzero((in_row[:-1] % 2 == 0) & (rows[:-1] == rows[1:]))
    # a negative end counts from the right edge, as in the original
    stops = np.minimum(crossings[starts + 1], shape[1] - 1) + 1
    stops = np.maximum(np.where(stops < 0, stops + shape[1], stops), 0)
    runs = np.stack([rows[starts] + polygon._shifty, np.maximum(crossings[starts], 0), stops], axis=1)
    return runs[(runs[:, 0] >= 0) & (runs[:, 0] < shape[0]) & (runs[:, 1] < runs[:, 2])]


def _crossings(edges: list[Any], left: int, width: int, last: int) -> tuple[np.ndarray, np.ndarray]:
    """Return rows, and in which column edges cross them; an edge has no part in its upper row but in the last one."""
    rows, columns = [], []
    for edge in edges:
        run, rise = edge._stop - edge._start
        if rise == 0:
            continue
        y = np.arange(edge._ymin, edge._ymax + (edge._ymax == last))
        crossing = (width * (edge._start[1] - y)) / (-rise * width) * run + edge._start[0]
        rows.append(y)
        columns.append(np.ceil(crossing).astype(int))
    if not rows:
        return np.empty(0, int), np.empty(0, int)
    return np.concatenate(rows), np.concatenate(columns)


def select_pixels_fast() -> None:
    """Let sky matching copy the good pixels of an overlap at once, without masks of the size of a chip."""
    if not is_compiled():
        return
    original = skymatch._member_sky

    @functools.wraps(original)
    def measure_member(member: Any, outlines: Outlines, statistics: Any, name: str) -> tuple[Any, Any]:
        pixels = find_pixels(member, outlines)
        if pixels is None:
            found: tuple[Any, Any] = original(member, outlines, statistics, name)
            return found
        try:
            sky, number = statistics.calc_sky(pixels)
        except ValueError:  # too few pixels, as in the original
            return None, 0
        return member.data2brightness(sky - member.skyuser_delta), number

    skymatch._member_sky = measure_member


def find_pixels(member: Any, outlines: Outlines) -> np.ndarray | None:
    """Return the good pixels of a chip within the outline of an overlap.

    Parameters
    ----------
    member : stsci.skypac.skyline.SkyLineMember
        The chip, its WCS and its mask.
    outlines : sequence of tuple of numpy.ndarray
        Right ascension and declination of the vertices of each part of the overlap, degrees.

    Returns
    -------
    numpy.ndarray or None
        Float32, in the order of rows; None where this must be left to the original.
    """
    from hstmosaic.tasks.exact.clip import select

    if len(outlines) != 1:
        return None
    runs = _find_runs(member.wcs, *outlines[0])
    image, good = member.image_data, member.mask_data
    if not (_has_bits(image, np.float32) and (good is None or _has_bits(good, np.uint8))) or len(runs) != len(
        np.unique(runs[:, 0])
    ):
        return None
    pixels = np.empty(int(np.sum(runs[:, 2] - runs[:, 1])), np.float32)
    number = select(image.view(np.uint32), good, runs, not image.dtype.isnative, pixels.view(np.uint32))
    if good is not None:
        member.free_mask_data()
    return pixels[:number]


def _find_runs(wcs: Any, ra: np.ndarray, dec: np.ndarray) -> np.ndarray:
    x, y = wcs.all_world2pix(ra, dec, 0)
    polygon = region.Polygon(True, list(zip(map(round, x), map(round, y), strict=True)))
    return find_runs(polygon, wcs.array_shape)


def _has_bits(array: np.ndarray, kind: type[np.generic]) -> bool:
    return array.dtype.newbyteorder("=") == kind and array.ndim == 2 and array.flags.c_contiguous
