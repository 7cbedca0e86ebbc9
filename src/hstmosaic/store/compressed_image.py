"""Tile compression of FITS images without loss, one row of tiles at a time.

The images follow the tiled image convention of the FITS standard with ``GZIP_2``: bytes of equal significance are put
together in a tile, then compressed. Values are not quantised. astropy, CFITSIO and fitsio read them as images.
"""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from astropy.io import fits

from hstmosaic.store.files import atomic_draft

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path
    from typing import BinaryIO

TILE = 256
"""Width and height of a tile, pixels."""
_LEVEL = 1
"""Of zlib; higher levels take several times longer for a few per cent."""
_DESCRIPTOR = np.dtype([("length", ">i8"), ("offset", ">i8")])
_BLOCK = 2880
_SMALLEST = TILE * TILE
"""Images of fewer bytes are not compressed."""
_STRUCTURE = ("SIMPLE", "XTENSION", "BITPIX", "NAXIS", "NAXIS1", "NAXIS2", "PCOUNT", "GCOUNT", "EXTEND")
_CHECKSUMS = ("CHECKSUM", "DATASUM")


def compress_images(path: Path) -> None:
    """Compress the image extensions of a FITS file; other HDUs are copied.

    Parameters
    ----------
    path : pathlib.Path
        The file, replaced atomically. Its primary HDU has no pixels. Checksums must be written afterwards.
    """
    with atomic_draft(path) as draft, fits.open(path, memmap=True) as hdus, draft.open("wb") as output:
        for hdu in hdus:
            if isinstance(hdu, fits.ImageHDU) and is_worth_it(hdu.header):
                rows = range(0, hdu.shape[0], TILE)
                write_compressed(hdu.header, (np.asarray(hdu.section[row : row + TILE]) for row in rows), output)
            else:
                _copy(hdu, path, output)


