"""Images that a mosaic has on request: errors, and numbers of exposures."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
from astropy.io import fits

from hstmosaic.store.context_image import CHIPS_PER_PLANE

if TYPE_CHECKING:
    from pathlib import Path

_CHIP_KEYWORD = re.compile(r"D\d+DATA")
_ROWS = 256


def add_planes(path: Path, *, error: bool, context: bool) -> None:
    """Append ``ERR`` or ``NEXP`` to a mosaic.

    Parameters
    ----------
    path : pathlib.Path
        The mosaic; checksums must be written afterwards.
    error : bool
        Whether to append standard deviations: the inverse square roots of the weights, NaN without weight.
    context : bool
        Whether to append the number of exposures in each pixel; CTX has a bit for each chip.
    """
    if not (error or context):
        return
    if error:
        _append_errors(path)
    if context:
        _append_exposure_numbers(path)
    with fits.open(path, mode="update") as hdus:
        hdus[0].header["NEXTEND"] = len(hdus) - 1


def _append_errors(path: Path) -> None:
    with fits.open(path) as hdus:
        weights, unit = hdus["WHT"], hdus["SCI"].header.get("BUNIT")
        header = _header(hdus, "ERR", np.float32)
        if unit is not None:
            header["BUNIT"] = unit
        with fits.StreamingHDU(str(path), header) as output:
            for top in range(0, weights.shape[0], _ROWS):
                rows = np.asarray(weights.section[top : top + _ROWS], np.float32)
                errors = np.full(rows.shape, np.nan, np.float32)
                np.divide(1, np.sqrt(rows, where=rows > 0, out=np.ones_like(rows)), where=rows > 0, out=errors)
                output.write(errors)


def _append_exposure_numbers(path: Path) -> None:
    with fits.open(path) as hdus:
        masks = exposure_masks(hdus[0].header)
        context = hdus["CTX"]
        planes = context.shape[0] if len(context.shape) > 2 else 1
        height, width = context.shape[-2:]
        with fits.StreamingHDU(str(path), _header(hdus, "NEXP", np.int16)) as output:
            for top in range(0, height, _ROWS):
                rows = np.asarray(context.section[..., top : top + _ROWS, :]).reshape(planes, -1, width)
                output.write(_exposure_numbers(rows.astype(np.int32).view(np.uint32), masks))


def _exposure_numbers(bits: np.ndarray, masks: list[dict[int, int]]) -> np.ndarray:
    numbers = np.zeros(bits.shape[1:], np.int16)
    for mask in masks:
        touched = np.zeros(numbers.shape, bool)
        for plane, wanted in mask.items():
            touched |= (bits[plane] & np.uint32(wanted)) != 0
        numbers += touched
    return numbers


def exposure_masks(header: fits.Header) -> list[dict[int, int]]:
    """Return the bits of each exposure in the planes of the context image, from the D keywords of a mosaic."""
    found: dict[str, dict[int, int]] = {}
    chips = [
        header[keyword] for keyword in sorted(filter(_CHIP_KEYWORD.fullmatch, header), key=lambda key: int(key[1:-4]))
    ]
    for number, chip in enumerate(chips):
        plane, bit = divmod(number, CHIPS_PER_PLANE)
        bits = found.setdefault(str(chip).split("[", maxsplit=1)[0], {})
        bits[plane] = bits.get(plane, 0) | 1 << bit
    return list(found.values())


def _header(hdus: fits.HDUList, name: str, kind: type) -> fits.Header:
    """Return the header of an image with size and WCS of the weights; its pixels are written row by row."""
    header = hdus["WHT"].header.copy()
    for keyword in ("BITPIX", "BUNIT", "BSCALE", "BZERO"):
        header.remove(keyword, ignore_missing=True)
    described: fits.Header = fits.ImageHDU(np.zeros((1, 1), kind), header, name=name, ver=1).header
    described["NAXIS1"], described["NAXIS2"] = hdus["WHT"].shape[::-1]
    return described
