"""From a list to a plan."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from astropy.io import fits

from helpers.pointed_exposures import Aim, sky_of, write_aimed
from helpers.sky_fields import ACS, FIELDS, LAST, UVIS, visit
from hstmosaic.errors import BadInputError, HstMosaicError
from hstmosaic.plan import build
from hstmosaic.plan.build import make_plan

MOSAIC = [
    Aim(180.0, 26.0, more=visit(1)),
    Aim(180.002, 26.001, **UVIS, more=visit(2)),
    Aim(180.001, 26.001, **ACS, more=visit(3)),
    Aim(180.001, 26.0, more=visit(1, 2)),
]
ELSEWHERE = Aim(30.0, -60.0, more=visit(8))


def write_list(folder: Path, aims: list[Aim]) -> str:
    """Write exposures and their list."""
    names = [write_aimed(folder, aim).name for aim in aims]
    (folder / "list.txt").write_text("\n".join(names))
    return str(folder / "list.txt")


def test_the_order_of_the_list_is_kept(tmp_path):
    plan = make_plan(write_list(tmp_path, MOSAIC))
    assert [exposure.name for exposure in plan.exposures] == (tmp_path / "list.txt").read_text().split("\n")
    assert [layer.name for layer in plan.layers] == ["wfc3_ir_f160w", "wfc3_uvis_f606w", "acs_wfc_f814w"]
    assert plan.layers[0].exposures == ("icab01a0q_flt.fits", "icab01a1q_flt.fits")
    assert (plan.excluded, plan.notes) == ((), ())


def test_the_same_list_gives_the_same_plan(tmp_path):
    source = write_list(tmp_path, FIELDS["corner of four sky cells"])
    assert make_plan(source) == make_plan(source)
    assert make_plan(source).to_json() == make_plan(source).to_json()


def test_another_order_gives_the_same_mosaic(tmp_path):
    source = write_list(tmp_path, MOSAIC)
    plan = make_plan(source)
    names = (tmp_path / "list.txt").read_text().split("\n")
    for seed in range(3):
        random.Random(seed).shuffle(names)
        (tmp_path / "list.txt").write_text("\n".join(names))
        other = make_plan(source)
        assert [exposure.name for exposure in other.exposures] == names
        assert (other.tight_limits, other.sky_cells, other.prefix) == (plan.tight_limits, plan.sky_cells, plan.prefix)
        grids = {product.name: product for layer in plan.layers for product in layer.products}
        assert {product.name: product for layer in other.layers for product in layer.products} == grids


def test_exposures_outside_the_projection_cell_are_excluded(tmp_path):
    plan = make_plan(write_list(tmp_path, [*MOSAIC, ELSEWHERE]))
    assert plan.projection_cell == "p1889"
    (exclusion,) = plan.excluded
    assert exclusion.name == "icab08a0q_flt.fits"
    assert exclusion.reason == "outside the projection cell of the mosaic (p1889)"
    assert exclusion.next_step == "make its mosaic in a separate run"
    assert len(plan.exposures) == 4
    assert all(exclusion.name not in layer.exposures for layer in plan.layers)
    (note,) = plan.notes
    assert note.startswith("p1889 is the nearest projection cell; the exposures also touch p")


def test_what_is_left_out_does_not_enlarge_the_mosaic(tmp_path):
    (tmp_path / "more").mkdir()
    alone, together = (
        make_plan(write_list(folder, aims))
        for folder, aims in ((tmp_path, MOSAIC), (tmp_path / "more", [*MOSAIC, ELSEWHERE]))
    )
    assert together.tight_limits == alone.tight_limits
    assert [layer.products for layer in together.layers] == [layer.products for layer in alone.layers]


def as_flt(folder: Path, aim: Aim) -> Path:
    """Write an exposure of a CCD as an FLT."""
    path = write_aimed(folder, aim)
    return path.rename(path.with_name(path.name.replace("_flc", "_flt")))


def test_an_flc_that_is_left_out_itself_does_not_replace_flts(tmp_path):
    for k in range(2):
        as_flt(tmp_path, Aim(180.0, 26.0, **UVIS, more=visit(1, k + 1)))
    write_aimed(tmp_path, Aim(180.0, 26.0, more=visit(2)))
    elsewhere = write_aimed(tmp_path, Aim(30.0, -60.0, **UVIS, more=visit(3)))
    plan = make_plan(str(tmp_path / "*_fl?.fits"))
    assert [exclusion.name for exclusion in plan.excluded] == [elsewhere.name]
    assert {layer.name: layer.filetype for layer in plan.layers} == {"wfc3_uvis_f606w": "flt", "wfc3_ir_f160w": "flt"}


def test_flts_of_flcs_do_not_affect_the_grid(tmp_path):
    write_aimed(tmp_path, Aim(*sky_of(1889, 225000, 225000), **UVIS, more=visit(1)))
    alone = make_plan(str(tmp_path / "*_fl?.fits"))
    flt = as_flt(tmp_path, Aim(*sky_of(1889, 180000, 180000), **UVIS, more=visit(2)))
    plan = make_plan(str(tmp_path / "*_fl?.fits"))
    (exclusion,) = plan.excluded
    assert exclusion.name == flt.name
    assert (plan.limits, plan.sky_cells, plan.layers) == (alone.limits, alone.sky_cells, alone.layers)


def test_clipped_exposures_are_used_and_noted(tmp_path):
    plan = make_plan(write_list(tmp_path, FIELDS["right edge of a projection cell"][:2]))
    assert (plan.excluded, len(plan.exposures)) == ((), 2)
    assert plan.tight_limits.xmax == plan.limits.xmax == LAST + 1
    assert plan.notes[0] == "the mosaic is clipped at the edge of p1889 (xmax)"
    assert plan.notes[1] == "icab02a0q_flt.fits is clipped at the limits of the mosaic in p1889"


def test_every_input_is_accounted_for(tmp_path):
    calibration = Aim(180.0, 26.0, more=visit(4) | {"target": "DARK"})
    aims = [*MOSAIC, calibration, ELSEWHERE]
    source = write_list(tmp_path, aims)
    Path(source).write_text(Path(source).read_text() + "\nicab01a0q_flt.fits")
    plan = make_plan(source)
    used = [name for layer in plan.layers for name in layer.exposures]
    assert sorted(used) == sorted(exposure.name for exposure in plan.exposures)
    assert [exclusion.name for exclusion in plan.excluded] == [
        "icab04a0q_flt.fits",
        "icab01a0q_flt.fits",
        "icab08a0q_flt.fits",
    ]
    assert len(used) + len(plan.excluded) == len(aims) + 1
    with pytest.raises(BadInputError) as caught:
        make_plan(source, strict=True)
    assert [problem.name for problem in caught.value.problems] == [exclusion.name for exclusion in plan.excluded]
    assert [problem.next_step for problem in caught.value.problems] == [e.next_step for e in plan.excluded]


def test_strict_has_nothing_against_a_clean_list(tmp_path):
    source = write_list(tmp_path, MOSAIC)
    assert make_plan(source, strict=True) == make_plan(source)


def test_nothing_left_is_an_error_with_every_reason(tmp_path):
    aims = [Aim(180.0, 26.0, more=visit(k) | {"target": target}) for k, target in ((1, "DARK"), (2, "TUNGSTEN"))]
    with pytest.raises(BadInputError) as caught:
        make_plan(write_list(tmp_path, aims))
    assert [problem.name for problem in caught.value.problems] == ["icab01a0q_flt.fits", "icab02a0q_flt.fits"]


def test_all_problems_at_once(tmp_path):
    source = write_list(tmp_path, MOSAIC)
    (tmp_path / "icab02a0q_flc.fits").write_bytes(b"")
    (tmp_path / "jcab03a0q_flc.fits").write_text("<html>")
    with pytest.raises(BadInputError) as caught:
        make_plan(source, keep=["icab99a0q_flc.fits", "icab01a0q_flt.fits"])
    names = [problem.name for problem in caught.value.problems]
    assert names == ["icab02a0q_flc.fits", "jcab03a0q_flc.fits", "icab99a0q_flc.fits"]
    assert "--keep" in caught.value.problems[-1].cause
    assert all(problem.next_step for problem in caught.value.problems)
    assert caught.value.exit_code == 3


def test_strict_reports_exclusions_with_all_other_problems(tmp_path):
    source = write_list(tmp_path, [*MOSAIC, Aim(180.0, 26.0, more=visit(4) | {"target": "DARK"})])
    (tmp_path / "folder").mkdir()
    shutil.copy(tmp_path / "icab01a0q_flt.fits", tmp_path / "folder" / "icab01a1q_flt.fits")
    clash = tmp_path / "folder" / "icab01a1q_flt.fits"
    with fits.open(clash, mode="update") as hdus:
        hdus[0].header["ROOTNAME"] = "icab05a1q"
    Path(source).write_text(Path(source).read_text() + f"\nabsent_flc.fits\n{clash}")
    with pytest.raises(BadInputError) as caught:
        make_plan(source)
    assert [problem.name for problem in caught.value.problems] == ["absent_flc.fits", str(clash)]
    with pytest.raises(BadInputError) as caught:
        make_plan(source, strict=True)
    names = [problem.name for problem in caught.value.problems]
    assert names == ["absent_flc.fits", str(clash), "icab04a0q_flt.fits"]


@pytest.mark.parametrize("name", ["icab04a0q_flt.fits", "icab04a0q"])
def test_keep_without_effect_is_noted(tmp_path, name):
    source = write_list(tmp_path, [*MOSAIC, Aim(180.0, 26.0, more=visit(4) | {"target": "DARK"})])
    plan = make_plan(source, keep=[name, "icab01a0q"])
    (note,) = plan.notes
    assert note.startswith(f"--keep {name} has no effect")
    assert "TARGNAME=DARK" in note


@pytest.mark.parametrize("name", ["icab01a0q_flt.fits", "icab01a0q"])
def test_keep_takes_file_names_and_root_names(tmp_path, name):
    assert make_plan(write_list(tmp_path, MOSAIC[:1]), keep=[name]).exposures


def test_a_run_after_an_aligned_one_takes_the_same_exposures(tmp_path):
    paths = [write_aimed(tmp_path, aim) for aim in (MOSAIC[0], MOSAIC[1])]
    pattern = str(tmp_path / "*_fl?.fits")
    before = make_plan(pattern)
    for path, layer in zip(paths, ("wfc3_ir_f160w_coarse-all", "wfc3_uvis_f606w_all"), strict=True):
        shutil.copy(path, tmp_path / f"foo_{layer}-{path.name[:8]}{path.name[-9:]}")
    after = make_plan(pattern, strict=True)
    assert (after.exposures, after.layers, after.excluded) == (before.exposures, before.layers, ())
    (note,) = set(after.notes) - set(before.notes)
    assert note.startswith("skipped 2 aligned copies of an earlier run, such as foo_wfc3_")


def test_two_exposures_of_one_file_name(tmp_path):
    for k, folder in enumerate(("a", "b"), start=1):
        (tmp_path / folder).mkdir()
        path = write_aimed(tmp_path / folder, Aim(180.0, 26.0, more=visit(k)))
        path.rename(path.with_name("icab07a0q_flt.fits"))
    with pytest.raises(BadInputError, match="another exposure has the same file name"):
        make_plan(str(tmp_path / "*" / "*.fits"))


def test_exposures_that_no_projection_cell_holds(tmp_path, monkeypatch):
    monkeypatch.setattr(build, "find_sky_cells", lambda *_: {})
    with pytest.raises(BadInputError, match="no projection cell contains them"):
        make_plan(write_list(tmp_path, MOSAIC[:1]))


def test_prefixes(tmp_path):
    source = write_list(tmp_path, MOSAIC[:1])
    assert make_plan(source).prefix == "hst-skycell-p1889-ra180d0000-decn26d0000"
    mine = make_plan(source, prefix="foo_")
    assert mine.prefix == "foo_"
    assert all(product.name.startswith("foo__wfc3_ir") for product in mine.layers[0].products)


def test_a_prefix_is_checked_before_anything_is_read(tmp_path):
    with pytest.raises(HstMosaicError, match="cannot begin a file name"):
        make_plan(str(tmp_path / "not-there.txt"), prefix="a/b")


def test_progress_is_reported(tmp_path):
    reported = []
    make_plan(write_list(tmp_path, MOSAIC), on_read=lambda *counts: reported.append(counts))
    assert reported == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_close_calls_are_noted(tmp_path):
    ra, dec = sky_of(1889, 225000, 225000)
    aims = [Aim(ra, dec + k * 128 * 0.121 / 3 / 3600, 0.0, more=visit(1, k + 1)) for k in range(2)]
    plan = make_plan(write_list(tmp_path, aims))
    (note,) = plan.notes
    assert "is close to 1.5, above which drizzlepac subtracts the sky" in note


def test_planning_imports_neither_drizzlepac_nor_dask(tmp_path):
    source = write_list(tmp_path, MOSAIC)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    code = (
        "import sys; from hstmosaic.plan.build import make_plan; make_plan(sys.argv[1]);"
        "print([m for m in ('drizzlepac', 'stwcs', 'dask', 'distributed', 'photutils') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, source], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert done.stdout.strip() == "[]"
    assert done.stderr == ""
    assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == before
