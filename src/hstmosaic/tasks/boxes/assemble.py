"""Put boxes together, behind the headers that drizzlepac made."""

from __future__ import annotations

import functools
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.io import fits
from drizzlepac.haputils import product
from stwcs.wcsutil import HSTWCS

from hstmosaic.store.compressed_image import is_worth_it, write_compressed
from hstmosaic.store.files import CHECKSUM_COMMENT, MadeFile, hdu_names
from hstmosaic.tasks.boxes.boxes import BIG_ENDIAN, CONTEXT, ROWS, BoxFiles, add_words, read_mask
from hstmosaic.tasks.exact.regions import find_outlines
from hstmosaic.tasks.exact.statistics import PositiveMedian, chunk_mean
from hstmosaic.tasks.exact.tiles import FULL, TILE, TiledMask
from hstmosaic.tasks.finish import finish_fits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from hstmosaic.store.task_specs import Card
    from hstmosaic.tasks.boxes.records import BoxResult, MosaicRecord

_BLOCK = 2880


@dataclass(frozen=True)
class _Image:
    """An image of a mosaic that boxes have parts of."""

    index: int
    """Its place among the sums of a box."""
    file: Callable[[BoxResult], str]
    empty: float
    """Pixels outside of boxes."""
    kind: np.dtype = BIG_ENDIAN
    planes: int = 1


def _science(mosaic: MosaicRecord) -> _Image:
    return _Image(0, lambda result: result.science, mosaic.empty)


_WEIGHTS = _Image(1, lambda result: result.weight, 0.0)


def _images(mosaic: MosaicRecord) -> dict[str, _Image]:
    """Return the images of a mosaic by the names of their extensions."""
    context = _Image(2, lambda result: result.context, 0, CONTEXT, mosaic.context)
    return {"SCI": _science(mosaic), "WHT": _WEIGHTS} | ({"CTX": context} if mosaic.context else {})


def assemble(
    skeleton: Path,
    mosaic: MosaicRecord,
    boxes: BoxFiles,
    target: Path,
    cards: Callable[[fits.Header], Iterable[Card]],
    history: Iterable[str],
    *,
    compress: bool = False,
) -> MadeFile:
    """Write a mosaic.

    Parameters
    ----------
    skeleton : pathlib.Path
        The product with 2 x 2 pixels.
    mosaic : MosaicRecord
        Its record.
    boxes : BoxFiles
        All boxes of the mosaic.
    target : pathlib.Path
        The file to write.
    cards : callable
        Returns records of ours for the primary header, given that header.
    history : iterable of str
        HISTORY records for the same.
    compress : bool
        Whether images are tile-compressed. The plain ones, which may be far larger than the data, are never written.

    Returns
    -------
    MadeFile
    """
    with fits.open(skeleton, checksum="remove") as hdus:
        header, science = hdus[0].header, hdus["SCI", 1].header
        for extension in _images(mosaic):
            height, width = mosaic.shape
            hdus[extension, 1].header["NAXIS1"], hdus[extension, 1].header["NAXIS2"] = width, height
        science["S_REGION"] = region(hdus, mosaic, boxes)
        for (keyword, (_, comment)), weight in zip(product.MASK_WHTKWS.items(), weigh(boxes), strict=True):
            header[keyword] = (weight, comment)
        for keyword, value, comment in cards(header):
            header[keyword] = (value, comment)
        for record in history:
            header.add_history(record)
        if not compress:
            return _write(hdus, mosaic, boxes, target)
        _compress(hdus, mosaic, boxes, target)
    return finish_fits(target)


def region(hdus: fits.HDUList, mosaic: MosaicRecord, boxes: BoxFiles) -> str:
    """Return S_REGION, as `processing_utils.compute_sregion` writes it.

    Raises
    ------
    IndexError
        If the mosaic has no data.
    """
    mask = coverage(mosaic, boxes)
    if not mask.states.any():
        raise IndexError("no pixel of the mosaic has data")
    wcs = HSTWCS(hdus, ext=("SCI", 1))
    text = ""
    for polygon in find_outlines(mask):
        text += "POLYGON ICRS "
        for x, y in wcs.all_pix2world(polygon, 0):
            text += f"{x} {y} "
    return text


def coverage(mosaic: MosaicRecord, boxes: BoxFiles) -> TiledMask:
    """Return which pixels have data: those with a number, or where all have one, those that are not zero."""
    whole = TiledMask(mosaic.shape)
    covered = sum((one.box.bottom - one.box.top) * (one.box.right - one.box.left) for one in boxes.results)
    complete = all(one.complete for one in boxes.results) and (
        covered == mosaic.shape[0] * mosaic.shape[1] or not np.isnan(mosaic.empty)
    )
    if not complete and not np.isnan(mosaic.empty):
        whole.states[:] = FULL
    if complete and mosaic.empty != 0:
        whole.states[:] = FULL
    for result in boxes.results:
        mask = read_mask(boxes.folder / result.coverage)
        if not complete and result.complete:
            mask = TiledMask(mask.shape)
            mask.states[:] = FULL
        row, column = result.box.top // TILE, result.box.left // TILE
        rows, columns = mask.states.shape
        whole.states[row : row + rows, column : column + columns] = mask.states
        for (tile_row, tile_column), bits in mask.packed.items():
            whole.packed[row + tile_row, column + tile_column] = bits
    return whole


