"""Repairs of `drizzlepac.haputils.analyze`: an unseeded guiding check, a slow one, and headers without MTFLAG."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import numpy as np
from drizzlepac.haputils import analyze
from photutils.segmentation import SegmentationImage
from scipy import ndimage

from hstmosaic.tasks.exact.clipping import clip_statistics
from hstmosaic.tasks.exact.edges import find_edges

if TYPE_CHECKING:
    from astropy.io import fits


def seed_guiding_check(seed: int) -> None:
    """Make `analyze.verify_guiding` give one verdict for one file.

    Its Hough transform samples at random without a seed, so that an exposure is accepted in one run and dropped in
    the next.
    """
    original = analyze.probabilistic_hough_line
    original = getattr(original, "func", original)
    analyze.probabilistic_hough_line = functools.partial(original, rng=seed)


def default_moving_target_flag() -> None:
    """Read exposures whose headers have no MTFLAG (ACS of 2002) as of fixed targets instead of raising KeyError."""
    original = analyze.getheader

    def getheader(*args: Any, **kwargs: Any) -> fits.Header:
        header = original(*args, **kwargs)
        header.setdefault("MTFLAG", " ")
        return header

    analyze.getheader = getheader


def detect_sources(data: np.ndarray, threshold: float, npixels: int) -> SegmentationImage | None:
    """Find connected pixels above a threshold as `photutils.segmentation.detect_sources` does, in a tenth of the time.

    The guiding check looks for sources one sigma above the background, among half a million noise peaks that photutils
    cuts out one by one.

    Parameters
    ----------
    data : numpy.ndarray
        The image, shape (ny, nx).
    threshold : float
        Pixels above it belong to sources.
    npixels : int
        Smallest source, pixels.

    Returns
    -------
    photutils.segmentation.SegmentationImage or None
        None where there is no source.
    """
    segments, count = ndimage.label(data > threshold, structure=np.ones((3, 3), dtype=bool))
    large = np.bincount(segments.ravel(), minlength=count + 1) >= npixels
    large[0] = False
    if not large.any():
        return None
    labels = np.zeros(count + 1, dtype=segments.dtype)
    labels[large] = np.arange(1, np.count_nonzero(large) + 1)
    return SegmentationImage(labels[segments])


def detect_sources_fast() -> None:
    """Let the guiding check use `detect_sources`."""
    analyze.detect_sources = detect_sources


def find_lines_fast() -> None:
    """Let the guiding check use `edges.find_edges` and `clipping.clip_statistics`."""
    analyze.canny, analyze.sigma_clipped_stats = find_edges, clip_statistics
