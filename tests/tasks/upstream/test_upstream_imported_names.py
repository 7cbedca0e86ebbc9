"""What drizzlepac, stsci.skypac and tweakwcs take from other packages is there and does what they need.

drizzlepac hides errors of such calls: a release that renames a method or a column changes mosaics without an error.
"""

import ast
import importlib
import warnings
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.modeling.fitting import TRFLSQFitter
from astropy.stats import gaussian_fwhm_to_sigma
from astropy.table import Table
from astropy.wcs import WCS
from photutils.background import Background2D, MMMBackground, SExtractorBackground, StdBackgroundRMS
from photutils.detection import DAOStarFinder, find_peaks
from photutils.psf import CircularGaussianSigmaPRF, IterativePSFPhotometry
from photutils.segmentation import SourceCatalog, deblend_sources, detect_sources
from skimage.feature import canny
from skimage.transform import probabilistic_hough_line
from spherical_geometry.polygon import MalformedPolygonError, SphericalPolygon
from stsci.imagestats import ImageStats
from tweakwcs import FITSWCSCorrector, XYXYMatch, align_wcs, fit_wcs

pytestmark = pytest.mark.upstream

USERS = (
    "drizzlepac.hapmultisequencer",
    "drizzlepac.astrodrizzle",
    "drizzlepac.adrizzle",
    "drizzlepac.processInput",
    "drizzlepac.sky",
    "drizzlepac.staticMask",
    "drizzlepac.imageObject",
    "drizzlepac.outputimage",
    "drizzlepac.updatehdr",
    "drizzlepac.util",
    "drizzlepac.wcs_functions",
    "drizzlepac.wfc3Data",
    "drizzlepac.align",
    *(
        f"drizzlepac.haputils.{name}"
        for name in (
            "align_utils",
            "analyze",
            "astrometric_utils",
            "cell_utils",
            "config_utils",
            "poller_utils",
            "processing_utils",
            "product",
        )
    ),
    *(f"stsci.skypac.{name}" for name in ("parseat", "region", "skyline", "skymatch", "skystatistics", "utils")),
    "stsci.imagestats",
    *(f"tweakwcs.{name}" for name in ("correctors", "imalign", "linearfit", "matchutils", "wcsimage")),
    "stwcs.wcsutil.hstwcs",
    "stwcs.wcsutil.altwcs",
    "stwcs.wcsutil.headerlet",
)
NEVER_REACHED = {
    "stsci.tools.iraglob": "drizzlepac.util reads lists of lists with it, which no run has",
    "astropy.modeling.fitting._fitter_to_model_params": "tweakwcs.linearfit imports it in a branch for another astropy",
}
"""What is missing, and why no run needs it."""
TAKEN_FROM = {"astropy", "photutils", "scipy", "skimage", "spherical_geometry", "stsci", "stwcs", "tweakwcs", "numpy"}


def source(name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SyntaxWarning)
        warnings.simplefilter("ignore", DeprecationWarning)
        return ast.parse(Path(find_spec(name).origin).read_text())


def tried(tree):
    """Return the imports whose failure the code expects."""
    guarded = (part for node in ast.walk(tree) if isinstance(node, ast.Try) for part in node.body)
    return {node for part in guarded for node in ast.walk(part)}


def imported(tree):
    """Yield the module and the name, or None, of each import, and by which name the code knows it."""
    expected = tried(tree)
    for node in ast.walk(tree):
        if node in expected:
            continue
        if isinstance(node, ast.ImportFrom) and node.level == 0 and node.module.split(".")[0] in TAKEN_FROM:
            yield from ((node.module, alias.name, alias.asname or alias.name) for alias in node.names)
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.split(".")[0] in TAKEN_FROM:
                    yield alias.name, None, alias.asname or alias.name.split(".")[0]


def taken(module, name):
    if name is None:
        return importlib.import_module(module)
    found = importlib.import_module(module)
    return getattr(found, name) if hasattr(found, name) else importlib.import_module(f"{module}.{name}")


def chain(node):
    """Return the names of ``a.b.c``, or nothing where it begins with something else than a name."""
    parts = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return [node.id, *reversed(parts)] if isinstance(node, ast.Name) else []


