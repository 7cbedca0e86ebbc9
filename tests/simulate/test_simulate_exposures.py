from __future__ import annotations

import errno
import os
import re
from dataclasses import replace

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.table import Table
from astropy.wcs import WCS

from hstmosaic.errors import HstMosaicError, OutputError
from hstmosaic.simulate import (
    ExposurePlan,
    Field,
    Pointing,
    PointingError,
    Scene,
    Visit,
    build_field,
    camera,
    corner_field,
    cut,
    demo_field,
    make_scene,
    simulate_exposure,
    simulate_field,
    sky_cell_corner,
    three_camera_field,
)
from hstmosaic.simulate.fields import check_folder

SMALL = (96, 128)


def one_star(ra, dec, magnitude=19.0):
    columns = {
        "ra": ra,
        "dec": dec,
        "magnitude": magnitude,
        "slope": 0,
        "radius": 0,
        "axis_ratio": 1,
        "angle": 0,
    }
    return Scene(**{name: np.array([float(value)]) for name, value in columns.items()})


def small_plan(name="wfc3_uvis", filter_name="F606W", **options):
    body = cut(camera(name), SMALL, extver=len(camera(name).chips), corner="upper-right")
    return ExposurePlan(camera=body, filter=filter_name, **{"exptime": 100.0, "pointing": Pointing(10, 20), **options})


@pytest.mark.parametrize(
    ("name", "filter_name"),
    [("wfc3_uvis", "F606W"), ("acs_wfc", "F814W"), ("acs_hrc", "F606W"), ("acs_sbc", "F125LP"), ("wfc3_ir", "F160W")],
)
def test_star_is_where_the_wcs_of_the_file_says(tmp_path, name, filter_name):
    plan = small_plan(name, filter_name, pointing=Pointing(359.9999, -89.0, 50.0), cosmic_rays=0.0)
    scene = one_star(plan.pointing.ra, plan.pointing.dec, magnitude=15.0 if name == "acs_sbc" else 19.0)
    simulate_exposure(plan, scene).writeto(tmp_path / plan.filename)
    with fits.open(tmp_path / plan.filename) as hdus:
        x, y = WCS(hdus["SCI"].header, hdus).all_world2pix(scene.ra, scene.dec, 0)
        image = hdus["SCI"].data - np.median(hdus["SCI"].data)
    xi, yi = round(x[0]), round(y[0])
    stamp = image[yi - 5 : yi + 6, xi - 5 : xi + 6]
    dy, dx = np.mgrid[yi - 5 : yi + 6, xi - 5 : xi + 6]
    assert (stamp * dx).sum() / stamp.sum() == pytest.approx(x[0], abs=0.03)
    assert (stamp * dy).sum() / stamp.sum() == pytest.approx(y[0], abs=0.03)
    rate = stamp.sum() / (1 if name == "wfc3_ir" else plan.exptime)
    assert rate == pytest.approx(scene.flux(plan.camera.filter(filter_name))[0], rel=0.05)


