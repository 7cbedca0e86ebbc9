"""Exposures in the working directory of a task: links, or copies whose pixels are repaired."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from astropy.io import fits

from hstmosaic.store.pixel_repair import FILLED_FLAG, PixelRepair

if TYPE_CHECKING:
    from collections.abc import Iterator

FILLED_KEYWORD = "HMFILLED"
"""Number of pixels that were filled, in the header of DQ."""
_SCIENCE, _ERROR, _QUALITY = "SCI", "ERR", "DQ"
_FLAGS = np.dtype(np.int16)
_CONSTANT_CARDS = ("NPIX1", "NPIX2", "PIXVALUE")
_GOLDEN = 0.6180339887
_CORE_SIGMAS = 3


class PixelArrayError(Exception):
    """An extension that has neither pixels nor a value for all of them, or not as many as the science array."""


def link_exposure(path: Path) -> PixelRepair:
    """Bring an exposure into the current directory under its file name.

    Parameters
    ----------
    path : pathlib.Path
        The exposure, which is only read.

    Returns
    -------
    PixelRepair
        Faults of its pixels. With any, the file is a repaired copy, else a link.
    """
    repair = find_faults(path)
    copy = Path(path.name)
    if repair.needed:
        shutil.copyfile(path, copy)
        repair_copy(copy)
    else:
        copy.symlink_to(path)
    return repair


def find_faults(path: Path) -> PixelRepair:
    """Return the faults of an exposure's pixels."""
    not_finite: dict[str, int] = {}
    constant, blank = [], []
    with fits.open(path, memmap=False) as hdus:
        for science, error, quality in _chips(hdus):
            lost = None
            for hdu in filter(None, (science, error, quality)):
                if _is_constant(hdu):
                    constant.append(_name(hdu))
                elif hdu is not quality and (bad := _not_finite(hdu)) is not None:
                    not_finite[_name(hdu)] = int(np.count_nonzero(bad))
                    lost = bad if lost is None else lost | bad
                del hdu.data
            if lost is not None and lost.all():
                blank.append(_name(science))
    return PixelRepair(not_finite, tuple(constant), tuple(blank))


def repair_copy(path: Path) -> None:
    """Repair the pixels of a working copy in place; nothing changes without a fault.

    Constant arrays are expanded. Pixels that are not finite in SCI or ERR get `FILLED_FLAG` in DQ, and numbers.

    Raises
    ------
    PixelArrayError
        If an extension has no pixels that could be expanded.
    """
    with fits.open(path, mode="update", memmap=False) as hdus:
        for science, error, quality in _chips(hdus):
            for hdu in filter(None, (science, error, quality)):
                if _is_constant(hdu):
                    _expand(hdu, _shape(science))
            found = {hdu: bad for hdu in (science, error) if hdu is not None and (bad := _not_finite(hdu)) is not None}
            if found:
                good = quality.data == 0
                lost = np.logical_or.reduce(list(found.values()))
                for hdu, bad in found.items():
                    hdu.data[bad] = fill_values(hdu.data[_choose(~bad & good, ~bad)], int(np.count_nonzero(bad)))
                quality.data[lost] |= quality.data.dtype.type(FILLED_FLAG)
                quality.header[FILLED_KEYWORD] = (int(np.count_nonzero(lost)), f"pixels filled, flagged {FILLED_FLAG}")
        hdus.flush(output_verify="ignore")


def fill_values(good: np.ndarray, count: int) -> np.ndarray:
    """Return numbers for pixels that have none, distributed as good pixels within three sigma.

    drizzlepac makes its static mask, which all exposures of a chip share, from the clipped mode and scatter of all
    pixels, flagged ones included. Many equal numbers would make the scatter too small, and the mask too large.

    Parameters
    ----------
    good : numpy.ndarray
        Good pixels, shape (n,).
    count : int
        How many numbers.

    Returns
    -------
    numpy.ndarray
        Values of good pixels, the median first; zeros where there are none.
    """
    if not good.size:
        return np.zeros(count)
    distances = np.abs(good - np.median(good))
    sigma = 1.4826 * np.median(distances)
    core = np.sort(good[distances <= _CORE_SIGMAS * sigma])
    picked: np.ndarray = core[((0.5 + _GOLDEN * np.arange(count)) % 1 * core.size).astype(int)]
    return picked


def _choose(wanted: np.ndarray, otherwise: np.ndarray) -> np.ndarray:
    return wanted if wanted.any() else otherwise


def _chips(hdus: fits.HDUList) -> Iterator[tuple[fits.ImageHDU, fits.ImageHDU | None, fits.ImageHDU]]:
    """Go through the chips: science, error and quality arrays; the planner has seen that the latter is there."""
    found = {(hdu.name, hdu.ver): hdu for hdu in hdus}
    for hdu in hdus:
        if hdu.name == _SCIENCE:
            yield hdu, found.get((_ERROR, hdu.ver)), found[_QUALITY, hdu.ver]


def _name(hdu: fits.ImageHDU) -> str:
    return f"{hdu.name},{hdu.ver}"


def _is_constant(hdu: fits.ImageHDU) -> bool:
    return bool(hdu.header["NAXIS"] == 0)


def _shape(hdu: fits.ImageHDU) -> tuple[int, int]:
    header = hdu.header
    if not _is_constant(hdu):
        return header["NAXIS2"], header["NAXIS1"]
    if "NPIX1" not in header or "NPIX2" not in header:
        raise PixelArrayError(f"{_name(hdu)} has no pixels, and no NPIX1 and NPIX2 that stand for them")
    return int(header["NPIX2"]), int(header["NPIX1"])


def _expand(hdu: fits.ImageHDU, wanted: tuple[int, int]) -> None:
    shape = _shape(hdu)
    if shape != wanted:
        (ny, nx), (height, width) = shape, wanted
        raise PixelArrayError(f"{_name(hdu)} stands for {nx} x {ny} pixels, its science array has {width} x {height}")
    value = hdu.header.get("PIXVALUE", 0)
    hdu.data = np.full(shape, value, _FLAGS if hdu.name == _QUALITY else np.float32)
    for keyword in _CONSTANT_CARDS:
        hdu.header.remove(keyword, ignore_missing=True)


def _not_finite(hdu: fits.ImageHDU) -> np.ndarray | None:
    """Mask the pixels that are NaN or infinite; None if there are none."""
    if not np.issubdtype(hdu.data.dtype, np.floating):
        return None
    finite = np.isfinite(hdu.data)
    return None if finite.all() else ~finite
