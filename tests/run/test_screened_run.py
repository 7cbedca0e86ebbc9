"""Exposures that screening leaves out are reported, can be kept, and never end with a silent exit code 0."""

import re

import numpy as np
import pytest
from astropy.io import fits

from hstmosaic.errors import BadInputError, ExitCode
from hstmosaic.run.driver import run_mosaic
from hstmosaic.run.options import RunOptions
from hstmosaic.simulate import demo_field, simulate_field

pytestmark = pytest.mark.upstream

TRAILED = "idem01a1q_flc.fits"


@pytest.fixture(scope="module")
def exposures(tmp_path_factory):
    """Two WFC3/UVIS exposures of a filter, guiding lost in the second, and two good WFC3/IR exposures.

    Their folder has in its name what would part the columns of a poller.
    """
    folder = tmp_path_factory.mktemp("old, new|both")
    field = demo_field(subarray=(600, 600), infrared=(256, 256), trailed=[1])
    return {path.name: path for path in simulate_field(field, folder)}


def run(tmp_path, exposures, *names, **options):
    listed = tmp_path / "list.txt"
    listed.write_text("".join(f"{exposures[name]}\n" for name in names))
    events = []
    given = RunOptions(source=str(listed), skip_alignment=True, output=tmp_path / "out", prefix="foo", **options)
    return run_mosaic(given, events.append), events


def drizzled(tmp_path, name):
    header = fits.getheader(tmp_path / "out" / name)
    return {str(value).split("[")[0].split("-")[-1].split("_")[0] for value in header["D*DATA"].values()}


def test_a_trailed_exposure_is_rejected_and_reported(exposures, tmp_path):
    outcome, events = run(tmp_path, exposures, "idem01a0q_flc.fits", TRAILED)
    assert outcome.exit_code is ExitCode.OK
    (exclusion,) = outcome.left_out
    assert exclusion.name == TRAILED
    assert re.fullmatch(r"guiding: stars are trailed; .* by (8\d|9\d)\.\d pixels at 33 degrees .*", exclusion.reason)
    assert f"--keep {TRAILED}" in exclusion.next_step
    assert [event for event in events if event.level == "warning" and TRAILED in event.message]
    assert drizzled(tmp_path, "foo_wfc3_uvis_f606w_all_drc.fits") == {"idem01a0"}


def test_an_exposure_without_numbers_does_not_take_its_layer_down(exposures, tmp_path):
    blank = tmp_path / "idem03a1q_flt.fits"
    with fits.open(exposures[blank.name]) as hdus:
        hdus["SCI"].data[:] = np.nan
        hdus.writeto(blank)
    outcome, _ = run(tmp_path, exposures | {blank.name: blank}, "idem03a0q_flt.fits", blank.name)
    assert outcome.exit_code is ExitCode.OK
    (exclusion,) = outcome.left_out
    assert (exclusion.name, exclusion.reason) == (blank.name, "no pixel of SCI,1 is finite in SCI and ERR")
    assert drizzled(tmp_path, "foo_wfc3_ir_f160w_all_drz.fits") == {"idem03a0"}


def test_the_user_can_overrule(exposures, tmp_path):
    outcome, _ = run(tmp_path, exposures, "idem01a0q_flc.fits", TRAILED, keep=(TRAILED,))
    assert outcome.exit_code is ExitCode.OK
    assert outcome.left_out == ()
    assert drizzled(tmp_path, "foo_wfc3_uvis_f606w_all_drc.fits") == {"idem01a0", "idem01a1"}


def test_strict_ends_the_run_before_anything_is_drizzled(exposures, tmp_path):
    with pytest.raises(BadInputError, match=r"1 problem .* screened, nothing was drizzled\n.*trailed"):
        run(tmp_path, exposures, "idem01a0q_flc.fits", TRAILED, strict=True)
    assert not list((tmp_path / "out").glob("*.fits"))


def test_a_layer_of_which_nothing_is_left_is_a_failure(exposures, tmp_path):
    outcome, _ = run(tmp_path, exposures, TRAILED, "idem03a0q_flt.fits")
    assert outcome.exit_code is ExitCode.LAYER_FAILED
    assert [failure.layer for failure in outcome.failures] == ["wfc3_uvis_f606w"]
    assert sorted(path.name for path in (tmp_path / "out").glob("*_dr?.fits")) == [
        "foo_wfc3_ir_f160w_all_drz.fits",
        "foo_wfc3_ir_f160w_coarse-all_drz.fits",
    ]


def test_when_nothing_at_all_is_left(exposures, tmp_path):
    outcome, _ = run(tmp_path, exposures, TRAILED)
    assert outcome.exit_code is ExitCode.NOTHING_LEFT
    assert not list((tmp_path / "out").glob("*.fits"))


def test_read_only_exposures_can_be_mosaicked_and_stay_as_they_are(exposures, tmp_path):
    name = "idem03a0q_flt.fits"
    copy = tmp_path / name
    copy.write_bytes(exposures[name].read_bytes())
    copy.chmod(0o444)
    outcome, _ = run(tmp_path, {name: copy}, name)
    assert outcome.exit_code is ExitCode.OK
    assert copy.read_bytes() == exposures[name].read_bytes()


def test_two_runs_of_one_list_give_the_same_bytes(exposures, tmp_path):
    made = []
    for folder in ("first", "second"):
        (tmp_path / folder).mkdir()
        outcome, _ = run(tmp_path / folder, exposures, "idem03a0q_flt.fits", "idem03a1q_flt.fits")
        made.append({file.name: file.sha256 for file in outcome.products if file.name.endswith(".fits")})
    assert made[0] == made[1] != {}