def is_worth_it(header: fits.Header) -> bool:
    """Return whether an image extension is compressed: if it has two axes and is not tiny."""
    if header["NAXIS"] != 2:
        return False
    return bool(header["NAXIS1"] * header["NAXIS2"] * abs(header["BITPIX"]) // 8 >= _SMALLEST)


def _copy(hdu: fits.ImageHDU, path: Path, output: BinaryIO) -> None:
    info = hdu.fileinfo()
    with path.open("rb") as source:
        source.seek(info["hdrLoc"])
        output.write(source.read(info["datLoc"] + info["datSpan"] - info["hdrLoc"]))


def write_compressed(image: fits.Header, strips: Iterable[np.ndarray], output: BinaryIO) -> None:
    """Write an image extension as a table of compressed tiles.

    Parameters
    ----------
    image : astropy.io.fits.Header
        Its header.
    strips : iterable of numpy.ndarray
        Its rows, `TILE` at a time; the last strip can have fewer.
    output : file
        Opened for writing bytes, at the end of the HDU before it.

    Raises
    ------
    ValueError
        If the strips are not those of the header.
    """
    height, width = image["NAXIS2"], image["NAXIS1"]
    columns = -(-width // TILE)
    descriptors = np.zeros(-(-height // TILE) * columns, _DESCRIPTOR)
    start = output.tell()
    header_size = len(_header(image, len(descriptors), 0, 0))
    output.seek(start + header_size + descriptors.nbytes)
    heap, uniform = 0, dict[tuple[tuple[int, ...], bytes], tuple[int, int]]()
    done = 0
    for strip in strips:
        if strip.shape != (min(TILE, height - done), width):
            raise ValueError(f"rows {done} and on of an image of {height} x {width} pixels have shape {strip.shape}")
        for column in range(columns):
            tile = np.ascontiguousarray(strip[:, column * TILE : (column + 1) * TILE])
            # the empty tiles of a sparse mosaic share one entry of the heap
            empty = _is_uniform(tile)
            kind = tile.shape, tile[0, 0].tobytes()
            if empty and kind in uniform:
                place = uniform[kind]
            else:
                packed = _pack(tile)
                output.write(packed)
                place = len(packed), heap
                heap += len(packed)
                if empty:
                    uniform[kind] = place
            descriptors[done // TILE * columns + column] = place
        done += len(strip)
    if done != height:
        raise ValueError(f"an image of {height} rows has {done}")
    end = output.tell()
    output.write(bytes(-(end - start - header_size) % _BLOCK))
    final = output.tell()
    output.seek(start)
    output.write(_header(image, len(descriptors), heap, int(descriptors["length"].max())))
    output.write(descriptors.tobytes())
    output.seek(final)


def _is_uniform(tile: np.ndarray) -> bool:
    """Return whether all pixels of a tile have the same bits."""
    words = tile.view(f"u{tile.itemsize}")
    return bool((words == words[0, 0]).all())


def _pack(tile: np.ndarray) -> bytes:
    """Compress a tile as GZIP_2 does."""
    big_endian = np.ascontiguousarray(tile, tile.dtype.newbyteorder(">"))
    planes = big_endian.view(np.uint8).reshape(-1, tile.itemsize).T
    return gzip.compress(planes.tobytes(), _LEVEL, mtime=0)


def _header(image: fits.Header, tiles: int, heap: int, longest: int) -> bytes:
    """Return the bytes of the header of the binary table that stands for an image."""
    height, width = image["NAXIS2"], image["NAXIS1"]
    structure = [
        ("XTENSION", "BINTABLE", "binary table extension"),
        ("BITPIX", 8, "array data type"),
        ("NAXIS", 2, "number of array dimensions"),
        ("NAXIS1", _DESCRIPTOR.itemsize, "width of table in bytes"),
        ("NAXIS2", tiles, "number of rows in table"),
        ("PCOUNT", heap, "size of the heap"),
        ("GCOUNT", 1, "number of groups"),
        ("TFIELDS", 1, "number of table fields"),
        ("TTYPE1", "COMPRESSED_DATA", "label for field 1"),
        ("TFORM1", f"1QB({longest})", "variable-length array of bytes"),
        ("ZIMAGE", True, "extension contains compressed image"),
        ("ZTENSION", "IMAGE", "extension type of the image"),
        ("ZBITPIX", image["BITPIX"], "array data type"),
        ("ZNAXIS", 2, "number of array dimensions"),
        ("ZNAXIS1", width, ""),
        ("ZNAXIS2", height, ""),
        ("ZPCOUNT", 0, "number of group parameters"),
        ("ZGCOUNT", 1, "number of groups"),
        ("ZTILE1", min(TILE, width), "width of a tile"),
        ("ZTILE2", min(TILE, height), "height of a tile"),
        ("ZCMPTYPE", "GZIP_2", "compression algorithm"),
    ]
    if image["BITPIX"] < 0:  # CFITSIO 4.2 fails on integers that have it
        structure.append(("ZQUANTIZ", "NONE", "no quantisation"))
    header = fits.Header(structure)
    # a TFORM1 of another length would move every card behind it
    header["TFORM1"] = f"{header['TFORM1']:16}"
    for card in image.cards:
        if card.keyword not in (*_STRUCTURE, *_CHECKSUMS):
            header.append(card, end=True)
    text = header.tostring(padding=True)
    return bytes(text, "ascii")


@dataclass(frozen=True, eq=False)
class OccupiedTiles:
    """Tiles of an image that may have data."""

    tiles: np.ndarray
    """Boolean, shape (rows of tiles, columns of tiles)."""
    width: int
    """Of the image, pixels."""

    def columns(self, first: int, last: int) -> slice:
        """Return the columns of pixels that may have data from a row to the one before another; empty without any."""
        found = np.flatnonzero(self.tiles[first // TILE : -(-last // TILE)].any(axis=0))
        return slice(found[0] * TILE, min(self.width, (found[-1] + 1) * TILE)) if len(found) else slice(0, 0)


def occupied_tiles(path: Path, name: str) -> OccupiedTiles:
    """Return which tiles of an image may have data, from the table of tiles alone.

    Parameters
    ----------
    path : pathlib.Path
        A FITS file.
    name : str
        Name of an image extension.

    Returns
    -------
    OccupiedTiles
        All tiles, unless the image was written by `write_compressed`, whose tiles of zeros share an entry of the heap.
    """
    with fits.open(path, disable_image_compression=True) as hdus:
        header, start = hdus[name].header, hdus[name].fileinfo()["datLoc"]
    compressed = header.get("ZCMPTYPE") == "GZIP_2" and header["NAXIS1"] == _DESCRIPTOR.itemsize
    height, width = (header[f"Z{key}" if compressed else key] for key in ("NAXIS2", "NAXIS1"))
    shape = -(-height // TILE), -(-width // TILE)
    occupied = np.ones(shape, dtype=bool)
    if not compressed or (header["ZTILE2"], header["ZTILE1"]) != (min(TILE, height), min(TILE, width)):
        return OccupiedTiles(occupied, width)
    with path.open("rb") as file:
        file.seek(start)
        places = np.frombuffer(file.read(occupied.size * _DESCRIPTOR.itemsize), _DESCRIPTOR)
        heap = start + places.nbytes
        offsets, counts = np.unique(places["offset"], return_counts=True)
        for offset in offsets[counts > 1]:
            shared = places["offset"] == offset
            file.seek(heap + int(offset))
            if not any(gzip.decompress(file.read(int(places["length"][shared][0])))):
                occupied.ravel()[shared] = False
    return OccupiedTiles(occupied, width)
