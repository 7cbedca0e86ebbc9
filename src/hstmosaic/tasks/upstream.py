"""Every repair of drizzlepac, in one place; each is tested for still being needed.

Functions here replace attributes of drizzlepac's modules in the process of one task. Nothing of the installed package
is changed.
"""

from __future__ import annotations

import functools
import itertools
import os
import re
import shutil
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.wcs import WCS
from drizzlepac import imageObject, sky, updatehdr
from drizzlepac.haputils import align_utils, analyze, astrometric_utils, config_utils, product
from photutils.segmentation import SegmentationImage
from scipy import ndimage
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import KDTree
from simplify_polyline import simplifiers
from tweakwcs.correctors import FITSWCSCorrector

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from astropy.io import fits

SBC_SOUGHT, _SBC_INDEXED = "acs_sbc_any_any", "acs_sbc_any_n2"
"""Condition of ACS/SBC that drizzlepac looks for, and its name in the index of parameters."""
_NOT_DROPPED_CHARACTER = "x"
NARROWEST = 2.0
"""Width (FWHM, pixels) from which `CentringFinder` finds the middle of stars, also of narrower ones."""


class OutOfMemoryError(BaseException):
    """A MemoryError of a step that drizzlepac goes on without; not an `Exception`, so that drizzlepac lets it pass."""


def end_on_memory_error_in_sky() -> None:
    """Let a MemoryError end sky matching and the task; drizzlepac would subtract each exposure's own sky instead."""
    original = sky.skymatch

    @functools.wraps(original)
    def skymatch(*args: Any, **kwargs: Any) -> Any:
        try:
            return original(*args, **kwargs)
        except MemoryError as error:
            raise OutOfMemoryError(str(error)) from error

    sky.skymatch = skymatch


def find_sbc_parameters() -> None:
    """Drizzle layers of ACS/SBC with the parameters that drizzlepac has for them.

    It looks for the condition ``acs_sbc_any_any``, but its index has ``acs_sbc_any_n2``. Filters other than F115LP and
    F122M get general parameters instead, which reject photons as cosmic rays, although ACS/SBC sees none, and fill
    holes with 0.
    """
    original = config_utils.read_index

    @functools.wraps(original)
    def read_index(*args: Any, **kwargs: Any) -> tuple[dict[str, Any], str]:
        index, folder = original(*args, **kwargs)
        found = index["astrodrizzle"]
        if _SBC_INDEXED in found:
            found.setdefault(SBC_SOUGHT, found[_SBC_INDEXED])
        return index, folder

    config_utils.read_index = read_index


def keep_paths_relative() -> None:
    """Let absolute paths of files in the current directory be relative ones, in this process.

    drizzlepac's libraries take blanks, commas, ``[`` and ``$`` in the path of a file for separators, extensions and
    variables. Exposures have plain names in the task's directory, but `stsci.tools` makes the names of static masks
    absolute.
    """
    os.getcwd = lambda: os.curdir


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
    point.__lt__ = _comes_first


def _comes_first(left: Any, right: Any) -> bool:
    """Compare points by area, then number; most are told apart by their areas, without making keys."""
    a, b = left.doubled_area, right.doubled_area
    return bool(a < b or (a == b and left.number < right.number))


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


def reject_filled_pixels(keyword: str, flag: int) -> None:
    """Give pixels no weight that were filled in a working copy, also where all flags are accepted.

    The parameter set for few exposures accepts every flag (``final_bits`` is 65535): exposures then count with all
    pixels, and no flag of 16 bits could keep a pixel out.

    Parameters
    ----------
    keyword : str
        Keyword in the header of DQ of a working copy with filled pixels.
    flag : int
        Flag of such pixels.
    """
    original = imageObject.baseImageObject.buildMask

    @functools.wraps(original)
    def build_mask(self: Any, chip: int, bits: Any = 0, write: bool = False) -> np.ndarray:
        mask: np.ndarray = original(self, chip, bits, write)
        if keyword in self._image[self.maskExt, chip].header:
            mask[(self.getData(f"{self.maskExt},{chip}") & flag) != 0] = 0
        return mask

    imageObject.baseImageObject.buildMask = build_mask


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


class RememberedBackground(align_utils.Background2D):  # type: ignore[misc]
    """A background whose images are computed once; photutils interpolates them again at each access."""

    @functools.cached_property
    def background(self) -> np.ndarray:
        """The background on all pixels."""
        return np.asarray(super().background)

    @functools.cached_property
    def background_rms(self) -> np.ndarray:
        """The scatter of the background on all pixels."""
        return np.asarray(super().background_rms)


def remember_backgrounds() -> None:
    """Let the search for sources, which asks twice for each image, use `RememberedBackground`."""
    align_utils.Background2D = RememberedBackground


class CentringFinder(astrometric_utils.DAOStarFinder):  # type: ignore[misc]
    """A finder whose positions hold for stars that are narrower than two pixels, too.

    Centres come from one linear step away from the brightest pixel, along the slope of a star of the width that the
    finder is told. Next to a star of WFC3/IR (1.2 pixels) that slope has gone to zero one pixel further, so that
    centres are off by up to 0.9 pixels: 0.26 (rms, per axis) for simulated stars without noise, 0.07 with a width of
    1.6, 0.05 with 2 and with 2.5. WFC3/UVIS and ACS are as wide (0.04). So the width is `NARROWEST` at least; what is
    too sharp for a star is then told by as much more as a single pixel is sharper than its kernel.

    The image of a segment is handed over with the sky in it and zeros around it, a step that draws centres to the
    middle of the segment. Here it is counted from the level at which the segment was cut out.
    """

    def __init__(self, threshold: float, fwhm: float, **options: Any) -> None:
        super().__init__(threshold, fwhm, **options)
        if fwhm < NARROWEST:
            sharpest = self.kernel.data.max()
            super().__init__(threshold, NARROWEST, **options)
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


def use_found_sources(sources: Mapping[str, Callable[[], dict[int, Any]]]) -> None:
    """Let an `AlignmentTable` take sources that were found before, instead of looking for them one by one.

    Parameters
    ----------
    sources : mapping of str to callable
        File name of an exposure, and what reads its tables by chip.
    """

    class FoundImage:
        """As much of a `HAPImage` as an `AlignmentTable` needs."""

        num_sci = 0
        kernel = None

        def __init__(self, filename: str) -> None:
            self.imgname = filename
            self.imghdu = filename
            self.catalog_table: dict[int, Any] = {}

        def compute_background(self, **_: Any) -> None: ...

        def build_kernel(self, *_: Any) -> None: ...

        def find_alignment_sources(self, **_: Any) -> None:
            self.catalog_table = sources[self.imgname]()

        def close(self) -> None: ...

    align_utils.HAPImage = align_utils.SBCHAPImage = FoundImage


def serve_catalogs(reply: Callable[[str], str]) -> None:
    """Let drizzlepac's requests to the catalogue service be answered by a function of the URL."""

    def get(url: str, **_: Any) -> SimpleNamespace:
        return SimpleNamespace(content=reply(url).encode())

    astrometric_utils.requests = SimpleNamespace(get=get)
