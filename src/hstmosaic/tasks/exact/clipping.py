"""Clipped statistics of images, as `astropy.stats` has them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from astropy import stats

from hstmosaic.tasks.exact.statistics import chunk_sum

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

_SAMPLE = 10_000
_NEAR = 0.03
"""Share of numbers on either side of the median of a sample among which the median of all is sought."""
_SIGMA = 3.0


def find_median(values: NDArray[np.float32]) -> Any:
    """Return what `numpy.median` returns: the middle is sought among the numbers near the median of a sample.

    Parameters
    ----------
    values : numpy.ndarray
        Numbers, shape (n,).
    """
    if len(values) < 10 * _SAMPLE or values.dtype != np.float32:
        return np.median(values)
    sample = np.sort(values[:: len(values) // _SAMPLE])
    near = max(1, int(_NEAR * len(sample)))
    low, high = sample[len(sample) // 2 - near], sample[len(sample) // 2 + near]
    below = np.count_nonzero(values < low)
    window = values[(values >= low) & (values <= high)]
    first, last = (len(values) - 1) // 2 - below, len(values) // 2 - below
    # a number that is none is neither below, nor in the window, nor above it
    whole = below + len(window) + np.count_nonzero(values > high) == len(values)
    if not whole or first < 0 or last >= len(window):
        return np.median(values)
    return np.mean(np.partition(window, (first, last))[first : last + 1])


def clip_statistics(data: NDArray[Any], maxiters: int = 5) -> tuple[Any, Any, Any]:
    """Return what `astropy.stats.sigma_clipped_stats` returns: mean, median and standard deviation.

    Parameters
    ----------
    data : numpy.ndarray
        Numbers of any shape.
    maxiters : int
        Largest number of rounds in which outliers are left out.
    """
    plain = type(data) is np.ndarray and data.dtype.newbyteorder("=") == np.float32 and data.size > 0
    if maxiters < 1 or not (plain and _are_finite(data)):
        found: tuple[Any, Any, Any] = stats.sigma_clipped_stats(data, maxiters=maxiters)
        return found
    add_up = np.sum if data.dtype.isnative else chunk_sum
    values = data.ravel().astype(np.float32, copy=False)
    for _ in range(maxiters):
        middle, spread = find_median(values), _mean_and_spread(values, add_up)[1]
        kept = (values >= middle - spread * _SIGMA) & (values <= middle + spread * _SIGMA)
        if kept.all():
            break
        values = values[kept]
    mean, spread = _mean_and_spread(values, add_up)
    return mean, find_median(values), spread


def _are_finite(data: NDArray[np.float32]) -> bool:
    return bool(np.isfinite(data.min()) and np.isfinite(data.max()))


def _mean_and_spread(
    values: NDArray[np.float32], add_up: Callable[[NDArray[np.float32]], Any]
) -> tuple[np.float32, np.float32]:
    """Return what `numpy.nanmean` and `numpy.nanstd` return for numbers that are all finite."""
    count = len(values)
    mean = np.float32(np.float64(add_up(values)) / count)
    away = values - mean
    np.multiply(away, away, out=away)
    return mean, np.float32(np.sqrt(np.float32(np.float64(add_up(away)) / count)))
