"""Pixels without numbers and constant arrays harm nothing but themselves, and are reported."""

import json
import shutil

import numpy as np
import pytest
from astropy.io import fits

from hstmosaic.errors import BadInputError, ExitCode
from hstmosaic.products.manifest import manifest_from_json
from hstmosaic.run.driver import run_mosaic
from hstmosaic.run.options import RunOptions
from hstmosaic.simulate import simulate_field
from hstmosaic.simulate.request import requested_field
from hstmosaic.store.pixel_repair import PixelRepair
from hstmosaic.tasks.working_copy import fill_values

pytestmark = pytest.mark.upstream

MOSAIC = "foo_wfc3_uvis_f606w_all_drc.fits"
FIRST, ROWS = np.s_[0, 0], np.s_[200:215, :]
BLOCK = np.s_[50:350, 100:390]


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """Three overlapping WFC3/UVIS exposures, whose skies are matched."""
    field = requested_field(cameras=["wfc3_uvis:F606W:3"], subarray=(400, 400))
    return simulate_field(field, tmp_path_factory.mktemp("sound"))


def copies(sound, folder):
    folder.mkdir()
    return [shutil.copy(path, folder / path.name) for path in sound]


def change(path, **values):
    """Set pixels: ``SCI=(where, value)``."""
    with fits.open(path, mode="update") as hdus:
        for name, (where, value) in values.items():
            hdus[name].data[where] = value


def make_constant(path, name, **cards):
    with fits.open(path) as hdus:
        rest = [hdu.copy() for hdu in hdus]
        constant = fits.ImageHDU(header=hdus[name].header.copy())
        constant.data = None
        constant.header.update({"NPIX1": 400, "NPIX2": 400, "PIXVALUE": 0} | cards)
        rest[hdus.index_of(name)] = constant
    fits.HDUList(rest).writeto(path, overwrite=True)


def run(paths, output, **options):
    events = []
    given = RunOptions(tuple(map(str, paths)), skip_alignment=True, output=output, prefix="foo", **options)
    return run_mosaic(given, events.append), events


def arrays(output):
    with fits.open(output / MOSAIC) as hdus:
        return hdus["SCI"].data.copy(), hdus["WHT"].data.copy()


def same(left, right):
    return all(np.array_equal(a, b, equal_nan=True) for a, b in zip(arrays(left), arrays(right), strict=True))


def fill_and_flag(path, name, where):
    """Do to an exposure by hand what its working copy gets: finite numbers, and a flag that mosaics reject."""
    bad = np.zeros((400, 400), bool)
    bad[where] = True
    with fits.open(path, mode="update") as hdus:
        good = hdus["SCI"].data[~bad & (hdus["DQ"].data == 0)]
        if name == "SCI":
            hdus["SCI"].data[bad] = fill_values(good, np.count_nonzero(bad))
        hdus["DQ"].data[bad] |= 4


@pytest.mark.slow
def test_the_mosaic_is_that_of_flagged_pixels(sound, tmp_path):
    faults = [("SCI", FIRST, np.nan, 4), ("SCI", BLOCK, -np.inf, 0), ("ERR", ROWS, np.nan, 64)]
    faulty, filled, flagged = (copies(sound, tmp_path / name) for name in ("faulty", "filled", "flagged"))
    for i, (name, where, value, flags) in enumerate(faults):
        for paths in (faulty, filled, flagged):
            change(paths[i], DQ=(where, flags))
        change(faulty[i], **{name: (where, value)})
        fill_and_flag(filled[i], name, where)
        change(flagged[i], DQ=(where, 4))
    outcome, events = run(faulty, tmp_path / "out")
    assert outcome.exit_code is ExitCode.OK
    run(filled, tmp_path / "right")
    assert same(tmp_path / "out", tmp_path / "right")
    # the numbers that these pixels really had are in the static mask, and nowhere else
    run(flagged, tmp_path / "true")
    (science, weight), (right, right_weight) = arrays(tmp_path / "out"), arrays(tmp_path / "true")
    assert np.mean(weight != right_weight) < 2e-4
    assert np.nanmedian(np.abs(science - right)) < 1e-3
    assert np.nanmax(np.abs(science - right)[weight == right_weight]) < 0.1

    repairs = [PixelRepair({f"{name},1": np.zeros((400, 400))[where].size}) for name, where, *_ in faults]
    repaired = [(event.level, event.message) for event in events if event.kind == "repaired"]
    assert sorted(repaired) == [
        ("warning", f"{path.name}: {fault}") for path, fault in zip(faulty, repairs, strict=True)
    ]
    manifest = manifest_from_json((tmp_path / "out" / "foo_manifest.json").read_text())
    assert [exposure.repair for exposure in manifest.exposures] == repairs
    history = " ".join(fits.getheader(tmp_path / "out" / MOSAIC)["HISTORY"]).replace("   ", " ")
    report = (tmp_path / "out" / "foo_report.html").read_text()
    for path, repair in zip(faulty, repairs, strict=True):
        assert f"{path.name}: {repair}" in history
        assert f"{repair}." in report


