"""Pixels and weights of a chip, as drizzlepac hands them to its kernel."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from astropy.io import fits

from hstmosaic.tasks.boxes.records import ChipRecord, ExposurePixels

_SINGLE_BITS = -32
_RAW = np.dtype(">f4")


def find_pixels(
    path: Path, extension: tuple[str, int], sky: float | None, gain: float, expected: np.ndarray
) -> ExposurePixels | None:
    """Return where the pixels of a chip are, if the kernel's can be made of them; else None.

    Parameters
    ----------
    path : pathlib.Path
        The exposure.
    extension : tuple of str and int
        Name and version of the chip.
    sky, gain : float
        What is subtracted from it, and what it is multiplied with then.
    expected : numpy.ndarray
        What the kernel gets.
    """
    with fits.open(path, memmap=True) as hdus:
        header = hdus[extension].header
        if header["BITPIX"] != _SINGLE_BITS or "BSCALE" in header or "BZERO" in header:
            return None
        offset = hdus[extension].fileinfo()["datLoc"]
    for double in (False, True):
        found = ExposurePixels(str(path), offset, sky, gain, double)
        if _same(_apply(_open(Path(), found, expected.shape), found), expected):
            return found
    return None


def _open(folder: Path, pixels: ExposurePixels, shape: tuple[int, ...]) -> np.ndarray:
    return np.memmap(folder / pixels.path, _RAW, mode="r", offset=pixels.offset, shape=shape)


def _apply(raw: np.ndarray, pixels: ExposurePixels) -> np.ndarray:
    found: np.ndarray = raw.astype(np.float64 if pixels.double else np.float32)
    if pixels.sky is not None:
        np.subtract(found, pixels.sky, out=found)
    np.multiply(found, pixels.gain, out=found)
    return found.astype(np.float32, copy=False)


def _same(one: np.ndarray, other: np.ndarray) -> bool:
    """Compare bits, since pixels that are not numbers are unequal to themselves."""
    other = np.ascontiguousarray(other, dtype=np.float32)
    return one.shape == other.shape and bool(np.array_equal(one.view(np.uint32), other.view(np.uint32)))


def read_pixels(folder: Path, chip: ChipRecord, first: int, last: int) -> np.ndarray:
    """Return some rows of a chip as the kernel gets them, a new array."""
    if isinstance(chip.pixels, ExposurePixels):
        return _apply(_open(folder, chip.pixels, chip.shape)[first:last], chip.pixels)
    return np.array(np.load(folder / chip.pixels, mmap_mode="r")[first:last])


def save_weights(path: Path, weights: np.ndarray) -> float | None:
    """Write weights, as bits if all are zero or of one value, which is returned."""
    weights = np.ascontiguousarray(weights, dtype=np.float32)
    value = np.float32(weights.max(initial=0))
    accepted = weights == value if value > 0 else np.zeros(weights.shape, bool)
    if _same(np.where(accepted, value, np.float32(0)), weights):
        np.save(path, np.packbits(accepted, axis=1))
        return float(value)
    np.save(path, weights)
    return None


def read_weights(folder: Path, chip: ChipRecord, first: int, last: int) -> np.ndarray:
    """Return some rows of a chip's weights, a new array."""
    rows = np.array(np.load(folder / chip.mask, mmap_mode="r")[first:last])
    if chip.weight is None:
        return rows
    accepted = np.unpackbits(rows, axis=1, count=chip.shape[1]).view(bool)
    return np.where(accepted, np.float32(chip.weight), np.float32(0))
