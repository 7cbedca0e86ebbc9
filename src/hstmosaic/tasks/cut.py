"""Tiles of finished mosaics: the same pixels in smaller files, without resampling."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS
from drizzlepac.haputils import product

from hstmosaic.store.tile_keywords import FIRST_PIXEL, TILE_NAME, TILE_OF
from hstmosaic.tasks.exact.regions import find_outlines
from hstmosaic.tasks.exact.statistics import PositiveMedian, chunk_mean
from hstmosaic.tasks.exact.tiles import TILE, TiledMask
from hstmosaic.tasks.finish import finish_fits

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Any, BinaryIO

    from hstmosaic.store.files import MadeFile
    from hstmosaic.store.task_specs import TileSpec

_BLOCK = 2880
_ROWS = TILE
"""Rows in memory at a time."""


def cut_tile(mosaic: Path, tile: TileSpec, *, compress: bool) -> MadeFile:
    """Write a tile of a finished mosaic.

    The images have the pixels of the mosaic, bit for bit, and its WCS with another reference pixel. Statistics of the
    whole mosaic in the primary header are replaced by those of the tile, or removed.

    Parameters
    ----------
    mosaic : pathlib.Path
        The mosaic, with all header records of ours.
    tile : TileSpec
        The rectangle, and the name of the file, which is written next to the mosaic.
    compress : bool
        Whether images are tile-compressed.

    Returns
    -------
    MadeFile
    """
    path = mosaic.with_name(tile.file)
    with fits.open(mosaic, checksum="remove") as hdus, path.open("wb") as output:
        shape = hdus["SCI"].shape
        _describe(hdus, mosaic.name, tile)
        for hdu in hdus:
            if isinstance(hdu, fits.ImageHDU | fits.CompImageHDU) and hdu.header["NAXIS"] and hdu.shape[-2:] == shape:
                _write_image(hdu, tile, output)
            else:
                _write_other(hdu, output)
    return finish_fits(path, compress=compress)


def _describe(hdus: fits.HDUList, mosaic: str, tile: TileSpec) -> None:
    """Let the headers describe a tile; those of images keep the size of the mosaic."""
    primary = hdus[0].header
    primary["FILENAME"] = tile.file
    primary[TILE_NAME] = (tile.name, "name of this tile")
    primary[TILE_OF] = (mosaic, "mosaic that this tile is cut out of")
    for keyword, first, axis in zip(FIRST_PIXEL, (tile.left, tile.bottom), "xy", strict=True):
        primary[keyword] = (first + 1, f"first pixel of the tile in the mosaic, {axis}")
    for keyword in product.MASK_KWS:
        primary.remove(keyword, ignore_missing=True)
    weights = _weights(hdus["WHT"], tile)
    for keyword, value in zip(product.MASK_WHTKWS, weights, strict=True):
        primary[keyword] = float(value)
    for hdu in hdus[1:]:
        for keyword, first in (("CRPIX1", tile.left), ("CRPIX2", tile.bottom)):
            if keyword in hdu.header and hdu.header.get("CTYPE1"):
                hdu.header[keyword] -= first
    science = hdus["SCI"].header
    science["S_REGION"] = _region(hdus["SCI"], WCS(science), tile)


def _weights(hdu: Any, tile: TileSpec) -> tuple[np.float32, np.float32]:
    """Return mean and median of the positive weights; 0 where there are none."""

    def positive() -> Iterator[np.ndarray]:
        for rows in _strips(hdu, tile):
            numbers = np.asarray(rows, np.float32)
            yield numbers[numbers > 0]

    middle = PositiveMedian()
    for numbers in positive():
        middle.add(numbers)
    if not middle.count:
        return np.float32(0), np.float32(0)
    return chunk_mean(positive(), middle.count), middle.find(positive)


def _region(hdu: Any, plane: WCS, tile: TileSpec) -> str:
    """Return S_REGION as drizzlepac writes it for a mosaic; empty for a tile without data."""
    complete = not any(np.isnan(rows).any() for rows in _strips(hdu, tile))
    mask = TiledMask((tile.height, tile.width))
    for top, rows in zip(range(0, tile.height, _ROWS), _strips(hdu, tile), strict=True):
        mask.put(top, 0, rows != 0 if complete else ~np.isnan(rows))
    if not mask.states.any():
        return ""
    text = ""
    for polygon in find_outlines(mask):
        text += "POLYGON ICRS "
        text += "".join(f"{x} {y} " for x, y in plane.all_pix2world(polygon, 0))
    return text


def _strips(hdu: Any, tile: TileSpec, plane: tuple[int, ...] = ()) -> Iterator[np.ndarray]:
    """Yield the rows of a tile, or of a plane of it, some at a time."""
    for top in range(0, tile.height, _ROWS):
        first, last = tile.bottom + top, tile.bottom + min(top + _ROWS, tile.height)
        yield np.asarray(hdu.section[(*plane, slice(first, last), slice(tile.left, tile.left + tile.width))])


def _write_image(hdu: Any, tile: TileSpec, output: BinaryIO) -> None:
    header = hdu.header.copy()
    header["XTENSION"] = "IMAGE"
    header["NAXIS1"], header["NAXIS2"] = tile.width, tile.height
    header.set("PCOUNT", 0, after=f"NAXIS{header['NAXIS']}")
    header.set("GCOUNT", 1, after="PCOUNT")
    output.write(header.tostring().encode("ascii"))
    size = 0
    for plane in np.ndindex(hdu.shape[:-2]):
        for rows in _strips(hdu, tile, plane):
            big_endian = np.ascontiguousarray(rows, rows.dtype.newbyteorder(">"))
            output.write(big_endian.data)
            size += big_endian.nbytes
    output.write(bytes(-size % _BLOCK))


def _write_other(hdu: Any, output: BinaryIO) -> None:
    output.write(hdu.header.tostring().encode("ascii"))
    if hdu.size:
        raw: bytes = hdu._get_raw_data(hdu._data_size, "ubyte", hdu._data_offset).tobytes()
        output.write(raw + bytes(-len(raw) % _BLOCK))
