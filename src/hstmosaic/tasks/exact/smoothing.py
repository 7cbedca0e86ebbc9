"""Filters of images with the bits of `scipy.ndimage`, in a tenth of the time where `filters.c` is compiled.

scipy copies an image line by line into buffers, and along columns each pixel of a line is far from the one before.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Image = NDArray[np.float32]

_TRUNCATE = 4.0
_SLOPE, _ACROSS = (-1.0, 0.0, 1.0), (1.0, 2.0, 1.0)
REFLECT, CONSTANT = "reflect", "constant"


def is_compiled() -> bool:
    """Return whether the filters are installed; functions of this module use scipy without them."""
    return find_spec("hstmosaic.tasks.exact.filters") is not None


def reach(sigma: float) -> int:
    """Return how far a Gaussian filter reaches, pixels."""
    return int(_TRUNCATE * sigma + 0.5)


def gaussian(image: Image, sigma: float, mode: str = REFLECT) -> Image:
    """Return what `scipy.ndimage.gaussian_filter` returns.

    Parameters
    ----------
    image : numpy.ndarray
        Pixels, shape (ny, nx).
    sigma : float
        Width, pixels, more than 0.
    mode : {'reflect', 'constant'}
        Image beyond its edges: reflected, or 0.
    """
    if not can_filter(image, reach(sigma)):
        found: Image = ndimage.gaussian_filter(image, sigma, mode=mode)
        return found
    weights = _gaussian_weights(sigma)
    found = np.empty_like(image)
    _correlate(image, found, weights, 0, symmetric=True, mode=mode)
    _correlate(found, found, weights, 1, symmetric=True, mode=mode)
    return found


def slopes(image: Image) -> tuple[Image, Image]:
    """Return what `scipy.ndimage.sobel` returns along both axes, columns first.

    Parameters
    ----------
    image : numpy.ndarray
        Pixels, shape (ny, nx).
    """
    if not can_filter(image, 1):
        return ndimage.sobel(image, axis=0), ndimage.sobel(image, axis=1)
    slope, across = np.array(_SLOPE), np.array(_ACROSS)
    up, right, between = (np.empty_like(image) for _ in range(3))
    _correlate(image, up, slope, 0, symmetric=False)
    _correlate(up, up, across, 1, symmetric=True)
    _correlate(image, between, slope, 1, symmetric=False)
    _correlate(between, right, across, 0, symmetric=True)
    return up, right


def stretch(cells: Image, shape: tuple[int, int]) -> Image:
    """Return an image interpolated between cells, as `scipy.ndimage.zoom` of order 1 makes it.

    Parameters
    ----------
    cells : numpy.ndarray
        Values, float32, shape (rows, columns), at the middle of each cell.
    shape : tuple of int
        Of the image.
    """
    if not can_filter(cells, 1):
        zoom = tuple(length / count for length, count in zip(shape, cells.shape, strict=True))
        return np.asarray(ndimage.zoom(cells, zoom, order=1, grid_mode=True, mode="nearest"))
    from hstmosaic.tasks.exact import filters

    found = np.empty(shape, np.float32)
    filters.stretch(cells, found)
    return found


def can_filter(image: Image, pixels: int) -> bool:
    """Return whether the compiled filters take an image, with weights that reach over a number of pixels."""
    plain = type(image) is np.ndarray and image.dtype == np.float32 and image.ndim == 2 and image.flags.c_contiguous
    return plain and min(image.shape) >= max(pixels, 1) and is_compiled()


def _gaussian_weights(sigma: float) -> NDArray[np.float64]:
    """Return the weights of scipy's filter, in its order of operations."""
    pixels = np.arange(-reach(sigma), reach(sigma) + 1)
    weights = np.exp(-0.5 / (sigma * sigma) * pixels**2)
    found: NDArray[np.float64] = weights / weights.sum()
    return found


def _correlate(
    image: Image, found: Image, weights: NDArray[np.float64], axis: int, *, symmetric: bool, mode: str = REFLECT
) -> None:
    from hstmosaic.tasks.exact.filters import correlate

    correlate(image, found, weights, axis, symmetric, mode == CONSTANT)