def weigh(boxes: BoxFiles) -> tuple[np.float32, np.float32]:
    """Return mean and median of positive weights, as numpy has them for the whole array."""

    def positive() -> Iterator[np.ndarray]:
        for _, rows in _rows(boxes, _WEIGHTS):
            joined = np.concatenate([part for _, part in rows], axis=1).astype(np.float32)
            yield joined[joined > 0]

    middle = PositiveMedian()
    for numbers in positive():
        middle.add(numbers)
    if not middle.count:
        return np.float32(np.nan), np.float32(np.nan)
    return chunk_mean(positive(), middle.count), middle.find(positive)


def _rows(boxes: BoxFiles, image: _Image, plane: int = 0) -> Iterator[tuple[int, list[tuple[BoxResult, np.ndarray]]]]:
    """Yield the first row and the pixels of the boxes there, some rows at a time, from the first to the last."""
    for top, bottom, results in boxes.bands():
        for first in range(0, bottom - top, ROWS):
            last = min(bottom - top, first + ROWS)
            yield (
                top + first,
                [
                    (result, boxes.read(result, image.file(result), first, last, image.kind, plane))
                    for result in results
                ],
            )


def _full_rows(mosaic: MosaicRecord, boxes: BoxFiles, image: _Image) -> Iterator[np.ndarray]:
    """Yield all rows of an image, some at a time, in the byte order of FITS."""
    for plane in range(image.planes):
        yield from _rows_of_plane(mosaic, boxes, image, plane)


def _rows_of_plane(mosaic: MosaicRecord, boxes: BoxFiles, image: _Image, plane: int) -> Iterator[np.ndarray]:
    height, width = mosaic.shape
    done = 0
    for top, parts in _rows(boxes, image, plane):
        for first in range(done, top, ROWS):
            yield np.full((min(top, first + ROWS) - first, width), image.empty, image.kind)
        count = len(parts[0][1])
        if len(parts) == 1 and parts[0][1].shape[1] == width:
            yield parts[0][1]
        else:
            rows = np.full((count, width), image.empty, image.kind)
            for result, part in parts:
                rows[:, result.box.left : result.box.right] = part
            yield rows
        done = top + count
    for first in range(done, height, ROWS):
        yield np.full((min(height, first + ROWS) - first, width), image.empty, image.kind)


def _write(hdus: fits.HDUList, mosaic: MosaicRecord, boxes: BoxFiles, target: Path) -> MadeFile:
    digest, size = hashlib.sha256(), 0
    images = _images(mosaic)
    _add_checksums(hdus, mosaic, boxes)
    with target.open("wb") as file:

        def write(data: Any) -> None:
            nonlocal size
            file.write(data)
            digest.update(data)
            size += memoryview(data).nbytes

        for hdu in hdus:
            write(hdu.header.tostring().encode("ascii"))
            if hdu.name in images:
                for rows in _full_rows(mosaic, boxes, images[hdu.name]):
                    write(np.ascontiguousarray(rows).data)
            elif hdu.size:
                write(_raw(hdu))
            write(bytes(-size % _BLOCK))
    headers = [hdu.header for hdu in hdus]
    names = hdu_names(headers)
    return MadeFile(
        target.name,
        size,
        digest.hexdigest(),
        datasum={name: header["DATASUM"] for name, header in zip(names, headers, strict=True)},
        checksum={name: header["CHECKSUM"] for name, header in zip(names, headers, strict=True)},
    )


def _compress(hdus: fits.HDUList, mosaic: MosaicRecord, boxes: BoxFiles, target: Path) -> None:
    images = _images(mosaic)
    with target.open("wb") as file:
        for hdu in hdus:
            if hdu.name in images and is_worth_it(hdu.header):
                write_compressed(hdu.header, _full_rows(mosaic, boxes, images[hdu.name]), file)
                continue
            file.write(hdu.header.tostring().encode("ascii"))
            if hdu.name in images:
                for rows in _full_rows(mosaic, boxes, images[hdu.name]):
                    file.write(np.ascontiguousarray(rows).data)
            elif hdu.size:
                file.write(_raw(hdu))
            file.write(bytes(-file.tell() % _BLOCK))


def _raw(hdu: Any) -> bytes:
    """Return the data of an HDU as they are in its file."""
    data: np.ndarray = hdu._get_raw_data(hdu._data_size, "ubyte", hdu._data_offset)
    return data.tobytes()


def _add_checksums(hdus: fits.HDUList, mosaic: MosaicRecord, boxes: BoxFiles) -> None:
    """Write the checksums of each HDU into its header; sums of pixels do not depend on where these are."""
    images = _images(mosaic)
    for hdu in hdus:
        if hdu.name in images:
            total = _sum(mosaic, boxes, images[hdu.name])
            hdu._calculate_datasum = functools.partial(np.uint32, total)
        hdu.add_checksum(when=CHECKSUM_COMMENT)


def _sum(mosaic: MosaicRecord, boxes: BoxFiles, image: _Image) -> int:
    covered = sum((one.box.bottom - one.box.top) * (one.box.right - one.box.left) for one in boxes.results)
    rest = image.planes * (mosaic.shape[0] * mosaic.shape[1] - covered)
    empty = add_words(np.full(1, image.empty, image.kind))
    total = sum(one.sums[image.index] for one in boxes.results) + rest * empty
    while total >> 32:
        total = (total & 0xFFFFFFFF) + (total >> 32)
    return total
