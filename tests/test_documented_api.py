"""`hstmosaic.make_custom_mosaic` is drizzlepac's, name by name."""

import inspect
import logging
import math
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from astropy.io import fits

from hstmosaic import make_custom_mosaic
from hstmosaic.errors import BadInputError, ExitCode
from hstmosaic.plan.cells import SkyCell

DOCUMENTED = {
    "calc_skycell_dist": ["x", "y", "x_ref", "y_ref"],
    "compute_mosaic_limits": ["proj_cell_dict"],
    "create_input_image_list": ["user_input"],
    "create_poller_file": ["img_list", "proj_cell_dict"],
    "determine_projection_cell": ["img_list"],
    "perform": ["input_image_source", "log_level", "output_file_prefix", "skip_gaia_alignment"],
}
ADDED = {"perform": ["replace"]}
DONE = SimpleNamespace(exit_code=ExitCode.OK)


@pytest.fixture(scope="module")
def exposures(simulated):
    return simulated.demo(200).folder


@pytest.mark.parametrize("name", DOCUMENTED)
def test_parameters_are_those_documented(name):
    parameters = inspect.signature(getattr(make_custom_mosaic, name)).parameters.values()
    assert [p.name for p in parameters if p.kind is not p.KEYWORD_ONLY] == DOCUMENTED[name]
    assert [p.name for p in parameters if p.kind is p.KEYWORD_ONLY] == ADDED.get(name, [])


def test_defaults_of_perform():
    parameters = inspect.signature(make_custom_mosaic.perform).parameters.values()
    assert [p.default for p in parameters] == [inspect.Parameter.empty, "info", None, False, False]


@pytest.mark.parametrize("given", [[], ["--replace"]])
def test_the_command_line_can_replace_another_run(tmp_path, monkeypatch, given):
    monkeypatch.chdir(tmp_path)
    seen = []
    monkeypatch.setattr(make_custom_mosaic, "run_mosaic", lambda options, listener: seen.append(options) or DONE)
    assert make_custom_mosaic.main(["-s", "list.txt", *given]) == 0
    assert [options.replace for options in seen] == [bool(given)]


def test_distance_is_euclidean():
    assert make_custom_mosaic.calc_skycell_dist(4, 6, 1, 2) == 5.0
    assert make_custom_mosaic.calc_skycell_dist(1, 1, 21, 21) == pytest.approx(20 * math.sqrt(2))


def test_image_lists_come_from_patterns_and_from_files(exposures, monkeypatch):
    monkeypatch.chdir(exposures)
    names = Path("list.txt").read_text().split()
    assert make_custom_mosaic.create_input_image_list("list.txt") == names
    assert make_custom_mosaic.create_input_image_list("*_fl?.fits") == sorted(names)


@pytest.mark.parametrize(
    ("written", "source"),
    [(None, "*_raw.fits"), (None, "absent.txt"), (None, "absent_flc.fits"), ("", "list.txt"), ("\n# no\n", "list.txt")],
)
def test_nothing_found_is_an_empty_list_as_in_drizzlepac(tmp_path, monkeypatch, caplog, written, source):
    monkeypatch.chdir(tmp_path)
    if written is not None:
        Path(source).write_text(written)
    assert make_custom_mosaic.create_input_image_list(source) == []
    assert source in caplog.text
    with pytest.raises(BadInputError, match="it is empty"):
        make_custom_mosaic.determine_projection_cell([])


@pytest.mark.parametrize("text", [b"absent_flc.fits\n", b"\xe4_flc.fits\n", b"\0\0"])
def test_a_text_file_that_cannot_be_used_is_an_error(tmp_path, monkeypatch, text):
    monkeypatch.chdir(tmp_path)
    Path("list.txt").write_bytes(text)
    with pytest.raises(BadInputError, match=r"list\.txt"):
        make_custom_mosaic.create_input_image_list("list.txt")


def test_sky_cells_have_what_scripts_read(exposures, monkeypatch):
    monkeypatch.chdir(exposures)
    names = make_custom_mosaic.create_input_image_list("list.txt")
    cells = make_custom_mosaic.determine_projection_cell(names)
    assert {name[8:13] for name in cells} == {"p1889"}
    for name, cell in cells.items():
        assert (cell.sky_cell_id, cell.projection_cell.cell_id) == (name, 1889)
        assert name.endswith(f"x{cell.x_index:02d}y{cell.y_index:02d}")
        assert set(cell.members) <= set(names)
        assert cell.wcs.pixel_shape == (21954, 21954)
        assert cell.corners.shape == (5, 2)
        np.testing.assert_allclose(cell.projection_cell.wcs.wcs.crval, [180.0, 26.0])


