"""Statistics of the pixels of an image within limits, as `stsci.imagestats` and numpy compute them."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

SAMPLE = 1 << 17
"""Pixels that are sorted to find between which numbers the median is."""
_DIMENSIONS = 2
"""`stsci.imagestats` refuses images with more."""
_SIGMAS = 6
"""How far the median may be from that of the sample, in standard deviations of its rank."""


def is_compiled() -> bool:
    """Return whether the functions of this module can be used."""
    return find_spec("hstmosaic.tasks.exact.clip") is not None


def can_measure(image: np.ndarray) -> bool:
    """Return whether an image has the type and order that the compiled functions need.

    Parameters
    ----------
    image : numpy.ndarray
        Of any shape.
    """
    return image.dtype == np.float32 and image.flags.c_contiguous and image.size > 0 and image.ndim <= _DIMENSIONS


def median_within(image: NDArray[np.float32], low: float, high: float) -> np.float32:
    """Return ``numpy.median`` of the pixels between two limits.

    Parameters
    ----------
    image : numpy.ndarray of float32
        For which `can_measure` is true.
    low, high : float
        Both belong to the range; at least one pixel lies in it.
    """
    from hstmosaic.tasks.exact.clip import count, take

    sample = image.ravel()[:: max(1, image.size // SAMPLE)]
    first, last = _bracket(sample[(sample >= np.float32(low)) & (sample <= np.float32(high))], low, high)
    below, within = count(image, low, first, last)
    total = sum(count(image, low, low, high))
    ranks = np.array([(total - 1) // 2, total // 2]) - below
    if ranks[0] < 0 or ranks[1] >= within:
        first, last, ranks, within = low, high, ranks + below, total
    middle = np.empty(within, np.float32)
    take(image, first, last, middle)
    middle.partition(ranks)
    found: np.float32 = np.median(middle[ranks[0] : ranks[1] + 1])
    return found


def _bracket(sample: NDArray[np.float32], low: float, high: float) -> tuple[float, float]:
    """Return two numbers between which the median of the pixels lies that a sample represents."""
    reach, middle = int(_SIGMAS * 0.5 * np.sqrt(len(sample))) + 1, len(sample) // 2
    if reach >= middle:
        return low, high
    sample = np.sort(sample)
    return float(sample[middle - reach]), float(sample[middle + reach])
