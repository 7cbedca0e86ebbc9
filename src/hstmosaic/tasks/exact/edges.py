"""Edges in an image, as `skimage.feature.canny` finds them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import ndimage
from skimage import feature
from skimage.feature._canny_cy import _nonmaximum_suppression_bilinear

from hstmosaic.tasks.exact.smoothing import CONSTANT, can_filter, gaussian, reach, slopes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Image = NDArray[np.float32]

_ABOVE_ZERO = 1e-14
"""Smallest slope of scikit-image where it is given none."""


def find_edges(
    image: NDArray[Any], sigma: float, low_threshold: float, high_threshold: float, mask: Any = None
) -> NDArray[np.bool_]:
    """Return the edges that `skimage.feature.canny` returns, without smoothing an image of ones.

    Parameters
    ----------
    image : numpy.ndarray
        Pixels, shape (ny, nx).
    sigma : float
        Width of the Gaussian that smooths the image, pixels.
    low_threshold, high_threshold : float
        Gradients of pixels of an edge, and of one of its pixels at least.
    mask : numpy.ndarray, optional
        Pixels that count; all of them when None.
    """
    if mask is not None or image.dtype != np.float32 or image.ndim != 2 or min(image.shape) < 3:
        canny: Any = feature.canny
        found: NDArray[np.bool_] = canny(image, sigma, low_threshold, high_threshold, mask)
        return found
    smooth = gaussian(np.ascontiguousarray(image), sigma, CONSTANT)
    _divide_by_share(smooth, sigma)
    up, right = slopes(smooth)
    size, product = np.multiply(up, up, out=smooth), right * right
    size += product
    np.sqrt(size, out=size)
    ridges = keep_ridges(up, right, size, low_threshold)
    pixels = ridges > 0
    labels, count = ndimage.label(pixels, np.ones((3, 3), bool))
    steep = np.zeros(count + 1, bool)
    steep[labels[pixels & (ridges >= high_threshold)]] = True
    found = steep[labels]
    return found


def _divide_by_share(smooth: NDArray[np.float32], sigma: float) -> None:
    """Divide each pixel by the share of the Gaussian that is inside of the image; only those near its edges differ."""
    margin = reach(sigma)
    places = [np.minimum(np.arange(length), margin) for length in smooth.shape]
    for place, length in zip(places, smooth.shape, strict=True):
        if length > 2 * margin:
            place[length - margin :] = np.arange(margin + 1, 2 * margin + 1)
        else:
            place[:] = np.arange(length)
    shape = tuple(min(length, 2 * margin + 1) for length in smooth.shape)
    share = gaussian(np.ones(shape, np.float32), sigma, CONSTANT) + np.finfo(np.float32).eps
    rows = share[:, places[1]]
    if shape[0] < smooth.shape[0]:
        smooth[:margin] /= rows[:margin]
        smooth[margin:-margin] /= rows[margin]
        smooth[-margin:] /= rows[margin + 1 :]
    else:
        smooth /= rows


def keep_ridges(up: Image, right: Image, size: Image, least: float) -> Image:
    """Return the sizes of slopes on ridges, 0 elsewhere, as scikit-image's Canny filter finds them.

    Parameters
    ----------
    up, right : numpy.ndarray
        Slopes along columns and along rows, shape (ny, nx).
    size : numpy.ndarray
        Their sizes, same shape.
    least : float
        Smallest size of a ridge; where it is 0, any size above 0 will do.
    """
    if not all(can_filter(image, 1) for image in (up, right, size)):
        inner = np.ones(size.shape, bool)
        inner[[0, -1]] = inner[:, [0, -1]] = False
        found: Image = _nonmaximum_suppression_bilinear(up, right, size, inner, least)
        return found
    from hstmosaic.tasks.exact.filters import thin

    found = np.empty_like(size)
    thin(up, right, size, found, least or _ABOVE_ZERO)
    return found
