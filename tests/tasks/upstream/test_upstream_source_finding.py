"""Each repair of the search for sources is still needed, and works."""

import inspect
import warnings

import numpy as np
import pytest
from drizzlepac.haputils import align_utils, astrometric_utils
from photutils.background import SExtractorBackground
from photutils.detection import DAOStarFinder

from hstmosaic.simulate.instruments import camera
from hstmosaic.simulate.sources import _FWHM_TO_SIGMA, _add_stars
from hstmosaic.tasks.upstream import source_finding

pytestmark = pytest.mark.upstream


def stars_at_all_phases(width):
    """Simulate stars without noise, 40 pixels apart, whose middles lie anywhere in a pixel."""
    phases = np.stack(np.meshgrid(*2 * [np.linspace(-0.5, 0.4, 10)]), axis=-1).reshape(-1, 2)
    places = 20 + 40 * np.stack(np.meshgrid(*2 * [np.arange(10)]), axis=-1).reshape(-1, 2) + phases
    image = np.zeros((400, 400))
    _add_stars(image, *places.T, np.full(100, 1e4), width * _FWHM_TO_SIGMA)
    return image, places


def centring_errors(finder, width, nominal):
    image, places = stars_at_all_phases(width)
    found = finder(30.0, nominal).find_stars(image)
    offsets = np.column_stack([found["xcentroid"], found["ycentroid"]])[:, None] - places
    nearest = offsets[np.hypot(*np.moveaxis(offsets, 2, 0)).argmin(axis=0), np.arange(len(places))]
    seen = np.hypot(*nearest.T) < 1.5
    return seen.mean(), np.sqrt((nearest[seen] ** 2).mean())


def test_narrow_stars_are_centred_badly():
    _, error = centring_errors(DAOStarFinder, camera("wfc3_ir").psf_fwhm, 1.2)
    assert error > 0.15, "photutils centres narrow stars now: drop CentringFinder"


@pytest.mark.parametrize(("width", "nominal"), [(0.9, 1.0), (1.0, 1.05), (1.15, 1.2), (1.9, 1.96)])
def test_narrow_stars_are_centred_and_none_is_too_sharp(width, nominal):
    seen, error = centring_errors(source_finding.CentringFinder, width, nominal)
    assert seen == 1
    assert error < 0.08


def test_single_pixels_are_no_stars_for_it():
    image = np.zeros((41, 41))
    image[20, 20] = 1e4
    for nominal in (1.0, 1.2, 1.96):
        plain, ours = (finder(30.0, nominal) for finder in (DAOStarFinder, source_finding.CentringFinder))
        assert ours.sharphi * ours.kernel.data.max() == pytest.approx(plain.kernel.data.max())


def sky_moves_sources():
    """How far the level of the sky moves 95 % of what `extract_sources` finds, with a kernel that is not centred.

    A star on a corner of pixels passes for a saturated one, which is another case.
    """
    image, _ = stars_at_all_phases(1.9)
    kernel = np.zeros((15, 15))
    _add_stars(kernel, np.array([7.45]), np.array([7.45]), np.array([1.0]), 1.9 * _FWHM_TO_SIGMA)
    tables = [
        astrometric_utils.extract_sources(
            image + sky, kernel=kernel, fwhm=1.9, segment_threshold=np.full(image.shape, sky + 60.0), classify=False
        )[0]
        for sky in (0.0, 300.0)
    ]
    assert len(tables[0]) == len(tables[1]) == 100
    moved = [tables[0][axis] - tables[1][axis] for axis in ("xcentroid", "ycentroid")]
    return np.quantile(np.hypot(*moved), 0.95)


def test_the_sky_moves_sources(monkeypatch):
    monkeypatch.setattr(astrometric_utils, "extract_sources", astrometric_utils.extract_sources)
    assert sky_moves_sources() > 0.01, "drizzlepac takes the sky away now: drop CentringFinder.find_stars"
    source_finding.centre_narrow_stars()
    assert sky_moves_sources() < 1e-6
    assert astrometric_utils.DAOStarFinder is DAOStarFinder


def test_backgrounds_are_the_same():
    rng = np.random.default_rng(1)
    image = rng.normal(10, 2, (200, 150)).astype(np.float32)
    bad = rng.random(image.shape) < 0.1
    bad[40:75, 60:90] = True
    kinds = align_utils.Background2D, source_finding.RememberedBackground
    plain, kept = (kind(image, 27, mask=bad, bkg_estimator=SExtractorBackground()) for kind in kinds)
    assert plain.background is not plain.background, "photutils keeps backgrounds now: drop RememberedBackground"
    assert kept.background is kept.background
    np.testing.assert_array_equal(plain.background, kept.background)
    np.testing.assert_array_equal(plain.background_rms, kept.background_rms)
    assert plain.background_rms_median == kept.background_rms_median


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_medians_are_those_of_numpy(kind):
    rng = np.random.default_rng(2)
    data = rng.normal(10, 2, (30, 25, 729)).astype(kind)
    data[rng.random(data.shape) < rng.random((30, 25, 1))] = np.nan
    data[3, 4], data[3, 5, 1:] = np.nan, np.nan
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        expected = np.nanmedian(data, axis=-1)
    found = source_finding.nan_median(data, axis=-1)
    np.testing.assert_array_equal(found, expected)
    assert found.dtype == expected.dtype


@pytest.mark.parametrize(("measured", "taken"), [(0.45, 0.155), (0.16, 0.16), (0.05, 0.155), (0.2, 0.2)])
def test_odd_widths_of_stars_give_way_to_the_usual_one(monkeypatch, measured, taken):
    """A neighbour of the star that is measured makes it look three times as wide."""

    def build_kernel(image, _):
        image.fwhmpsf, image.pscale, image.kernel = measured, 0.13, "measured"
        image.kernel_fwhm = measured / 0.13

    monkeypatch.setattr(align_utils.HAPImage, "build_kernel", build_kernel)
    source_finding.expect_width(0.155)
    image = align_utils.HAPImage.__new__(align_utils.HAPImage)
    image.build_kernel(0.076)
    assert image.fwhmpsf == taken
    assert image.kernel_fwhm == pytest.approx(taken / 0.13)
    if taken != measured:
        assert image.kernel.sum() == pytest.approx(1)


def test_drizzlepac_reads_columns_of_photutils_2():
    """Why photutils stays below 3."""
    source = inspect.getsource(astrometric_utils.extract_sources)
    assert "['local_background']" in source, "see whether photutils may be 3 now"
    assert "['xcentroid']" in source
