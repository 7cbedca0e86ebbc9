"""Each repair of drizzlepac's alignment is still needed, and does what it says."""

import inspect
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from astropy.wcs import WCS
from drizzlepac import hapmultisequencer, updatehdr
from drizzlepac.haputils import align_utils, astrometric_utils, poller_utils, product
from photutils.detection import DAOStarFinder
from tweakwcs.correctors import FITSWCSCorrector

from helpers.alignment_fields import three_cameras
from hstmosaic.plan.alignment import fit_order
from hstmosaic.plan.build import make_plan
from hstmosaic.plan.catalog_replies import CATALOGS, COLUMNS, FEWEST, USER_CATALOG, Cone, fit_cone
from hstmosaic.plan.pollers import poller_text
from hstmosaic.simulate import simulate_field
from hstmosaic.simulate.instruments import camera
from hstmosaic.simulate.sources import _FWHM_TO_SIGMA, _add_stars
from hstmosaic.store.task_specs import ANSWER_FILE, SPEC_FILE, AlignSpec, SourcesSpec, read_result, spec_to_json
from hstmosaic.tasks import upstream
from hstmosaic.tasks.sources import alignment_parameters

pytestmark = pytest.mark.upstream


@pytest.fixture(scope="module")
def plan(tmp_path_factory):
    folder = tmp_path_factory.mktemp("exposures")
    simulate_field(three_cameras(rows=300, exposures=1, density=20), folder)
    return make_plan(str(folder / "list.txt"))


EXECUTE = """
import os, sys
from pathlib import Path
from hstmosaic.tasks.execute import execute
for folder in map(Path, sys.argv[1:]):
    if os.fork() == 0:
        execute(folder, folder / "work")
        os._exit(0)
    os.wait()
"""
"""Each task in a process of its own, as in a run."""


def test_exposures_without_mtflag_are_aligned_like_others(tmp_path):
    field = three_cameras(rows=500, exposures=1)
    path = next(path for path in simulate_field(field, tmp_path) if path.name.endswith("_flc.fits"))
    fits.delval(path, "MTFLAG")
    replies = tmp_path / "none.csv"
    replies.write_text("nothing\nobjID,ra,dec,mag\n")
    tables = (str(tmp_path / "sources" / "work" / "sci1.ecsv"),)
    specs = {
        "sources": SourcesSpec(str(path), "wfc3", "uvis"),
        "align": AlignSpec(
            exposures=((path.name, str(path)),),
            sources=((path.name, tables),),
            replies=(("GAIAeDR3", str(replies)),),
            cone=(150.1, 2.2, 0.1),
            instrument="wfc3",
            detector="uvis",
            prefix="foo",
        ),
    }
    for name, spec in specs.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / SPEC_FILE).write_text(spec_to_json(spec))
    subprocess.run([sys.executable, "-c", EXECUTE, *(str(tmp_path / name) for name in specs)], check=True)
    found, fitted = (read_result(tmp_path / name, ANSWER_FILE) for name in specs)
    assert (found.ok, found.error) == (True, "")
    assert found.data["counts"][0] > 10
    assert (fitted.ok, fitted.error) == (True, "")
    assert fitted.data["cause"].startswith("too few stars in the field")


def test_the_joint_fit_lacks_an_argument():
    exposure = SimpleNamespace(info="hst_skycell-p1_wfc3_uvis_f606w_all-x_x_flc.fits_flc")
    total = SimpleNamespace(edp_list=[exposure], configobj_pars=None)
    with pytest.raises(TypeError, match="log_level"):
        hapmultisequencer.run_align_to_gaia([total])
    # mended: see whether tasks/align.py can call it


def test_multivisit_fits_have_no_description(monkeypatch):
    name = "IDC_2731450pi-FIT_MVM_GAIAeDR3"
    with pytest.raises(KeyError, match="MVM"):
        updatehdr.interpret_wcsname_type(name)
    monkeypatch.setattr(updatehdr, "interpret_wcsname_type", updatehdr.interpret_wcsname_type)
    by_visit = updatehdr.interpret_wcsname_type(name.replace("MVM", "SVM"))
    upstream.name_multivisit_fits()
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
    offset, scatter = offset_of_match(upstream.MiddleMatch)
    assert np.abs(offset).max() < 0.05
    assert scatter.max() < 0.4