@pytest.mark.parametrize("name", USERS)
def test_each_imported_name_and_attribute_is_there(name):
    """Attributes are followed as far as they belong to modules and classes."""
    tree = source(name)
    known, missing = {}, []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for module, attribute, alias in imported(tree):
            try:
                known[alias] = importlib.import_module(module.split(".")[0]) if alias == module.split(".")[0] else None
                known[alias] = known[alias] or taken(module, attribute)
            except (ImportError, AttributeError) as error:
                missing.append(f"{module}.{attribute}: {error}")
        rebound = {
            target.id
            for node in ast.walk(tree)
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
            for target in [node]
        } | {argument.arg for node in ast.walk(tree) if isinstance(node, ast.arguments) for argument in node.args}
        for node in ast.walk(tree):
            names = chain(node) if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load) else []
            if not names or names[0] not in known or names[0] in rebound:
                continue
            found = known[names[0]]
            for attribute in names[1:]:
                if not (isinstance(found, type) or hasattr(found, "__path__") or hasattr(found, "__file__")):
                    break
                if not hasattr(found, attribute):
                    missing.append(".".join(names))
                    break
                found = getattr(found, attribute)
    assert known, f"{name} takes nothing, which is not believable"
    assert [one for one in missing if one.split(":")[0] not in NEVER_REACHED] == []


def tangent_plane(ra):
    wcs = WCS(naxis=2)
    wcs.wcs.ctype, wcs.wcs.crval, wcs.wcs.crpix = ["RA---TAN", "DEC--TAN"], [ra, 20.0], [50.0, 50.0]
    wcs.wcs.cd = np.diag([-1e-4, 1e-4])
    wcs.pixel_shape = (100, 100)
    return wcs


def test_polygons_do_what_sky_matching_needs():
    """`stsci.skypac.skymatch._calc_sky` and `SkyLineMember` in one."""
    header = fits.ImageHDU(np.zeros((100, 100)), tangent_plane(10.0).to_header()).header
    first = SphericalPolygon.from_wcs(header, steps=1)
    second = SphericalPolygon.from_wcs(tangent_plane(10.005), steps=1)
    assert np.sort(next(iter(first.points)), axis=0).shape == (5, 3)
    common = first.intersection(second)
    (part,) = common.iter_polygons_flat()
    assert part.points.shape[0] > 3
    ra, dec = part.to_lonlat()
    assert (min(ra), max(dec)) == pytest.approx((10.0, 20.005), abs=1e-3)
    assert 0 < common.area() < first.area()
    assert first.copy().area() == first.area()
    assert list(first.intersection(SphericalPolygon.from_wcs(tangent_plane(11.0))).iter_polygons_flat()) == []
    assert first.union(second).area() == pytest.approx(first.area() + second.area() - common.area(), rel=1e-3)


def test_polygons_do_what_alignment_and_sky_cells_need():
    first, second = (SphericalPolygon.from_radec([a, a + 1, a + 1, a], [0, 0, 1, 1], (a + 0.5, 0.5)) for a in (0, 0.5))
    assert SphericalPolygon.multi_union([first, second]).area() == pytest.approx(1.5 * first.area(), rel=1e-3)
    assert first.contains_lonlat(0.2, 0.5)
    assert first.contains_point(np.array(next(iter(first.inside))))
    assert first.intersects_poly(second)
    assert SphericalPolygon([]).area() == 0
    assert issubclass(MalformedPolygonError, Exception)


@pytest.fixture
def star_image():
    y, x = np.mgrid[:101, :101]
    stars = sum(900 * np.exp(-((x - a) ** 2 + (y - b) ** 2) / 4) for a, b in ((30.3, 40.6), (70.2, 65.8)))
    return stars + np.random.default_rng(1).normal(0, 1, stars.shape)


def test_finders_have_the_columns_that_are_read(star_image):
    """`astrometric_utils.extract_sources` and `find_fwhm`."""
    found = DAOStarFinder(fwhm=2.5, threshold=50.0).find_stars(star_image, mask=None)
    assert {"xcentroid", "ycentroid", "flux", "peak", "mag", "npix", "sharpness"} <= set(found.colnames)
    assert sorted(found["xcentroid"]) == pytest.approx([30.3, 70.2], abs=0.1)
    peaks = find_peaks(star_image, threshold=50.0, box_size=11)
    assert {"x_peak", "y_peak", "peak_value"} <= set(peaks.colnames)


