"""Repairs of the search for sources: centres of narrow stars are wrong, and backgrounds are interpolated repeatedly."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from drizzlepac.haputils import align_utils, astrometric_utils
from photutils.background import core

from hstmosaic.tasks.exact.statistics import nan_median

_NARROWEST = 2.0
"""Width (FWHM, pixels) that `CentringFinder` assumes for narrower stars."""
WIDTH_RANGE = 0.6, 1.6
"""Widths that a star may be measured to have, in units of the usual one."""
_KERNEL_SIZE = 7


class RememberedBackground(align_utils.Background2D):  # type: ignore[misc]
    """A background whose images are computed once; photutils interpolates them again at each access."""

    def _filter_grid(self, data: np.ndarray) -> np.ndarray:
        """Replace each value of the mesh with the median of those around it."""
        size = np.array(self.filter_size)
        if self.filter_threshold is not None or (size % 2 == 0).any():
            return np.asarray(super()._filter_grid(data))
        padded = np.pad(data.astype(float), [(n // 2, n // 2) for n in size], constant_values=np.nan)
        around = np.lib.stride_tricks.sliding_window_view(padded, tuple(size))
        return np.asarray(nan_median(around.reshape(*data.shape, -1), axis=-1), dtype=data.dtype)

    @functools.cached_property
    def background(self) -> np.ndarray:
        """The background on all pixels."""
        return np.asarray(super().background)

    @functools.cached_property
    def background_rms(self) -> np.ndarray:
        """The scatter of the background on all pixels."""
        return np.asarray(super().background_rms)


def remember_backgrounds() -> None:
    """Let the search for sources, which computes it twice for each image, use this background and `nan_median`."""
    align_utils.Background2D = RememberedBackground
    core.nanmedian = nan_median


class CentringFinder(astrometric_utils.DAOStarFinder):  # type: ignore[misc]
    """A finder whose positions hold for stars that are narrower than two pixels, too.

    Centres come from one linear step away from the brightest pixel, along the slope of a star of the width that the
    finder assumes. Next to a star of WFC3/IR (1.2 pixels) that slope has gone to zero one pixel further, so that
    centres are off by up to 0.9 pixels: 0.26 (rms, per axis) for simulated stars without noise, 0.07 with a width of
    1.6, 0.05 with 2 and with 2.5. WFC3/UVIS and ACS are as wide (0.04). So the width is `_NARROWEST` at least; what is
    too sharp for a star is then a limit higher by the factor by which a single pixel is sharper than its kernel.

    The image of a segment is handed over with the sky in it and zeros around it, a step that draws centres to the
    middle of the segment. Here it is counted from the level at which the segment was cut out.
    """

    def __init__(self, threshold: float, fwhm: float, **options: Any) -> None:
        super().__init__(threshold, fwhm, **options)
        if fwhm < _NARROWEST:
            sharpest = self.kernel.data.max()
            super().__init__(threshold, _NARROWEST, **options)
            self.sharphi *= sharpest / self.kernel.data.max()

    def find_stars(self, data: np.ndarray, mask: np.ndarray | None = None) -> Any:
        """Find stars in the image of a segment, which has zeros around it."""
        return super().find_stars(np.where(data == 0, 0, data - self.threshold), mask=mask)


def centre_narrow_stars() -> None:
    """Let the search for sources use `CentringFinder`; the width of stars is measured as before."""
    original = astrometric_utils.extract_sources

    @functools.wraps(original)
    def extract_sources(*args: Any, **options: Any) -> Any:
        plain, astrometric_utils.DAOStarFinder = astrometric_utils.DAOStarFinder, CentringFinder
        try:
            return original(*args, **options)
        finally:
            astrometric_utils.DAOStarFinder = plain

    astrometric_utils.extract_sources = extract_sources


def expect_width(width: float) -> None:
    """Look for sources with a star's usual width where the star that was measured is not like a star.

    drizzlepac takes the first bright peak for a star that makes a finite width. In 5 of 19 simulated frames of WFC3/IR
    that had a neighbour, and the width was 0.37 to 0.53 arcsec instead of 0.15; WFC3/UVIS finds no star with a width
    beyond 0.33.

    Parameters
    ----------
    width : float
        Usual width (FWHM), arcsec.
    """
    original = align_utils.HAPImage.build_kernel

    @functools.wraps(original)
    def build_kernel(self: Any, fwhmpsf: float) -> None:
        original(self, fwhmpsf)
        if not WIDTH_RANGE[0] < self.fwhmpsf / width < WIDTH_RANGE[1]:
            self.fwhmpsf, self.kernel_psf = width, False
            self.kernel_fwhm = width / self.pscale
            self.kernel = astrometric_utils.build_gaussian_kernel(self.kernel_fwhm, _KERNEL_SIZE)

    align_utils.HAPImage.build_kernel = build_kernel
