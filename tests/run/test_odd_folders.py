"""Folders of users have any names: no path of theirs reaches drizzlepac."""

import pytest
from astropy.io import fits

from hstmosaic.errors import ExitCode
from hstmosaic.run.driver import run_mosaic
from hstmosaic.run.options import RunOptions
from hstmosaic.simulate import simulate_field
from hstmosaic.simulate.request import requested_field

pytestmark = pytest.mark.upstream

ODD = "Mü \u661f $data ${x} [1] a,b 'q\" *?%s #;|{x}~ é "
MOSAIC = "foo_wfc3_uvis_f606w_all_drc.fits"


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    top = tmp_path_factory.mktemp("top")
    field = requested_field(cameras=["wfc3_uvis:F606W:2"], subarray=(400, 400))
    for name in ("plain", ODD):
        (top / name).mkdir()
        simulate_field(field, top / name)
    return top


def pixels(output):
    with fits.open(output / MOSAIC) as hdus:
        return hdus["SCI"].data.tobytes(), hdus["WHT"].data.tobytes()


def run(source, output):
    events = []
    options = RunOptions(source=str(source), skip_alignment=True, output=output, prefix="foo", keep_work=True)
    return run_mosaic(options, events.append)


def test_folders_with_odd_names_change_nothing(folders):
    assert run(folders / "plain" / "list.txt", folders / "plain" / "out").exit_code is ExitCode.OK
    outcome = run(folders / ODD / "list.txt", folders / ODD / "out")
    assert (outcome.exit_code, outcome.left_out, outcome.failures) == (ExitCode.OK, (), ())
    assert pixels(folders / ODD / "out") == pixels(folders / "plain" / "out")
    header = fits.getheader(folders / ODD / "out" / MOSAIC)
    assert "data" not in str(header["D*DATA"])


def test_the_current_directory_may_have_an_odd_name(folders, monkeypatch, tmp_path):
    here = tmp_path / ODD
    here.mkdir()
    monkeypatch.chdir(here)
    outcome = run(folders / "plain" / "list.txt", here / "out")
    assert (outcome.exit_code, outcome.left_out) == (ExitCode.OK, ())