def test_catalogues_have_what_is_read(star_image):
    """`astrometric_utils.classify_sources`, `extract_sources` and `analyze.verify_guiding`."""
    segments = detect_sources(star_image, 20.0, npixels=5)
    assert segments.nlabels == len(segments.labels) == len(segments.slices) == 2
    assert segments.segments[0].slices == segments.slices[0]
    catalog = SourceCatalog(star_image, segments)
    assert catalog.moments_central.shape == (2, 4, 4)
    assert {catalog.semiminor_sigma.to_value().shape, catalog.elongation.to_value().shape} == {(2,)}
    assert sorted(catalog.xcentroid) == pytest.approx([30.3, 70.2], abs=0.1)
    assert len(catalog.ycentroid) == 2
    table = catalog.to_table()
    assert {"segment_flux", "max_value", "xcentroid", "ycentroid", "local_background", "area"} <= set(table.colnames)
    assert table["area"][0].value > 5
    assert deblend_sources(star_image, segments, npixels=5, nlevels=32, contrast=0.01, progress_bar=False).nlabels == 2
    segments.remove_labels([1])
    assert segments.nlabels == 1
    segments.keep_labels([2])


def test_psf_photometry_has_the_columns_that_are_read(star_image):
    """`astrometric_utils.find_fwhm`."""
    psf = np.clip(star_image[30:51, 20:41], 0, None)
    psf /= psf.sum()
    finder = DAOStarFinder(threshold=2.5 * MMMBackground()(psf), fwhm=2.5)
    model = CircularGaussianSigmaPRF(sigma=gaussian_fwhm_to_sigma * 2.5)
    model.sigma.fixed = False
    fitter = TRFLSQFitter(calc_uncertainties=True)
    shapes = {"fit_shape": (11, 11), "sub_shape": (11, 11), "maxiters": 2}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = IterativePSFPhotometry(finder=finder, psf_model=model, aperture_radius=3.75, fitter=fitter, **shapes)(
            psf
        )
    brightest = np.argmax(found["flux_fit"].data)
    assert 1 < found["sigma_fit"][brightest] < 2
    assert (found["flags"] == 0).any()


def test_backgrounds_take_the_arguments_that_are_given(star_image):
    """`align_utils.HAPImage.compute_background`."""
    made = Background2D(
        star_image,
        (20, 20),
        filter_size=(3, 3),
        bkg_estimator=SExtractorBackground(),
        bkgrms_estimator=StdBackgroundRMS(),
        exclude_percentile=20,
    )
    assert made.background.shape == made.background_rms.shape == star_image.shape
    assert np.isfinite([made.background_median, made.background_rms_median]).all()


def test_line_finder_takes_the_arguments_that_are_given():
    """`analyze.detect_lines`."""
    edges = canny(500.0 * np.tri(80), sigma=2.5, low_threshold=0, high_threshold=25, mask=None)
    lines = probabilistic_hough_line(edges, threshold=0, line_gap=0, line_length=17, rng=1)
    assert np.array(lines).shape[1:] == (2, 2)


def test_statistics_have_the_fields_that_are_read():
    """`drizzlepac.staticMask` and `stsci.skypac.skystatistics`."""
    data = np.random.default_rng(1).normal(30, 6, (200, 200)).astype("f4")
    mode = ImageStats(data, nclip=3, fields="mode", lower=data.min(), upper=data.max())
    assert (mode.mode, mode.stddev) == (pytest.approx(30, abs=2), pytest.approx(6, rel=0.1))
    assert len(mode.histogram) > 2
    sky = ImageStats(
        image=data, fields="npix,median", lower=-100.0, upper=None, nclip=5, lsig=4.0, usig=4.0, binwidth=0.1
    )
    assert (sky.median, sky.npix) == (pytest.approx(30, abs=0.2), pytest.approx(40000, rel=0.01))


def test_fits_have_what_is_read():
    """`align_utils.match_relative_fit` and `match_default_fit`."""
    rng = np.random.default_rng(1)
    x, y = rng.uniform(5, 95, (2, 30))
    images = []
    for number, shift in enumerate((0.0, 0.4)):
        stars = Table([x + shift, y - shift, np.ones(30)], names=["x", "y", "mag"])
        meta = {"catalog": stars, "name": f"image{number}", "group_id": number}
        images.append(FITSWCSCorrector(tangent_plane(10.0), meta=meta))
    reference = Table(tangent_plane(10.0).all_pix2world(np.column_stack([x, y]), 0), names=["RA", "DEC"])
    match = XYXYMatch(searchrad=10, separation=0.1, tolerance=2, use2dhist=True, xoffset=0, yoffset=0)
    align_wcs(images, reference, match=match, fitgeom="rscale", minobj=6, nclip=3, expand_refcat=False)
    info = images[1].meta["fit_info"]
    assert info["status"] == "SUCCESS"
    assert info["nmatches"] == 30
    assert info["rmse"] < 1e-6
    wanted = {"shift", "<rot>", "<scale>", "matched_ref_idx", "matched_input_idx", "fitmask", "fit_RA", "fit_DEC"}
    assert wanted <= set(info)
    assert callable(fit_wcs)