def test_limits_of_one_sky_cell():
    # the cell in column 7 begins after six steps of 21442 pixels and is 21954 pixels wide
    name = "skycell-p1889x07y19"
    limits = make_custom_mosaic.compute_mosaic_limits({"any key": SkyCell.from_name(name)})
    assert limits == [6 * 21442, 6 * 21442 + 21953, 18 * 21442, 18 * 21442 + 21953]


def test_poller_is_written_here(exposures, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = [str(path) for path in sorted(exposures.glob("*_fl?.fits"))]
    cells = make_custom_mosaic.determine_projection_cell(names)
    poller = make_custom_mosaic.create_poller_file(names, cells)
    rows = [row.split(",") for row in Path(poller).read_text().splitlines()]
    assert [row[0] for row in rows] == [Path(name).name for name in names]
    assert [row[9] for row in rows] == names
    assert {row[8] for row in rows} == {"NEW"}
    assert poller == f"temp_{rows[0][7]}_mvm.out"


def test_images_without_exposure_do_not_affect_the_choice(exposures, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    good, original = sorted(map(str, exposures.glob("idem01*_flc.fits")))
    empty = Path(original).name
    with fits.open(original) as hdus:
        hdus[0].header["EXPTIME"] = 0.0
        for hdu in hdus[1:]:
            hdu.header.pop("WCSNAME", None)
        hdus.writeto(empty)
    cells = make_custom_mosaic.determine_projection_cell([empty, good])
    assert {tuple(cell.members) for cell in cells.values()} == {(good,)}
    with pytest.raises(BadInputError, match="nothing was exposed"):
        make_custom_mosaic.determine_projection_cell([empty])


@pytest.mark.parametrize("folder", ["a,b", "a|b"])
def test_a_path_that_a_poller_cannot_hold_is_an_error(exposures, tmp_path, monkeypatch, folder):
    monkeypatch.chdir(tmp_path)
    Path(folder).symlink_to(exposures)
    names = [str(path) for path in Path(folder).glob("idem01*_flc.fits")]
    cells = make_custom_mosaic.determine_projection_cell(names)
    with pytest.raises(BadInputError, match="comma or a bar") as caught:
        make_custom_mosaic.create_poller_file(names, cells)
    assert len(caught.value.problems) == len(names) == 2
    assert not list(tmp_path.glob("*.out"))


def test_perform_returns_1_for_what_cannot_be_done(tmp_path, monkeypatch, caplog):
    monkeypatch.chdir(tmp_path)
    with caplog.at_level(logging.CRITICAL):
        assert make_custom_mosaic.perform("absent.txt", skip_gaia_alignment=True) == 1
        assert make_custom_mosaic.perform("absent.txt", log_level="loud", skip_gaia_alignment=True) == 1
    assert "absent.txt" in caplog.text
    assert "invalid log level 'loud'" in caplog.text
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("flag", "code"), [("-s", 1), ("-x", 2)])
def test_the_module_exits_with_what_it_returns(tmp_path, flag, code):
    command = [sys.executable, "-m", "hstmosaic.make_custom_mosaic", flag, "absent.txt"]
    assert subprocess.run(command, cwd=tmp_path, capture_output=True, check=False).returncode == code


@pytest.mark.upstream
def test_perform_makes_mosaics_here(exposures, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "list.txt").write_text("".join(f"{path}\n" for path in exposures.glob("*03a?q_flt.fits")))
    assert make_custom_mosaic.perform("list.txt", output_file_prefix="foo_", skip_gaia_alignment=True) == 0
    assert sorted(path.name for path in [*tmp_path.glob("*_dr?.fits"), *tmp_path.glob("*.txt")]) == [
        "foo__manifest.txt",
        "foo__wfc3_ir_f160w_all_drz.fits",
        "foo__wfc3_ir_f160w_all_trl.txt",
        "foo__wfc3_ir_f160w_coarse-all_drz.fits",
        "foo__wfc3_ir_f160w_coarse-all_trl.txt",
        "list.txt",
    ]
    assert all(path.name.startswith("foo_") for path in tmp_path.iterdir() if path.name != "list.txt")


@pytest.mark.upstream
def test_the_module_exits_with_0(exposures, tmp_path):
    (tmp_path / "list.txt").write_text("".join(f"{path}\n" for path in exposures.glob("*01a?q_flc.fits")))
    command = [sys.executable, "-m", "hstmosaic.make_custom_mosaic", "-s", "-o", "bar", "list.txt"]
    shown = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "bar_wfc3_uvis_f606w_all_drc.fits" in shown.stdout
    assert (tmp_path / "bar_wfc3_uvis_f606w_all_drc.fits").is_file()


def test_a_deleted_current_directory_is_reported(tmp_path, monkeypatch, caplog):
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    assert make_custom_mosaic.perform("list.txt") == 1
    assert "the current directory no longer exists" in caplog.text
