"""Every repair of drizzlepac, in one place; each is tested for still being needed.

Functions here replace attributes of drizzlepac's modules in the process of one task. Nothing of the installed package
is changed.
"""

from __future__ import annotations

import functools
import itertools
import shutil
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
from drizzlepac.haputils import analyze, product
from photutils.segmentation import SegmentationImage
from scipy import ndimage
from simplify_polyline import simplifiers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from astropy.io import fits

_NOT_DROPPED_CHARACTER = "x"


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


def break_ties_in_order() -> None:
    """Make the simplification of S_REGION polygons repeatable.

    Equal triangles are taken in the order of their memory addresses, so that a vertex comes and goes from run to run.
    """
    counter = itertools.count()
    original = simplifiers.Point.__init__

    @functools.wraps(original)
    def numbered(self: Any, vert: Any) -> None:
        original(self, vert)
        self.number = next(counter)

    point: Any = simplifiers.Point
    point.__init__ = numbered
    point._sorting_key = property(lambda self: (self.doubled_area, self.number))


def trust_screening() -> None:
    """Let every exposure of the poller through: the verdicts were taken before the fan-out."""

    def all_viable(files: Sequence[str], *_: Any, **__: Any) -> tuple[list[str], list[int], int]:
        return list(files), list(range(len(files))), analyze.Ret_code.OK.value

    analyze.analyze_wrapper = all_viable


def copy_without_mode() -> None:
    """Keep working copies writable where the user's exposures are read-only.

    ``shutil.copy`` hands the mode on to the copy, whose header drizzlepac then cannot update.
    """
    product.shutil = SimpleNamespace(copy=shutil.copyfile, move=shutil.move)


def exact_prefix(prefix: str) -> str:
    """Return what drizzlepac must be given to name files with `prefix`: it cuts a final underscore off and one more."""
    return prefix + _NOT_DROPPED_CHARACTER + "_" if prefix.endswith("_") else prefix


def compute_footprints_once() -> None:
    """Remember the bounding box of the common grid; drizzlepac paints the same masks for each use of it."""
    original = product.SkyCellProduct.generate_metawcs
    known: dict[tuple[Any, ...], tuple[Any, Any, Any]] = {}

    @functools.wraps(original)
    def generate_metawcs(self: Any, custom_limits: Sequence[int] | None = None) -> Any:
        key = (self.skycell.scale, tuple(custom_limits or ()), tuple(self.all_mvm_exposures))
        if key not in known:
            original(self, custom_limits=custom_limits)
            known[key] = (self.meta_wcs, self.meta_bounded_wcs, getattr(self, "bounding_box", None))
        full, bounded, box = known[key]
        self.meta_wcs, self.meta_bounded_wcs = full.deepcopy(), bounded.deepcopy()
        if box is not None:
            self.bounding_box = list(box)
        return self.meta_bounded_wcs

    product.SkyCellProduct.generate_metawcs = generate_metawcs
