"""Drizzle boxes and keep what is needed to assemble them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from hstmosaic.tasks.boxes.geometry import read_bounds
from hstmosaic.tasks.boxes.kernel import drizzle_box
from hstmosaic.tasks.boxes.layout import LARGEST, share_out
from hstmosaic.tasks.boxes.own_kernel import can_drizzle
from hstmosaic.tasks.boxes.records import Box, BoxResult, MosaicRecord
from hstmosaic.tasks.exact.tiles import TiledMask

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

BIG_ENDIAN = np.dtype(">f4")
CONTEXT = np.dtype(">i4")
ROWS = 256
"""Rows that are handled at once."""
_LARGEST_DROP = 3.3
"""Largest side of a chip's pixel, in pixels of a mosaic, with which boxes are exact: WFC3/IR at 0.04 arcsec has 3.2."""


def lay_out(folder: Path, mosaic: MosaicRecord, pixels: int, tasks: int = 1) -> tuple[tuple[Box, ...], ...]:
    """Divide a recorded mosaic into boxes and share them out to tasks, as `layout.share_out` does.

    With drizzlepac's kernel, a mosaic with pixels much smaller than those of a chip is one box: it omits drops whose
    centres are more than about two pixels outside of its image, also where the drops reach into it. Boxes with more
    than one plane of context are smaller, so that they take the same memory.
    """
    bounds = [read_bounds(folder, chip) for chip in mosaic.chips]
    if not can_drizzle(mosaic) and any(1 / chip.pixel_ratio > _LARGEST_DROP for chip in mosaic.chips):
        (boxes,) = share_out(mosaic.shape, bounds, LARGEST)
        return (boxes, *((),) * (tasks - 1))
    return share_out(mosaic.shape, bounds, 3 * pixels // (2 + max(mosaic.context, 1)), tasks)


def make_box(
    folder: Path, mosaic: MosaicRecord, box: Box, target: Path, held: dict[str, np.ndarray] | None = None
) -> BoxResult:
    """Drizzle a box and write its files.

    Parameters
    ----------
    folder : pathlib.Path
        Where the files of the record are.
    mosaic : MosaicRecord
        The mosaic.
    box : Box
        Rows and columns.
    target : pathlib.Path
        Existing directory for the files.
    held : dict of numpy.ndarray, optional
        Receives the pixels by the names of their files, which are then not written.
    """
    science, weights, context = drizzle_box(folder, mosaic, box)
    stem = f"{mosaic.name}_{box.top}_{box.left}"
    names = f"{stem}_sci.dat", f"{stem}_wht.dat"
    of_context = f"{stem}_ctx.dat" if mosaic.context else ""
    planes = {names[0]: science, names[1]: weights}
    if of_context:
        planes[of_context] = context.reshape(-1, context.shape[-1])
    kinds = dict.fromkeys(names, BIG_ENDIAN) | {of_context: CONTEXT}
    if held is None:
        sums = [write_pixels(target / name, pixels, kinds[name]) for name, pixels in planes.items()]
    else:
        sums = [add_words(pixels) for pixels in planes.values()]
        held |= planes
    complete = not any(np.isnan(science[top : top + ROWS]).any() for top in range(0, len(science), ROWS))
    mask = TiledMask((box.bottom - box.top, box.right - box.left))
    for top in range(0, len(science), ROWS):
        rows = science[top : top + ROWS]
        mask.put(top, 0, rows != 0 if complete else ~np.isnan(rows))
    save_mask(target / f"{stem}_mask.npz", mask)
    return BoxResult(box, *names, f"{stem}_mask.npz", complete, tuple(sums), of_context)


def write_pixels(path: Path, pixels: np.ndarray, kind: np.dtype = BIG_ENDIAN) -> int:
    """Write pixels in the byte order of FITS; return the sum of their 32-bit words."""
    total = 0
    with path.open("wb") as file:
        for top in range(0, len(pixels), ROWS):
            rows = pixels[top : top + ROWS].astype(kind)
            total += add_words(rows)
            file.write(rows.tobytes())
    return total


def add_words(pixels: np.ndarray) -> int:
    """Return the sum of pixels as unsigned words of 32 bits."""
    words = np.ascontiguousarray(pixels).view(np.dtype(np.uint32).newbyteorder(pixels.dtype.byteorder))
    return sum(int(words[top : top + ROWS].sum(dtype=np.uint64)) for top in range(0, len(words), ROWS))


def save_mask(path: Path, mask: TiledMask) -> None:
    """Write a mask."""
    places = np.array(list(mask.packed), dtype=np.int64).reshape(-1, 2)
    bits = list(mask.packed.values())
    np.savez(
        path,
        shape=np.array(mask.shape),
        states=mask.states,
        places=places,
        lengths=np.array([len(tile) for tile in bits], dtype=np.int64),
        bits=np.concatenate(bits) if bits else np.empty(0, np.uint8),
    )


def read_mask(path: Path) -> TiledMask:
    """Read what `save_mask` wrote."""
    with np.load(path) as saved:
        height, width = saved["shape"].tolist()
        mask = TiledMask((height, width))
        mask.states[:] = saved["states"]
        ends = np.cumsum(saved["lengths"])
        tiles = np.split(saved["bits"], ends[:-1]) if len(ends) else []
        for place, tile in zip(saved["places"].tolist(), tiles, strict=True):
            mask.packed[place[0], place[1]] = tile
    return mask


@dataclass(frozen=True)
class BoxFiles:
    """Pixels of boxes, as they come from their files or from memory.

    Parameters
    ----------
    folder : pathlib.Path
        Where the files are.
    results : tuple of BoxResult
        Of one mosaic, from the first row to the last and from left to right.
    held : mapping of numpy.ndarray
        Pixels that are in memory, by the names of the files that they would be in.
    """

    folder: Path
    results: tuple[BoxResult, ...]
    held: Mapping[str, np.ndarray] = field(default_factory=dict)

    def bands(self) -> list[tuple[int, int, list[BoxResult]]]:
        """Return first row, last row plus one, and the boxes, of each band of boxes that lie side by side."""
        found: dict[tuple[int, int], list[BoxResult]] = {}
        for result in self.results:
            found.setdefault((result.box.top, result.box.bottom), []).append(result)
        return [
            (top, bottom, sorted(side, key=lambda one: one.box.left)) for (top, bottom), side in sorted(found.items())
        ]

    def read(
        self, result: BoxResult, name: str, first: int, last: int, kind: np.dtype = BIG_ENDIAN, plane: int = 0
    ) -> np.ndarray:
        """Return some rows of a box from one of its files; not mapped, since mapped pages would count as memory."""
        width, height = result.box.right - result.box.left, result.box.bottom - result.box.top
        if name in self.held:
            return self.held[name][plane * height + first : plane * height + last].astype(kind)
        offset = (plane * height + first) * width * kind.itemsize
        pixels = np.fromfile(self.folder / name, kind, (last - first) * width, offset=offset)
        return pixels.reshape(last - first, width)