@pytest.mark.parametrize("name", ["acs_wfc", "acs_hrc", "acs_sbc", "wfc3_uvis", "wfc3_ir"])
def test_structure_is_that_of_a_calibrated_exposure(name):
    whole = camera(name)
    full = {"acs_wfc": (2048, 4096), "wfc3_uvis": (2051, 4096), "wfc3_ir": (1014, 1014)}
    full |= dict.fromkeys(("acs_hrc", "acs_sbc"), (1024, 1024))
    assert {chip.shape for chip in whole.chips} == {full[name]}
    whole = replace(whole, chips=tuple(replace(chip, shape=(50, 70)) for chip in whole.chips))
    plan = ExposurePlan(whole, next(iter(whole.filters)), 50.0, Pointing(1.0, 2.0), cosmic_rays=0.0)
    with simulate_exposure(plan, make_scene(1.0, 2.0, 0.2)) as hdus:
        names = [(hdu.name, hdu.ver) for hdu in hdus]
        for number, chip in enumerate(whole.chips, start=1):
            assert hdus["SCI", number].shape == chip.shape
            assert hdus["SCI", number].header["BUNIT"] == whole.bunit
            assert hdus["DQ", number].data.dtype.kind == "i"
            assert np.isfinite(hdus["ERR", number].data).all()
        primary = hdus[0].header
    per_chip = [(kind, number) for number in range(1, len(whole.chips) + 1) for kind in ("SCI", "ERR", "DQ")]
    kinds = {"acs_hrc": ["WCSDVARR"], "acs_sbc": [], "wfc3_ir": []}.get(name, ["D2IMARR", "WCSDVARR"])
    tables = [(kind, number) for kind in kinds for number in range(1, 2 * len(whole.chips) + 1)]
    if name == "wfc3_ir":
        tables = [("SAMP", 1), ("TIME", 1)]
    assert names == [("PRIMARY", 1), *per_chip, *tables]
    assert (primary["SUBARRAY"], primary["MTFLAG"].strip(), primary["OBSTYPE"]) == (False, "", "IMAGING")
    assert ("FILTER1" in primary) == name.startswith("acs_")


@pytest.mark.parametrize(
    ("name", "filter_name", "wheels"),
    [
        ("acs_wfc", "F606W", ("F606W", "CLEAR2L")),
        ("acs_hrc", "F606W", ("F606W", "CLEAR2S")),
        ("acs_hrc", "F814W", ("CLEAR1S", "F814W")),
        ("acs_sbc", "F125LP", ("F125LP", "N/A")),
    ],
)
def test_filter_wheels_of_acs(name, filter_name, wheels):
    with simulate_exposure(small_plan(name, filter_name), one_star(10, 20)) as hdus:
        assert (hdus[0].header["FILTER1"], hdus[0].header["FILTER2"]) == wheels


def test_amplifiers_are_those_of_the_detector():
    with simulate_exposure(small_plan("acs_hrc", "F606W"), one_star(10, 20)) as hdus:
        header = hdus[0].header
    assert header["CCDAMP"] == "C"
    assert [header[f"ATODGN{amplifier}"] for amplifier in "ABCD"] == [0.0, 0.0, 2.216, 0.0]
    with simulate_exposure(small_plan("acs_sbc", "F125LP"), one_star(10, 20)) as hdus:
        assert not [key for key in hdus[0].header if key.startswith(("CCDAMP", "CCDGAIN", "ATODGN", "READNSE"))]


def test_acs_sbc_counts_photons():
    plan = small_plan("acs_sbc", "F125LP", exptime=1000.0, cosmic_rays=50.0)
    with simulate_exposure(plan, one_star(190.0, 0.0)) as hdus:
        counts = hdus["SCI"].data[hdus["DQ"].data == 0] + np.float32(plan.camera.dark * plan.exptime)
    np.testing.assert_allclose(counts, np.rint(counts), atol=1e-4)
    assert counts.mean() == pytest.approx(6.0, rel=0.02)
    assert counts.var() == pytest.approx(6.0, rel=0.05)


def test_noise_is_that_of_sky_and_detector():
    with simulate_exposure(small_plan(exptime=1000.0, cosmic_rays=0.0), one_star(190.0, 0.0)) as hdus:
        good = hdus["DQ"].data == 0
        science, error = hdus["SCI"].data[good], hdus["ERR"].data[good]
    assert science.mean() == pytest.approx(70.0, abs=0.5)
    assert science.std() == pytest.approx(np.sqrt(72 + 3.1**2), rel=0.03)
    assert error.mean() == pytest.approx(science.std(), rel=0.03)


