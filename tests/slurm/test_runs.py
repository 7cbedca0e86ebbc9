"""Whole runs on a real Slurm, as users start them."""

import signal
from pathlib import Path

import pytest
from astropy.io import fits
from astropy.wcs import WCS
from astropy.wcs.utils import proj_plane_pixel_scales

from helpers.mini_slurm import ask, wait_until
from helpers.stubs import PROFILE
from helpers.users import Command, start
from hstmosaic.errors import ExitCode
from hstmosaic.monitor.status import read_status
from hstmosaic.plan.parameters import DrizzleParameters
from hstmosaic.plan.request import MosaicRequest
from hstmosaic.plan.tiles import Tiling
from hstmosaic.run.driver import run_mosaic
from hstmosaic.run.options import RunOptions
from hstmosaic.run.profiles.profile import load_profile
from hstmosaic.store.run_directory import RunDirectory

pytestmark = [pytest.mark.slurm, pytest.mark.upstream, pytest.mark.slow]


@pytest.fixture(scope="module")
def field(simulated, tmp_path_factory):
    folder = simulated.demo(300).copy_to(tmp_path_factory.mktemp("field")).folder
    (folder / "mini.yaml").write_text(PROFILE)
    return folder


REQUEST = MosaicRequest(
    DrizzleParameters.from_dict({"wfc3/ir": {"final_pixfrac": 0.8}}),
    compress=True,
    scale=0.06,
    tiles=Tiling((300, 300)),
)


def begin(field, output, *options, profile=None, prefix="foo"):
    return start(field / "list.txt", profile or field / "mini.yaml", output, "-s", *options, prefix=prefix)


def products(outcome):
    return {file.name: file.sha256 for file in outcome.products if file.name.endswith(".fits")}


def test_the_products_are_those_of_this_machine_alone(slurm, field, tmp_path):
    made = {}
    for name in ("local", str(field / "mini.yaml")):
        output = tmp_path / Path(name).stem
        options = RunOptions(
            source=str(field / "list.txt"),
            prefix="foo",
            skip_alignment=True,
            output=output,
            profile=load_profile(name),
            request=REQUEST,
        )
        outcome = run_mosaic(options, lambda event: None)
        assert outcome.exit_code is ExitCode.OK
        made[output.name] = products(outcome)
    assert made["local"] == made["mini"] != {}
    assert {file.kind for file in outcome.products} == {"mosaic", "trailer", "tile"}
    for path in outcome.mosaics:
        with fits.open(path) as hdus:
            assert isinstance(hdus["SCI"], fits.CompImageHDU)
            assert hdus[0].header["D001PIXF"] == (0.8 if "_wfc3_ir_" in path.name else 1.0)
            scale = proj_plane_pixel_scales(WCS(hdus["SCI"].header)) * 3600
            assert scale == pytest.approx(0.18 if "coarse" in path.name else 0.06)
    events = Command(None, tmp_path / "mini", "foo").events()
    jobs = {str(event["job"]) for event in events if event["kind"] == "job"}
    # the login node does not read mosaics
    assert RunDirectory(tmp_path / "mini" / "foo_run").task("pictures").read_measured().job in jobs
    assert (tmp_path / "mini" / "foo_colour.png").exists()


def test_a_run_whose_job_is_cancelled_still_ends_well(slurm, field, tmp_path):
    run = begin(field, tmp_path)
    wait_until(lambda: list((tmp_path / "foo_run" / "tasks").glob("drizzle-*/log.txt")), seconds=120)
    victims = slurm.running()
    ask("scancel", str(victims[0]))
    assert run.wait() == ExitCode.OK, run.words
    assert len(list(tmp_path.glob("*_dr?.fits"))) == 4


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_run_that_is_stopped_leaves_no_job(slurm, field, tmp_path, number):
    run = begin(field, tmp_path)
    wait_until(slurm.running)
    run.process.send_signal(number)
    assert run.wait() == ExitCode.INTERRUPTED
    wait_until(lambda: not slurm.jobs(), seconds=10)
    assert "rerun the same command to resume" in run.words


def test_the_whole_plumbing_with_stubs(slurm, field, tmp_path):
    run = begin(field, tmp_path, "--stub")
    folder = tmp_path / "stub-foo_run"
    log = folder / "logs" / "run.jsonl"
    wait_until(lambda: log.exists() and read_status(folder).stages)
    meanwhile = read_status(folder)
    assert f"process {run.process.pid}" in meanwhile.driver
    assert [stage.planned for stage in meanwhile.stages] == [6, 3]
    assert "of 6 finished" in str(meanwhile)
    assert run.wait() == ExitCode.OK, run.words
    after = read_status(folder)
    assert after.driver == ""
    assert [(stage.finished, stage.running, stage.failed) for stage in after.stages] == [(6, 0, 0), (3, 0, 0)]
    assert len(after.progress.jobs) >= 1
    assert "none, the run is finished" in str(after)
    made = list(tmp_path.glob("*_dr?.fits"))
    assert len(made) == 4
    assert all(path.name.startswith("stub-foo") and path.stat().st_size < 10000 for path in made)


def test_jobs_are_shown_and_not_submitted(slurm, field, tmp_path):
    run = begin(field, tmp_path, "--show-jobs")
    assert run.wait() == ExitCode.OK
    assert run.words.count("#!/usr/bin/env bash") >= 2
    assert "#SBATCH -p batch" in run.words
    assert "# drizzling: " in run.words
    assert not (tmp_path / "foo_run").exists()
    assert slurm.jobs() == {}


def test_a_rejection_by_sbatch_is_explained(slurm, field, tmp_path):
    refused = tmp_path / "refused.yaml"
    refused.write_text(PROFILE.replace("queue: batch", "queue: nowhere"))
    run = begin(field, tmp_path / "out", profile=refused)
    assert run.wait() == ExitCode.CLUSTER
    assert "invalid partition specified: nowhere" in run.words
