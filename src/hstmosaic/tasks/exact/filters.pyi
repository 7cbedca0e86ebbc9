import numpy as np

def correlate(
    image: np.ndarray,
    found: np.ndarray,
    weights: np.ndarray,
    axis: int,
    symmetric: bool,
    constant: bool,
    instructions: str = "auto",
    /,
) -> None:
    """Correlate an image with weights along an axis, as `scipy.ndimage.correlate1d` does.

    Parameters
    ----------
    image : numpy.ndarray
        Pixels, float32, shape (ny, nx).
    found : numpy.ndarray
        Receives the result, float32, same shape; it may be the image along rows.
    weights : numpy.ndarray
        Float64, an odd number of them.
    axis : int
        0 along columns, 1 along rows.
    symmetric : bool
        Whether weights are symmetric; else they are antisymmetric.
    constant : bool
        Whether there are zeros beyond the image; else it is reflected at its edges.
    instructions : str
        ``plain`` to do without AVX2.

    Raises
    ------
    ValueError
        If shapes do not fit, or weights reach further than the image.
    """

def thin(
    up: np.ndarray,
    right: np.ndarray,
    size: np.ndarray,
    found: np.ndarray,
    least: float,
    instructions: str = "auto",
    /,
) -> None:
    """Keep the ridges of slopes, as scikit-image's Canny filter does.

    Parameters
    ----------
    up, right, size : numpy.ndarray
        Slopes along columns and along rows, and their size, float32, shape (ny, nx).
    found : numpy.ndarray
        Receives the sizes on ridges and 0 elsewhere, float32, same shape.
    least : float
        Smallest size of a ridge, more than 0.
    instructions : str
        ``plain`` to do without AVX2.

    Raises
    ------
    ValueError
        If shapes do not fit.
    """

def stretch(cells: np.ndarray, found: np.ndarray, instructions: str = "auto", /) -> None:
    """Interpolate an image between cells, as `scipy.ndimage.zoom` of order 1 with ``grid_mode`` and ``nearest`` does.

    Parameters
    ----------
    cells : numpy.ndarray
        Values, float32, shape (rows, columns).
    found : numpy.ndarray
        Receives the image, float32, shape (ny, nx).
    instructions : str
        ``plain`` to do without AVX2.

    Raises
    ------
    ValueError
        If shapes do not fit.
    """
