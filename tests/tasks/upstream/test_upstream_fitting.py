"""Each repair of the joint fit is still needed, and works."""

import inspect
from types import SimpleNamespace

import numpy as np
import pytest
from astropy.table import Table
from astropy.wcs import WCS
from drizzlepac import hapmultisequencer, updatehdr
from drizzlepac.haputils import align_utils
from tweakwcs.correctors import FITSWCSCorrector

from hstmosaic.tasks.upstream import fitting

pytestmark = pytest.mark.upstream


def test_the_joint_fit_lacks_an_argument():
    exposure = SimpleNamespace(info="hst_skycell-p1_wfc3_uvis_f606w_all-x_x_flc.fits_flc")
    total = SimpleNamespace(edp_list=[exposure], configobj_pars=None)
    with pytest.raises(TypeError, match="log_level"):
        hapmultisequencer.run_align_to_gaia([total])


def test_multivisit_fits_have_no_description(monkeypatch):
    name = "IDC_2731450pi-FIT_MVM_GAIAeDR3"
    with pytest.raises(KeyError, match="MVM"):
        updatehdr.interpret_wcsname_type(name)
    monkeypatch.setattr(updatehdr, "interpret_wcsname_type", updatehdr.interpret_wcsname_type)
    by_visit = updatehdr.interpret_wcsname_type(name.replace("MVM", "SVM"))
    fitting.name_multivisit_fits()
    described = updatehdr.interpret_wcsname_type(name)
    assert described == "undistorted a posteriori solution aligned across visits to GAIAEDR3"
    assert updatehdr.interpret_wcsname_type(name.replace("MVM", "SVM")) == by_visit
    for other in (None, "IDC_2731450pi", "IDC_2731450pi-GSC240", "MINE"):
        assert updatehdr.interpret_wcsname_type(other)


def offset_of_match(matcher, exposures=9, error=0.5):
    """Mean offset in y of the detections that a matcher takes, for many noisy detections of every star."""
    rng = np.random.default_rng(2)
    stars = np.stack(np.meshgrid(np.arange(0, 2000, 100.0), np.arange(0, 2000, 100.0)), axis=-1).reshape(-1, 2)
    found = np.concatenate([stars + rng.normal(0, error, stars.shape) for _ in range(exposures)])
    tables = [Table({"TPx": xy[:, 0], "TPy": xy[:, 1]}) for xy in (stars, found)]
    match = matcher(searchrad=20.0, separation=4.0, tolerance=2.0, use2dhist=False)
    reference, detections = match(*tables)
    assert len(set(reference)) == len(reference) > 0.9 * len(stars)
    offsets = found[detections] - stars[reference]
    return offsets.mean(axis=0), offsets.std(axis=0)


def test_matching_prefers_one_side():
    offset, _ = offset_of_match(align_utils.XYXYMatch)
    assert np.abs(offset).max() > 0.2, "drizzlepac's matching is unbiased now: drop MiddleMatch"


def test_middle_match_prefers_no_side():
    offset, scatter = offset_of_match(fitting.MiddleMatch)
    assert np.abs(offset).max() < 0.05
    assert scatter.max() < 0.4


def test_middle_detections_of_lonely_stars_are_themselves():
    positions = np.array([[0.0, 0], [10, 0], [10.5, 0], [11, 0], [30, 30]])
    np.testing.assert_array_equal(fitting.middle_detections(positions, 2.0), [0, 2, 4])
    np.testing.assert_array_equal(fitting.middle_detections(positions, 0.1), np.arange(5))


def test_middle_match_changes_nothing_for_one_exposure():
    plain, _ = offset_of_match(align_utils.XYXYMatch, exposures=1)
    middle, _ = offset_of_match(fitting.MiddleMatch, exposures=1)
    np.testing.assert_array_equal(plain, middle)


def error_of_turned_image(turn=0.05):
    """Fit an image that is turned by so many degrees to another one; return the largest error that is left, mas."""
    rng = np.random.default_rng(3)
    plain, turned = WCS(naxis=2), WCS(naxis=2)
    c, s = np.cos(np.deg2rad(turn)), np.sin(np.deg2rad(turn))
    for wcs, turning in ((plain, np.eye(2)), (turned, np.array([[c, -s], [s, c]]))):
        wcs.wcs.ctype, wcs.wcs.crval, wcs.wcs.crpix = ["RA---TAN", "DEC--TAN"], [150.1, 2.2], [2048.0, 2048.0]
        wcs.wcs.cd = turning @ np.array([[-1.1e-5, 7e-7], [1e-7, 1.1e-5]])
        wcs.pixel_shape = (4096, 4096)
    x, y = rng.uniform(0, 4096, (2, 200))
    images = []
    for number, wcs in enumerate((plain, turned)):
        table = Table({"x": x, "y": y, "id": np.arange(200)})
        images.append(FITSWCSCorrector(wcs, {"catalog": table, "name": str(number), "group_id": number}))
    match = align_utils.XYXYMatch(searchrad=20.0, separation=4.0, tolerance=3.0, use2dhist=False)
    align_utils.align_wcs(images, None, match=match, minobj=12, fitgeom="rscale", nclip=0)
    assert images[1].meta["fit_info"]["status"] == "SUCCESS"
    places = [image.det_to_world(x, y) for image in images]
    return 3.6e6 * max(np.abs(np.subtract(*pair)).max() for pair in zip(*places, strict=True))


def test_a_turn_is_sheared_in_the_plane_of_the_pixels(monkeypatch):
    monkeypatch.setattr(align_utils, "align_wcs", align_utils.align_wcs)
    assert error_of_turned_image() > 2, "fits follow turns of images with oblique axes now: drop fit_in_square_plane"
    fitting.fit_in_square_plane()
    assert error_of_turned_image() < 0.01


def test_exact_outlines_are_the_default():
    assert inspect.signature(align_utils.align_wcs).parameters["group_bb_policy"].default != 2