def test_nan_pixels_have_no_weight_if_flags_are_accepted(sound, tmp_path):
    faulty = copies(sound, tmp_path / "faulty")[:1]
    change(faulty[0], SCI=(ROWS, np.nan))
    outcome, _ = run(faulty, tmp_path / "out")
    assert outcome.plan.layers[0].parameter_set == "n1"
    run(sound[:1], tmp_path / "right")
    (science, weight), (right, all_weight) = arrays(tmp_path / "out"), arrays(tmp_path / "right")
    lost = (weight == 0) & (all_weight > 0)
    assert 0.8 * 15 * 400 < np.count_nonzero(lost) < 1.2 * 15 * 400
    untouched = weight == all_weight
    np.testing.assert_array_equal(science[untouched], right[untouched])


def test_a_second_start_does_nothing_again(sound, tmp_path):
    faulty = copies(sound, tmp_path / "faulty")
    change(faulty[1], SCI=(ROWS, np.nan))
    outcome, _ = run(faulty, tmp_path / "out", keep_work=True)
    work = outcome.directory / "tasks" / "drizzle-wfc3_uvis_f606w" / "work"
    assert [(work / path.name).is_symlink() for path in faulty] == [True, False, True], "sound ones are not copied"
    outcome, events = run(faulty, tmp_path / "out")
    assert outcome.exit_code is ExitCode.OK
    kinds = [event.kind for event in events]
    assert "reused" in kinds
    assert not {"drizzling", "running"} & set(kinds)
    assert "repaired" not in kinds, "the report of the first start names it and is kept"
    change(faulty[1], SCI=(np.s_[300, 300], np.nan))
    _, events = run(faulty, tmp_path / "out")
    assert [event.data["layer"] for event in events if event.kind == "drizzling"] == ["wfc3_uvis_f606w"]


def test_constant_arrays_count_as_whole_ones(sound, tmp_path):
    faulty, control = copies(sound, tmp_path / "faulty"), copies(sound, tmp_path / "control")
    for path, other in zip(faulty, control, strict=True):
        make_constant(path, "DQ")
        make_constant(path, "ERR")
        change(other, DQ=(np.s_[:], 0))
    outcome, events = run(faulty, tmp_path / "out", strict=True)
    assert (outcome.exit_code, outcome.left_out) == (ExitCode.OK, ())
    run(control, tmp_path / "right")
    assert same(tmp_path / "out", tmp_path / "right")
    found = [PixelRepair.from_dict(event.data["repair"]) for event in events if event.kind == "repaired"]
    assert found == [PixelRepair(constant=("ERR,1", "DQ,1"))] * 3
    assert "finished with" not in next(event for event in events if event.kind == "finished").message


@pytest.fixture
def crashing(sound, tmp_path):
    """The second exposure has a DQ extension that stands for no pixels, so that its screening crashes."""
    paths = copies(sound, tmp_path / "faulty")
    make_constant(paths[1], "DQ", NPIX1=12)
    return paths


def test_a_run_continues_after_a_crash_of_screening(crashing, tmp_path):
    outcome, events = run(crashing, tmp_path / "out")
    assert outcome.exit_code is ExitCode.OK
    (exclusion,) = outcome.left_out
    assert (exclusion.name, exclusion.crashed) == (crashing[1].name, True)
    assert "screening crashed: PixelArrayError: DQ,1 stands for 12 x 400 pixels" in exclusion.reason
    assert "log.txt" in exclusion.next_step
    by_kind = {event.kind: event for event in events}
    assert crashing[1].name in by_kind["warnings"].message
    assert by_kind["finished"].message.startswith("finished with warnings: 1 of ")
    assert "finished with warnings" in (tmp_path / "out" / "foo_report.html").read_text()
    manifest = json.loads((tmp_path / "out" / "foo_manifest.json").read_text())
    assert [item["crashed"] for item in manifest["left_out"]] == [True]


def test_a_crash_of_screening_is_an_error_if_strict(crashing, tmp_path):
    with pytest.raises(BadInputError, match=rf"{crashing[1].name}: screening crashed: PixelArrayError"):
        run(crashing, tmp_path / "out", strict=True)
    assert not list((tmp_path / "out").glob("*_dr?.fits"))


def test_a_layer_whose_screening_crashed_failed(crashing, tmp_path):
    outcome, _ = run(crashing[1:2], tmp_path / "out")
    assert outcome.exit_code is ExitCode.LAYER_FAILED
    (failure,) = outcome.failures
    assert f"{crashing[1].name}: screening crashed: PixelArrayError: DQ,1" in failure.cause
    assert failure.log.endswith("screen-icab01a1q_flc/log.txt")
    assert "not evidence against the exposure" in (outcome.directory / "failures.txt").read_text()