def test_middle_detections_of_lonely_stars_are_themselves():
    positions = np.array([[0.0, 0], [10, 0], [10.5, 0], [11, 0], [30, 30]])
    np.testing.assert_array_equal(upstream.middle_detections(positions, 2.0), [0, 2, 4])
    np.testing.assert_array_equal(upstream.middle_detections(positions, 0.1), np.arange(5))


def test_middle_match_changes_nothing_for_one_exposure():
    plain, _ = offset_of_match(align_utils.XYXYMatch, exposures=1)
    middle, _ = offset_of_match(upstream.MiddleMatch, exposures=1)
    np.testing.assert_array_equal(plain, middle)


def stars_at_all_phases(width):
    """Simulate stars without noise, 40 pixels apart, whose middles lie anywhere in a pixel."""
    phases = np.stack(np.meshgrid(*2 * [np.linspace(-0.5, 0.4, 10)]), axis=-1).reshape(-1, 2)
    places = 20 + 40 * np.stack(np.meshgrid(*2 * [np.arange(10)]), axis=-1).reshape(-1, 2) + phases
    image = np.zeros((400, 400))
    _add_stars(image, *places.T, np.full(100, 1e4), width * _FWHM_TO_SIGMA)
    return image, places


def centring_errors(finder, width, told):
    image, places = stars_at_all_phases(width)
    found = finder(30.0, told).find_stars(image)
    offsets = np.column_stack([found["xcentroid"], found["ycentroid"]])[:, None] - places
    nearest = offsets[np.hypot(*np.moveaxis(offsets, 2, 0)).argmin(axis=0), np.arange(len(places))]
    seen = np.hypot(*nearest.T) < 1.5
    return seen.mean(), np.sqrt((nearest[seen] ** 2).mean())


def test_narrow_stars_are_centred_badly():
    _, error = centring_errors(DAOStarFinder, camera("wfc3_ir").psf_fwhm, 1.2)
    assert error > 0.15, "photutils centres narrow stars now: drop CentringFinder"


@pytest.mark.parametrize(("width", "told"), [(0.9, 1.0), (1.0, 1.05), (1.15, 1.2), (1.9, 1.96)])
def test_narrow_stars_are_centred_and_none_is_too_sharp(width, told):
    seen, error = centring_errors(upstream.CentringFinder, width, told)
    assert seen == 1
    assert error < 0.08


def test_single_pixels_are_no_stars_for_it():
    image = np.zeros((41, 41))
    image[20, 20] = 1e4
    for told in (1.0, 1.2, 1.96):
        plain, ours = (finder(30.0, told) for finder in (DAOStarFinder, upstream.CentringFinder))
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
    upstream.centre_narrow_stars()
    assert sky_moves_sources() < 1e-6
    assert astrometric_utils.DAOStarFinder is DAOStarFinder


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
    upstream.fit_in_square_plane()
    assert error_of_turned_image() < 0.01


def test_exact_outlines_are_the_default():
    assert inspect.signature(align_utils.align_wcs).parameters["group_bb_policy"].default != 2


def test_backgrounds_are_the_same():
    image = np.random.default_rng(1).normal(10, 2, (200, 150))
    plain, kept = (kind(image, 27) for kind in (align_utils.Background2D, upstream.RememberedBackground))
    assert plain.background is not plain.background, "photutils keeps backgrounds now: drop RememberedBackground"
    assert kept.background is kept.background
    np.testing.assert_array_equal(plain.background, kept.background)
    np.testing.assert_array_equal(plain.background_rms, kept.background_rms)
    assert plain.background_rms_median == kept.background_rms_median


def test_a_chip_without_sources_stops_the_joint_fit(monkeypatch):
    """Why a chip without sources is handed over with an empty table."""
    monkeypatch.setattr(product.FilterProduct, "__init__", lambda self: None)
    joint = product.FilterProduct()
    pars = alignment_parameters("wfc3", "uvis")
    edp = SimpleNamespace(full_filename="x_flc.fits", headerlet_filename="x_hlet.fits", crclean=False)
    joint.edp_list, joint.refname, joint.log_level = [edp, edp], None, 20
    joint.configobj_pars = SimpleNamespace(get_pars=lambda _: pars)
    asked = []
    monkeypatch.setattr(upstream.astrometric_utils, "create_astrometric_catalog", lambda *_, **__: asked.append(1))
    table = SimpleNamespace(extracted_sources={"x_flc.fits": {1: None}})
    answer, _ = joint.align_to_gaia(catalog_list=["GAIAeDR3"], fit_label="MVM", align_table=table)
    assert answer is None
    assert not asked, "drizzlepac copes with empty chips now"


