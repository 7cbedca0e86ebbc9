"""Make the mosaics of a layer in boxes, one after the other, in one process."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from hstmosaic.tasks.boxes.assemble import assemble
from hstmosaic.tasks.boxes.boxes import BoxFiles, lay_out, make_box
from hstmosaic.tasks.finish import documented_fraction

if TYPE_CHECKING:
    from pathlib import Path

    from astropy.io import fits

    from hstmosaic.store.files import MadeFile
    from hstmosaic.store.task_specs import Card
    from hstmosaic.tasks.boxes.records import MosaicRecord

PIXELS = 80_000_000
"""Largest box: its arrays take 12 bytes per pixel."""
_HELD = PIXELS // 2
"""Largest mosaic in one box whose pixels stay in memory until it is written: they take less than a larger box does."""


@dataclass(frozen=True)
class OwnRecords:
    """Records of ours in the primary header of a mosaic."""

    areas: tuple[int, int]
    """Pixels in the limits that the mosaic is made with, and in the documented ones."""
    cards: tuple[Card, ...]
    history: tuple[str, ...]

    def all_cards(self, header: fits.Header) -> list[Card]:
        """Return the cards for a header, NPIXFRAC included."""
        return [documented_fraction(header, *self.areas), *self.cards]


def make_in_boxes(
    folder: Path, mosaic: MosaicRecord, path: Path, own: OwnRecords, *, compress: bool = False
) -> MadeFile:
    """Drizzle all boxes of a recorded mosaic and assemble them.

    Parameters
    ----------
    folder : pathlib.Path
        Where the files of the record are; the boxes are written there.
    mosaic : MosaicRecord
        The mosaic.
    path : pathlib.Path
        The product with 2 x 2 pixels, which the mosaic replaces.
    own : OwnRecords
        Records of ours.
    compress : bool
        Whether images are tile-compressed.
    """
    (boxes,) = lay_out(folder, mosaic, PIXELS)
    held: dict[str, np.ndarray] | None = None
    if len(boxes) == 1 and mosaic.shape[0] * mosaic.shape[1] <= _HELD:
        held = {}
    files = BoxFiles(folder, tuple(make_box(folder, mosaic, box, folder, held) for box in boxes), held or {})
    target = path.with_suffix(".assembled")
    made = assemble(path, mosaic, files, target, own.all_cards, own.history, compress=compress)
    target.replace(path)
    for result in files.results:
        for name in result.files:
            (folder / name).unlink(missing_ok=held is not None)
    return replace(made, name=path.name)
