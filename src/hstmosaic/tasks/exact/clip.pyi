import numpy as np

def moments(image: np.ndarray, low: float, high: float, /) -> tuple[int, float, float, float, float]:
    """Return what `stsci.imagestats.computeMean` returns, to the bit.

    Parameters
    ----------
    image : numpy.ndarray
        Float32, contiguous, of any shape.
    low, high : float
        Limits of the pixels that count, rounded to single precision; both belong to the range.

    Returns
    -------
    tuple
        The number of pixels, their mean and standard deviation, the least and the greatest one.
    """

def count(image: np.ndarray, low: float, first: float, last: float, /) -> tuple[int, int]:
    """Return the numbers of pixels from `low` up to but without `first`, and from `first` to `last`.

    Parameters
    ----------
    image : numpy.ndarray
        As for `moments`.
    low, first, last : float
        In ascending order, rounded to single precision.
    """

def take(image: np.ndarray, first: float, last: float, out: np.ndarray, /) -> int:
    """Take the pixels between limits in their order.

    Parameters
    ----------
    image : numpy.ndarray
        As for `moments`.
    first, last : float
        Both belong to the range.
    out : numpy.ndarray
        Float32, for the pixels; those that do not fit in are left out.

    Returns
    -------
    int
        Number of pixels taken.
    """

def select(image: np.ndarray, good: np.ndarray | None, runs: np.ndarray, swapped: bool, out: np.ndarray, /) -> int:
    """Take the good pixels of some runs, in the byte order of the machine.

    Parameters
    ----------
    image : numpy.ndarray
        Uint32: the bits of float32 pixels, shape (rows, columns).
    good : numpy.ndarray or None
        Uint8, of the same shape: 0 for pixels that do not count.
    runs : numpy.ndarray
        Int64, shape (number, 3): row, first column, and the column behind the last one.
    swapped : bool
        Whether the pixels are in the other byte order.
    out : numpy.ndarray
        Uint32, with room for all pixels of the runs.

    Returns
    -------
    int
        Number of pixels taken.

    Raises
    ------
    ValueError
        If shapes do not fit, or runs are outside of the image.
    """