def test_pointing_error_is_in_the_header_and_not_in_the_image():
    true, wrong = small_plan(), small_plan(error=PointingError(0.4, 0.1, 0.01))
    scene = one_star(10.0, 20.0)
    with simulate_exposure(true, scene) as a, simulate_exposure(wrong, scene) as b:
        np.testing.assert_array_equal(a["SCI"].data, b["SCI"].data)
        pixel = WCS(a["SCI"].header, a).all_world2pix(10.0, 20.0, 0)
        by_header = WCS(b["SCI"].header, b).all_pix2world(*pixel, 0)
    offset = (np.array(by_header) - (10.0, 20.0)) * 3600 * (np.cos(np.deg2rad(20.0)), 1)
    np.testing.assert_allclose(offset, (0.4, 0.1), atol=1e-5)


def test_lost_guiding_smears_sources_along_a_line():
    scene = one_star(10.0, 20.0)
    with simulate_exposure(small_plan(trail=80.0), scene) as hdus:
        y, x = np.nonzero(hdus["SCI"].data > 150)
    assert np.ptp(x) > 55
    assert np.corrcoef(x, y)[0, 1] > 0.97


def test_names_follow_the_visit():
    assert small_plan(visit=7, number=12, program="xyz").filename == "ixyz07b1q_flc.fits"
    single = small_plan("acs_wfc", "f814w", visit=2, number=13, naming="single-visit", program="hb0")
    assert single.filename == "hst_12546_02_acs_wfc_f814w_jhb002b2_flc.fits"
    with simulate_exposure(single, one_star(10, 20)) as hdus:
        assert hdus[0].header["FILENAME"] == single.filename
        assert hdus[0].header["ROOTNAME"] == "jhb002b2q"
        assert hdus[0].header["LINENUM"] == "02.013"


@pytest.mark.parametrize(
    "options",
    [
        {"exptime": 0.0},
        {"visit": 100},
        {"number": 261},
        {"program": "toolong"},
        {"naming": "other"},
        {"filter_name": "F999W"},
    ],
)
def test_unusable_plans_are_refused(options):
    with pytest.raises(HstMosaicError):
        small_plan(**options)


def test_two_runs_give_the_same_bytes(tmp_path):
    for run in "ab":
        simulate_field(three_camera_field(subarray=SMALL, exposures=1), tmp_path / run)
    files = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert len(files) == 6
    for name in files:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes(), name


def test_seed_and_place_in_the_field_change_the_noise():
    same = [Visit("wfc3_ir", "F160W", exposures=2, subarray=SMALL)]
    images = []
    for seed in (1, 2):
        field = build_field("x", Pointing(5, 5), same, dither=0.0, seed=seed, scene=one_star(100, 0))
        images += [simulate_exposure(plan, field.scene)["SCI"].data for plan in field.exposures]
    assert len({image.tobytes() for image in images}) == 4


def test_truth_and_list_are_written_next_to_exposures(tmp_path):
    field = three_camera_field(subarray=SMALL, exposures=1)
    done = []
    paths = simulate_field(field, tmp_path / "new" / "dir", lambda *args: done.append(args))
    assert (tmp_path / "new" / "dir" / "list.txt").read_text().split() == [path.name for path in paths]
    assert [args[:2] for args in done] == [(1, 3), (2, 3), (3, 3)]
    assert not list((tmp_path / "new" / "dir").glob("*.part"))
    truth = Table.read(paths[0].with_name("truth.ecsv"))
    assert len(truth) == len(field.scene)
    assert set(truth["kind"]) <= {"star", "galaxy"}
    assert str(truth["flux_acs_wfc_f814w"].unit) == "electron / s"
    np.testing.assert_array_equal(truth["ra"], field.scene.ra)
    plan = field.exposures[0]
    np.testing.assert_allclose(truth["flux_wfc3_uvis_f606w"], field.scene.flux(plan.camera.filter("F606W")), rtol=1e-14)
    table = Table.read(paths[0].with_name("pointings.ecsv"))
    assert list(table["filename"]) == [path.name for path in paths]
    assert table["ra"][0] == plan.pointing.ra
    assert table["header_ra"][0] == fits.getheader(paths[0], "SCI")["RA_APER"]
    assert np.hypot(table["dra"], table["ddec"]).min() >= 0.1
    assert np.hypot(table["dra"], table["ddec"]).max() <= 0.5
    assert 0 < np.abs(table["roll"]).max() <= 0.02


