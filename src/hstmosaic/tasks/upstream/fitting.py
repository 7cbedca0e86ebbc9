"""Repairs of the joint fit: biased matching, a plane with oblique axes, slow outlines, and a missing label."""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.wcs import WCS
from drizzlepac import updatehdr
from drizzlepac.haputils import align_utils
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import KDTree
from tweakwcs.correctors import FITSWCSCorrector

if TYPE_CHECKING:
    from collections.abc import Sequence


def name_multivisit_fits() -> None:
    """Let drizzlepac describe WCSs that are called ``...-FIT_MVM_...``, which its multi-visit fit itself makes.

    Its table of labels has no MVM; since 3.7 at least, every update of headers dies of a KeyError, which is swallowed.
    """
    original = updatehdr.interpret_wcsname_type

    @functools.wraps(original)
    def interpret(wcsname: str | None) -> str:
        if wcsname is None or "-FIT_MVM_" not in wcsname.upper():
            return str(original(wcsname))
        by_visit = original(re.sub("-FIT_MVM_", "-FIT_SVM_", wcsname, flags=re.IGNORECASE))
        return str(by_visit).replace("aligned by visit", "aligned across visits")

    updatehdr.interpret_wcsname_type = interpret


class MiddleMatch(align_utils.XYXYMatch):  # type: ignore[misc]
    """Matching that takes, of the detections of one star in several exposures, the one in their middle.

    Detections that are closer together than the ``separation`` count as one star. The original keeps the first one
    in order of y, so that a fit of N exposures is off by about the expected extreme of N measurement errors: by 4 to
    9 mas in simulations with WFC3/IR among the exposures, against 0.5 mas with this.
    """

    def __call__(self, refcat: Any, imcat: Any, **options: Any) -> tuple[np.ndarray, np.ndarray]:
        """Return indices of matched rows of the reference catalogue and of the detections."""
        detections = np.column_stack([imcat["TPx"], imcat["TPy"]]).astype(float)
        middle = middle_detections(detections, self._separation)
        reference, found = super().__call__(refcat, imcat[middle], **options)
        return reference, middle[found]


def middle_detections(positions: np.ndarray, separation: float) -> np.ndarray:
    """Return one index per star: of the detection nearest to the median of those within `separation`.

    Parameters
    ----------
    positions : numpy.ndarray
        Detections, shape (n, 2).
    separation : float
        In the unit of `positions`.

    Returns
    -------
    numpy.ndarray
        Ascending indices.
    """
    pairs = KDTree(positions).query_pairs(separation, output_type="ndarray")
    close = coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(len(positions),) * 2)
    _, star = connected_components(close, directed=False)
    order = np.argsort(star, kind="stable")
    stars = np.split(order, np.flatnonzero(np.diff(star[order])) + 1)
    distances = (np.hypot(*(positions[s] - np.median(positions[s], axis=0)).T) for s in stars)
    return np.sort([s[np.argmin(d)] for s, d in zip(stars, distances, strict=True)])


def take_middle_detections() -> None:
    """Let the fits use `MiddleMatch`."""
    align_utils.XYXYMatch = MiddleMatch


def fit_in_square_plane() -> None:
    """Let exposures be fitted in a plane whose axes are of one scale and at right angles.

    The plane of the original is that of the first exposure's pixels, whose axes are not: by 4 degrees in WFC3/UVIS.
    There a turn looks sheared, which a fit of shift, turn and scale cannot follow: full frames of ACS that were turned
    by 0.035 degrees against WFC3/UVIS kept errors of 9 mas at their edges, and keep 2 mas with this.

    Exposures that are fitted to a catalogue each by itself keep planes of their own, in which drizzlepac's tolerances
    are counted in pixels of each.
    """
    original = align_utils.align_wcs

    @functools.wraps(original)
    def align_wcs(images: Sequence[Any], reference: Any = None, **options: Any) -> Any:
        together = reference is None or len({image.meta["group_id"] for image in images}) == 1
        plane = square_plane(images[0].wcs) if together else None
        return original(images, reference, ref_tpwcs=plane, **options)

    align_utils.align_wcs = align_wcs


def square_plane(wcs: WCS) -> Any:
    """Return a plane that touches the sky where an image's does, with square pixels of the same area.

    Parameters
    ----------
    wcs : astropy.wcs.WCS
        Of the image; its x axis keeps its direction.
    """
    cd = wcs.wcs.cd
    area = np.linalg.det(cd)
    x = cd[:, 0] / np.hypot(*cd[:, 0])
    square = WCS(naxis=2)
    square.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    square.wcs.crval, square.wcs.crpix = wcs.wcs.crval, wcs.wcs.crpix
    square.wcs.cd = np.sqrt(abs(area)) * np.column_stack([x, np.sign(area) * np.array([-x[1], x[0]])])
    square.pixel_shape = wcs.pixel_shape
    return FITSWCSCorrector(square)


def outline_ensembles_fast() -> None:
    """Outline the ensemble of all exposures by its convex hull.

    The exact union of many chips takes most of the fit's time, and is used for nothing where the order of exposures
    is given. Single exposures, of two chips at most, keep their exact outlines.
    """
    align_utils.align_wcs = functools.partial(align_utils.align_wcs, group_bb_policy=2)
