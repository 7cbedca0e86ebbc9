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
