"""Repair of the memory that holds the pixels of all exposures of a layer; they are read again where they are needed."""

from __future__ import annotations

import functools
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

from drizzlepac import imageObject, sky
from stsci.skypac import skymatch

if TYPE_CHECKING:
    import numpy as np

MATCHED_BYTES = 400_000_000
"""Pixels that sky matching keeps: six full frames of WFC3/UVIS or ACS/WFC."""
_DATA = "data"
"""The attribute in which astropy keeps the pixels of an extension once they are read."""
_UNREAD = object()


def hold_few_pixels() -> None:
    """Let drizzlepac and sky matching forget the pixels of exposures that they can read again."""
    _forget_extensions()
    _forget_masks()
    _forget_matched_chips()


def _forget_extensions() -> None:
    original = imageObject.baseImageObject.getData

    @functools.wraps(original)
    def read(image: Any, exten: str) -> np.ndarray | None:
        attributes = image._image[image._interpretExten(exten)].__dict__
        before = attributes.get(_DATA, _UNREAD)
        pixels: np.ndarray | None = original(image, exten)
        # not by setting the attribute, which would change the header
        if before is _UNREAD:
            attributes.pop(_DATA, None)
        elif before is None:
            attributes[_DATA] = None
        return pixels

    imageObject.baseImageObject.getData = read


def _forget_masks() -> None:
    original = sky.temp_mask_file

    @functools.wraps(original)
    def write(*args: Any, **options: Any) -> Any:
        name, mask = original(*args, **options)
        if mask.can_reload_data:
            for extension in mask.hdu:
                extension.__dict__.pop(_DATA, None)
        return name, mask

    sky.temp_mask_file = write


def _forget_matched_chips() -> None:
    measure, measure_all, match = skymatch._member_sky, skymatch._minsky, sky.skymatch
    chips = HeldChips(MATCHED_BYTES)

    @functools.wraps(match)
    def match_skies(*args: Any, **options: Any) -> Any:
        try:
            return match(*args, **options)
        finally:
            chips.forget()

    @functools.wraps(measure)
    def measure_chip(chip: Any, *args: Any) -> Any:
        found = measure(chip, *args)
        chips.hold(chip)
        return found

    @functools.wraps(measure_all)
    def measure_exposure(exposure: Any, *args: Any) -> Any:
        found = measure_all(exposure, *args)
        for chip in exposure.members:
            chip.free_image_data()
        return found

    sky.skymatch, skymatch._member_sky, skymatch._minsky = match_skies, measure_chip, measure_exposure


class HeldChips:
    """Chips whose pixels are in memory, the one that was used last at the end.

    Parameters
    ----------
    most : int
        Bytes that they may have together; the last one is always held.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._sizes: OrderedDict[Any, int] = OrderedDict()

    def hold(self, chip: Any) -> None:
        """Note that a chip was used, and free the pixels of those that were not used for longest.

        Parameters
        ----------
        chip : stsci.skypac.skyline.SkyLineMember
            Whose pixels were read.
        """
        self._sizes[chip] = chip.image_data.nbytes
        self._sizes.move_to_end(chip)
        while len(self._sizes) > 1 and sum(self._sizes.values()) > self._most:
            other, _ = self._sizes.popitem(last=False)
            other.free_image_data()

    def forget(self) -> None:
        """Start anew; sky matching has closed the files of its chips."""
        self._sizes.clear()
