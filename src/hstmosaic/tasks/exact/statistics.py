"""Means and medians of sequences that are never in memory as a whole, as numpy computes them.

numpy adds single-precision numbers in single precision, so that a mean depends on the order of additions.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

LEAF = 1 << 20
"""Numbers of the sequence that `tree_mean` adds at once."""
_UNROLLED, _STEP = 128, 8
"""numpy's pairwise sum: longest block that is not divided, and what lengths of the first halves are multiples of."""
CHUNK = 8192
"""numpy adds numbers that are not in the byte order of the machine in chunks of this length."""
_HIGH = 16


class Taker:
    """Takes numbers from a sequence that comes in pieces of any length."""

    def __init__(self, pieces: Iterable[np.ndarray]) -> None:
        self._pieces = iter(pieces)
        self._rest: list[np.ndarray] = []

    def take(self, count: int) -> np.ndarray:
        """Return the next numbers; fewer at the end of the sequence."""
        found, length = [], 0
        while length < count:
            piece = self._rest.pop() if self._rest else next(self._pieces, None)
            if piece is None:
                break
            if length + len(piece) > count:
                self._rest.append(piece[count - length :])
                piece = piece[: count - length]
            found.append(piece)
            length += len(piece)
        if len(found) == 1:
            return found[0]
        return np.concatenate(found) if found else np.empty(0, np.float32)


def tree_mean(pieces: Iterable[np.ndarray], count: int) -> np.float32:
    """Return ``numpy.mean`` of a contiguous sequence of single-precision numbers in the byte order of the machine.

    Parameters
    ----------
    pieces : iterable of numpy.ndarray of float32
        The sequence.
    count : int
        Its length, more than 0.
    """
    return np.float32(np.float32(_tree(Taker(pieces).take, count)) / count)


def _tree(take: Callable[[int], np.ndarray], count: int) -> np.float32:
    if count <= max(LEAF, _UNROLLED):
        return np.float32(np.add.reduce(take(count)))
    half = count // 2
    half -= half % _STEP
    first = _tree(take, half)
    return np.float32(first + _tree(take, count - half))


def chunk_mean(pieces: Iterable[np.ndarray], count: int) -> np.float32:
    """Return ``numpy.mean`` of a sequence of single-precision numbers that are not in the byte order of the machine.

    Parameters
    ----------
    pieces : iterable of numpy.ndarray of float32
        The sequence, in any byte order.
    count : int
        Its length, more than 0.
    """
    total, taker = np.float32(0), Taker(pieces)
    for first in range(0, count, LEAF):
        numbers = np.asarray(taker.take(min(LEAF, count - first)), dtype=np.float32)
        total = chunk_sum(numbers, float(total))
    return np.float32(total / count)


def chunk_sum(numbers: np.ndarray, before: float = 0) -> np.float32:
    """Return ``numpy.sum`` of numbers that are not in the byte order of the machine, from such that are.

    Parameters
    ----------
    numbers : numpy.ndarray of float32
        The sequence.
    before : float
        Sum of what comes before, a multiple of `CHUNK` numbers.
    """
    total = np.float32(before)
    whole = len(numbers) - len(numbers) % CHUNK
    for part in np.add.reduce(numbers[:whole].reshape(-1, CHUNK), axis=1):
        total += part
    if whole < len(numbers):
        total += np.add.reduce(numbers[whole:])
    return total


def median(counts: Counter[float], dtype: type[np.generic]) -> np.generic:
    """Return ``numpy.median`` of numbers that were counted.

    Parameters
    ----------
    counts : Counter of float
        How often each number comes.
    dtype : type
        Of the sequence: the middle two are added in it.
    """
    values = np.array(sorted(counts), dtype=dtype)
    ends = np.cumsum([counts[float(value)] for value in values])
    middle = [int(np.searchsorted(ends, place, side="right")) for place in ((ends[-1] - 1) // 2, ends[-1] // 2)]
    found: np.generic = np.mean(values[sorted(set(middle))])
    return found


def nan_median(data: np.ndarray, axis: int | None = None) -> Any:
    """Return what `numpy.nanmedian` returns, to the bit, for all rows of the last axis at once.

    numpy takes the median of rows of more than 600 elements one by one in Python.
    """
    if type(data) is not np.ndarray or axis != -1:
        return np.nanmedian(data, axis=axis)
    counts = data.shape[-1] - np.count_nonzero(np.isnan(data), axis=-1)
    middle = np.stack([np.maximum(counts - 1, 0) // 2, np.minimum(counts // 2, data.shape[-1] - 1)], axis=-1)
    return np.take_along_axis(np.sort(data, axis=-1), middle, axis=-1).mean(axis=-1)


def count_numbers(counts: Counter[float], numbers: np.ndarray, repeats: np.ndarray) -> None:
    """Add a piece of a sequence to its counts.

    Parameters
    ----------
    counts : Counter of float
        Counts to add to.
    numbers : numpy.ndarray
        The piece, shape (n,).
    repeats : numpy.ndarray of int
        How often each number comes in the sequence, shape (n,).
    """
    values, places = np.unique(numbers, return_inverse=True)
    times = np.bincount(places, repeats, len(values)).astype(np.int64)
    for value, number in zip(values.tolist(), times.tolist(), strict=True):
        counts[value] += number


class PositiveMedian:
    """The median of positive single-precision numbers, in two passes over their sequence."""

    def __init__(self) -> None:
        self.high = np.zeros(1 << _HIGH, np.int64)
        """Count of numbers with these upper 16 bits; bits of positive numbers are in the order of the numbers."""

    def add(self, numbers: np.ndarray) -> None:
        """Look at a piece of the sequence, in the first pass."""
        bits = np.ascontiguousarray(numbers, dtype=np.float32).view(np.uint32)
        self.high += np.bincount(bits >> _HIGH, minlength=1 << _HIGH)

    @property
    def count(self) -> int:
        """Length of the sequence."""
        return int(self.high.sum())

    def find(self, pieces: Callable[[], Iterator[np.ndarray]]) -> np.float32:
        """Return the median.

        Parameters
        ----------
        pieces : callable
            Returns the sequence once more.
        """
        count, ends = self.count, np.cumsum(self.high)
        places = sorted({(count - 1) // 2, count // 2})
        upper = [int(np.searchsorted(ends, place, side="right")) for place in places]
        low = {number: np.zeros(1 << _HIGH, np.int64) for number in set(upper)}
        for piece in pieces():
            bits = np.ascontiguousarray(piece, dtype=np.float32).view(np.uint32)
            for number in low:
                low[number] += np.bincount(bits[bits >> _HIGH == number] & ((1 << _HIGH) - 1), minlength=1 << _HIGH)
        found = []
        for place, number in zip(places, upper, strict=True):
            before = int(ends[number] - self.high[number])
            found.append(number << _HIGH | int(np.searchsorted(np.cumsum(low[number]), place - before, side="right")))
        return np.float32(np.mean(np.array(found, np.uint32).view(np.float32)))
