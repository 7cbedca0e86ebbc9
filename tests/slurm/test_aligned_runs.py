"""Aligned runs on a real Slurm: the bits of this machine alone, and a driver that is killed in every stage."""

import hashlib
import json

import pytest
from astropy.io import fits
from astropy.table import Table

from helpers.alignment_fields import three_cameras
from helpers.stubs import PROFILE
from helpers.users import finished_tasks, start
from hstmosaic.errors import ExitCode
from hstmosaic.run.driver import run_mosaic
from hstmosaic.run.options import RunOptions
from hstmosaic.simulate import simulate_field

pytestmark = [pytest.mark.slurm, pytest.mark.upstream, pytest.mark.slow]

EXPOSURES = 4


@pytest.fixture(scope="module")
def field(tmp_path_factory):
    """WFC3/UVIS and WFC3/IR visits with pointing errors, a catalogue of their stars, and what this machine makes."""
    folder = tmp_path_factory.mktemp("field")
    planned = three_cameras(rows=500)
    simulate_field(planned, folder)
    used = [plan.filename for plan in planned.exposures if not plan.filename.startswith("j")]
    assert len(used) == EXPOSURES
    (folder / "list.txt").write_text("".join(f"{name}\n" for name in used))
    truth = Table.read(folder / "truth.ecsv")
    stars = truth[truth["kind"] == "star"]
    catalog = Table({"ra": stars["ra"], "dec": stars["dec"], "mag": stars["magnitude"]})
    catalog.write(folder / "stars.ecsv")
    (folder / "mini.yaml").write_text(PROFILE)
    options = RunOptions(
        source=str(folder / "list.txt"),
        prefix="foo",
        output=folder / "here",
        catalog=folder / "stars.ecsv",
        require_alignment=True,
    )
    assert run_mosaic(options, lambda event: None).exit_code is ExitCode.OK
    return folder


def align(field, output, *options, **how):
    wanted = ("--catalog", field / "stars.ecsv", "--require-alignment", *options)
    return start(field / "list.txt", field / "mini.yaml", output, *wanted, **how)


def products(folder):
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.glob("foo_*_dr?.fits")}


def test_a_driver_that_is_killed_in_every_stage(slurm, field, tmp_path):
    tasks = tmp_path / "foo_run" / "tasks"
    ended = {}

    def begun(name):
        return [path.parent.name for path in tasks.glob(f"{name}/log.txt")]

    def still_running(name):
        return [task for task in begun(name) if not (tasks / task / "result.json").exists()]

    def remember(*stages):
        """Note what is finished; nothing that was before has been done again."""
        now = finished_tasks(tmp_path / "foo_run")
        assert {task: now.get(task) for task in ended} == ended
        ended.update(now)
        assert {task.partition("-")[0] for task in now} == set(stages)

    # one task at a time, so that every stage takes a while
    run = align(field, tmp_path, "--workers", 1)
    run.kill_when(lambda: finished_tasks(run.run) and still_running("screen-*"))
    assert not begun("sources-*")
    remember("screen")

    run = align(field, tmp_path, "--workers", 1)
    run.kill_when(
        lambda: any(task.startswith("sources") for task in finished_tasks(run.run)) and still_running("sources-*")
    )
    assert not begun("align")
    remember("screen", "sources")
    assert 1 <= sum(task.startswith("sources") for task in ended) < EXPOSURES

    run = align(field, tmp_path)
    run.kill_when(lambda: begun("align"))
    remember("screen", "sources")
    assert len(ended) == 2 * EXPOSURES

    run = align(field, tmp_path, "--workers", 1)
    run.kill_when(lambda: begun("drizzle-*"))
    remember("screen", "sources", "align")

    # in the middle of gathering: of the two mosaics of WFC3/IR one is moved, the other one is not
    run = align(field, tmp_path, "--workers", 1, kill_at="/foo_wfc3_ir_f160w_all_drz.fits")
    assert run.wait() == -9, run.words
    assert [path.name for path in tmp_path.glob("foo_wfc3_ir*.fits")] == ["foo_wfc3_ir_f160w_coarse-all_drz.fits"]
    remember("screen", "sources", "align", "drizzle")
    assert "drizzle-wfc3_ir_f160w" in ended

    run = align(field, tmp_path)
    assert run.wait() == ExitCode.OK, run.words
    remember("screen", "sources", "align", "drizzle", "pictures")
    assert len(ended) == 2 * EXPOSURES + 4
    assert products(tmp_path) == products(field / "here")
    assert len(products(tmp_path)) == 3
    assert all(fits.getval(path, "ALIGNED") for path in tmp_path.glob("foo_*_dr?.fits"))


def test_an_aligned_run_gives_the_bits_of_this_machine_alone(slurm, field, tmp_path):
    run = align(field, tmp_path)
    assert run.wait() == ExitCode.OK, run.words
    assert [event["job"] for event in run.events() if event["kind"] == "job"]
    assert products(tmp_path) == products(field / "here")
    in_jobs, here = (
        json.loads((folder / "foo_run" / "alignment.json").read_text()) for folder in (tmp_path, field / "here")
    )
    for what in ("aligned", "matches", "rms_mas", "exposures", "left_out"):
        assert in_jobs[what] == here[what]
    for path in (field / "here").glob("foo_*_hlet.fits"):
        assert (tmp_path / path.name).exists()