def test_scene_is_uniform_around_its_centre():
    scene = make_scene(0.0, -90.0, 3.0, density=100, galaxies=0)
    assert len(scene) == round(100 * np.pi * 9)
    assert scene.dec.max() < -89.95
    assert np.mean(scene.dec < -90 + 0.05 / np.sqrt(2)) == pytest.approx(0.5, abs=0.03)
    assert 20 <= scene.magnitude.min() < scene.magnitude.max() <= 25.5


def test_a_field_without_exposures_or_with_two_of_one_name_is_refused(tmp_path):
    with pytest.raises(HstMosaicError):
        build_field("none", Pointing(0, 0), [])
    plan = small_plan()
    with pytest.raises(HstMosaicError):
        simulate_field(Field("twice", (plan, plan), one_star(0, 0)), tmp_path)


@pytest.mark.parametrize("dither", [20.0, -20.0])
def test_every_exposure_of_a_long_visit_has_stars(dither):
    visit = Visit("wfc3_ir", "F160W", exposures=60, subarray=(256, 256))
    field = build_field("long", Pointing(10.0, 20.0), [visit], dither=dither)
    stars = SkyCoord(field.scene.ra, field.scene.dec, unit="deg")
    for plan in field.exposures:
        centre = SkyCoord(plan.pointing.ra, plan.pointing.dec, unit="deg")
        assert (centre.separation(stars).arcsec < 15).sum() > 3


def test_a_full_disk_is_reported_and_leaves_no_partial_file(tmp_path, monkeypatch):
    def full(self, part, **_):
        part.write_bytes(b"half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(fits.HDUList, "writeto", full)
    with pytest.raises(OutputError, match=r"idem01a0q_flc\.fits cannot be written: No space left"):
        simulate_field(demo_field(subarray=SMALL, infrared=SMALL), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_ready_made_fields_cover_a_corner_of_four_sky_cells():
    ra, dec = sky_cell_corner(10, 10)
    cell = WCS(naxis=2)
    cell.wcs.ctype, cell.wcs.crval, cell.wcs.crpix = ["RA---TAN", "DEC--TAN"], [180.0, 26.0], [225144.0] * 2
    cell.wcs.cdelt = [-0.04 / 3600, 0.04 / 3600]
    assert cell.wcs_world2pix([[ra, dec]], 0)[0] == pytest.approx(10 * 21442 + 255.5, abs=1e-4)
    for field in (demo_field(), corner_field()):
        assert len(field.exposures) == 6
        assert len({plan.filter for plan in field.exposures}) == 3
        for plan in field.exposures:
            assert (plan.pointing.ra, plan.pointing.dec) == pytest.approx((ra, dec), abs=0.002)


@pytest.mark.parametrize("name", ["list.txt", "ib6o21raq_flc.fits"])
def test_a_folder_with_files_of_the_user_is_refused(tmp_path, name):
    (tmp_path / name).write_text("of the user")
    with pytest.raises(OutputError, match=f"contains {re.escape(name)}, which hstmosaic simulate did not write"):
        check_folder(tmp_path, demo_field())


def test_a_folder_can_be_simulated_again_unless_its_list_changed(tmp_path):
    field = Field("one", (small_plan(),), one_star(0, 0))
    check_folder(tmp_path / "new", field)
    simulate_field(field, tmp_path)
    check_folder(tmp_path, field)
    (tmp_path / "list.txt").write_text("of the user")
    with pytest.raises(OutputError, match=r"list\.txt"):
        check_folder(tmp_path, field)
