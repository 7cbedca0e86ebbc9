"""Workers in the image on a real Slurm, with the driver outside and, through the bridge, inside."""

import json
import re
import subprocess
import sys

import pytest

from helpers.bridge import check_bridge
from helpers.image_tools import ROOT, bits, clean_environment, output_of
from helpers.mini_slurm import ask, mini_slurm, wait_until
from hstmosaic.errors import ClusterError
from hstmosaic.run.profiles.profile import load_profile

pytestmark = [pytest.mark.image, pytest.mark.slow, pytest.mark.timeout(1800)]  # the first one builds the image

RUN = "hst-skycell-p1889-ra180d0000-decn26d0000_run"

PROFILE = """
jobqueue: {{slurm: {{cores: 1, memory: 2GB, walltime: "00:05:00", interface: lo, queue: batch, death-timeout: 60,
  local-directory: "${{TMPDIR:-/tmp}}"}}}}
hstmosaic: {{cluster: slurm, max-jobs: 2{more}}}
"""


@pytest.fixture(scope="module")
def slurm(image):
    with mini_slurm() as cluster:
        yield cluster


@pytest.fixture(autouse=True)
def no_job_left(slurm):
    yield
    wait_until(lambda: "COMPLETING" not in slurm.jobs().values())
    left = slurm.jobs()
    slurm.clear()
    assert left == {}


def profile(folder, more=""):
    path = folder / "site.yaml"
    path.write_text(PROFILE.format(more=more))
    return path


def events(run):
    return [json.loads(line) for line in (run / "logs" / "run.jsonl").read_text().splitlines()]


def cancel_one_at_work(slurm, run):
    """Cancel a job as soon as a task runs in it."""
    wait_until(lambda: list(run.glob("tasks/*/log.txt")))
    victim = slurm.running()[0]
    ask("scancel", str(victim))
    return victim


def images_of(run):
    """Return the images that tasks say they ran in."""
    results = [json.loads(path.read_text()) for path in run.glob("tasks/*/result.json")]
    return {result["data"]["software"]["image"]["digest"] for result in results}


def digest(image):
    return image.inspect()["Config"]["Labels"]["org.hstmosaic.digest"]


def test_workers_in_the_image(slurm, image, demo, tmp_path):
    site = profile(tmp_path, f", image: {image.sif}, binds: [{ROOT}]")
    command = [sys.executable, "-m", "hstmosaic.cli", "run", demo / "exposures/list.txt", "-s"]
    command += ["--profile", site, "--output-dir", tmp_path / "out"]
    run = tmp_path / "out" / RUN
    with subprocess.Popen(list(map(str, command))) as driver:
        victim = cancel_one_at_work(slurm, run)
    assert driver.returncode == 0
    jobs = {event["job"] for event in events(run) if event["kind"] == "job"}
    assert str(victim) in jobs
    assert len(jobs) > 1
    assert bits(tmp_path / "out") == bits(demo / "outside")
    assert images_of(run) == {digest(image)}


def test_driver_and_workers_in_the_image(slurm, image, demo, tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    run = tmp_path / "out" / RUN
    command = [ROOT / "slurm/hstmosaic-slurm", "--image", image.sif, demo / "exposures/list.txt", "-s"]
    command += ["--profile", profile(tmp_path), "--output-dir", "out"]
    with subprocess.Popen(
        list(map(str, command)), env=clean_environment(), stderr=subprocess.PIPE, text=True
    ) as driver:
        (bridge,) = wait_until(lambda: list(tmp_path.glob("hstmosaic-slurm.*")))
        victim = cancel_one_at_work(slurm, run)
        check_bridge(slurm, bridge, tmp_path)
        _, words = driver.communicate(timeout=300)
    assert driver.returncode == 0, words
    assert str(victim) in {event["job"] for event in events(run) if event["kind"] == "job"}
    assert bits(tmp_path / "out") == bits(demo / "outside")
    assert images_of(run) == {digest(image)}
    # nothing is left of the bridge
    assert list(tmp_path.glob("hstmosaic-slurm.*")) == []
    assert subprocess.run(["pgrep", "-f", str(bridge)], check=False).returncode == 1


def test_the_driver_inside_is_stopped_and_its_jobs_with_it(slurm, image, demo, tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    command = [ROOT / "slurm/hstmosaic-slurm", "--image", image.sif, demo / "exposures/list.txt", "--stub"]
    command += ["--profile", profile(tmp_path)]
    with subprocess.Popen(list(map(str, command)), env=clean_environment()) as driver:
        wait_until(slurm.running)
        driver.terminate()
        assert driver.wait(timeout=120) == 130
    assert slurm.jobs() == {} or set(slurm.jobs().values()) == {"COMPLETING"}
    assert list(tmp_path.glob("hstmosaic-slurm.*")) == []


def test_the_exit_code_of_the_driver_inside(slurm, image, tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    command = [ROOT / "slurm/hstmosaic-slurm", "--image", image.sif, tmp_path / "no-list.txt"]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    assert (done.returncode, list(tmp_path.iterdir())) == (3, [])
    done = subprocess.run(command[:1], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr[:6]) == (2, "usage:")


def test_the_doctor_looks_into_the_image_on_a_node(slurm, image, tmp_path):
    site = profile(tmp_path, f", image: {image.sif}")
    printed = output_of(sys.executable, "-m", "hstmosaic.cli", "doctor", "--profile", site, "--output-dir", tmp_path)
    assert re.search(rf"ok    image: node\d runs {image.name}@{digest(image)}", printed)
    gone = profile(tmp_path, ", image: /no/such/image.sif")
    command = [sys.executable, "-m", "hstmosaic.cli", "doctor", "--profile", str(gone), "--output-dir", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 9
    assert "/no/such/image.sif" in done.stdout


def test_other_versions_in_the_workers_are_refused(slurm, image, demo, tmp_path, monkeypatch):
    from hstmosaic.run import worker
    from hstmosaic.run.driver import run_mosaic
    from hstmosaic.run.options import RunOptions

    here = worker.versions() | {"dask": "2020.1.0"}
    monkeypatch.setattr(worker, "versions", lambda: here)
    site = load_profile(str(profile(tmp_path, f", image: {image.sif}")))
    options = RunOptions(str(demo / "exposures/list.txt"), output=tmp_path / "out", stub=True, profile=site)
    with pytest.raises(ClusterError, match=r"dask 2020\.1\.0 in the driver, 20\d\d\.[\d.]+ in the worker"):
        run_mosaic(options, lambda _: None)