def test_catalogues_and_columns_are_drizzlepacs():
    for instrument, detector in (("wfc3", "uvis"), ("wfc3", "ir"), ("acs", "wfc")):
        parameters = alignment_parameters(instrument, detector)["run_align"]
        assert tuple(parameters["mosaic_catalog_list"]) == CATALOGS
        assert min(parameters["mosaic_fitgeom_list"].values()) == FEWEST
    for catalog, columns in COLUMNS.items():
        if catalog != USER_CATALOG:
            needed = set(astrometric_utils.SUPPORTED_CATALOGS[catalog.upper()].values()) - {""}
            assert needed == set(columns)


def test_drizzlepac_reads_columns_of_photutils_2():
    """Why photutils stays below 3."""
    source = inspect.getsource(astrometric_utils.extract_sources)
    assert "['local_background']" in source, "see whether photutils may be 3 now"
    assert "['xcentroid']" in source


def test_requests_have_no_timeout(monkeypatch):
    asked = []

    def get(url, **options):
        asked.append(options)
        return SimpleNamespace(content=b"one line\r\nobjID,ra\r\n1,150.0\r\n")

    monkeypatch.setattr(astrometric_utils.requests, "get", get)
    astrometric_utils.get_catalog(150.0, 2.0, catalog="GAIAeDR3")
    assert asked
    assert all("timeout" not in options for options in asked), "drizzlepac does not wait for ever any more"


def test_requests_are_answered(monkeypatch):
    monkeypatch.setattr(astrometric_utils, "requests", astrometric_utils.requests)
    asked = []
    text = "one line\r\nobjID,ra,dec,mag\r\n1,150.0,2.0,18\r\n"
    upstream.serve_catalogs(lambda url: asked.append(url) or text)
    table = astrometric_utils.get_catalog(150.0, 2.0, sr=0.1, epoch=2012.5, catalog="GAIAeDR3")
    assert len(table) == 1
    end = "&FORMAT=CSV&CAT=GAIAeDR3&MINDET=5&EPOCH=2012.500"
    assert asked[0] == f"{astrometric_utils.SERVICELOCATION}/vo/CatalogSearch.aspx?RA=150.0&DEC=2.0&SR=0.1{end}"
    ours = Cone(150.0, 2.0, 0.1, 2012.5).url(astrometric_utils.SERVICELOCATION, "GAIAeDR3")
    assert ours.endswith(end)


def test_the_cone_holds_drizzlepacs_whatever_is_left_out(plan):
    paths = [str(exposure.path) for exposure in fit_order(plan.exposures)]
    cone = fit_cone(fit_order(plan.exposures))
    for some in (paths, *(paths[:k] + paths[k + 1 :] for k in range(len(paths))), paths[len(paths) // 2 :]):
        reference = astrometric_utils.build_reference_wcs(some)
        radius = astrometric_utils.compute_radius(reference)
        ra, dec = reference.wcs.crval
        distance = np.hypot((ra - cone.ra) * np.cos(np.deg2rad(dec)), dec - cone.dec)
        assert distance + radius < cone.radius
        assert some != paths or cone.radius < 1.7 * radius + 0.01


def test_the_order_is_drizzlepacs(plan, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for exposure in plan.exposures:
        (tmp_path / exposure.name).write_bytes(exposure.path.read_bytes())
    (tmp_path / "poller.out").write_text(poller_text(plan.exposures, plan.corner_sky_cell))
    _, totals = poller_utils.interpret_mvm_input("poller.out", 20)
    listed = [member.svm_exposure_name for total in totals for member in total.edp_list]
    assert list(dict.fromkeys(listed)) == [e.name.rsplit("_", 1)[0] for e in fit_order(plan.exposures)]
    assert len(listed) == len(plan.exposures) + 1, "WFC3/IR is in the list of both of its products"
