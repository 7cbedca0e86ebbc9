"""The bridge by which a driver inside an image reaches Slurm; Apptainer is stood in for, tests of the image have it."""

import os
import shutil
import subprocess
from pathlib import Path

import psutil
import pytest

from helpers.bridge import bridge_call, check_bridge
from helpers.mini_slurm import wait_until
from hstmosaic.run.slurm.cluster import SizedJob
from hstmosaic.run.slurm.commands import NOT_FOR_SBATCH, PARSABLE

pytestmark = pytest.mark.slurm

SCRIPT = Path(__file__).parents[2] / "slurm" / "hstmosaic-slurm"
APPTAINER = "#!/bin/sh\nexec sleep 600\n"
"""A driver that does nothing, outside any image."""


def program(path, text):
    path.write_text(text)
    path.chmod(0o755)


@pytest.fixture
def programs(tmp_path):
    """A folder of programs that the host finds before others."""
    folder = tmp_path / "programs"
    folder.mkdir()
    program(folder / "apptainer", APPTAINER)
    return folder


@pytest.fixture
def environment(slurm, programs, tmp_path):
    """Where the host works, and what a user may have set there."""
    theirs = dict.fromkeys((*NOT_FOR_SBATCH, "SBATCH_MEM_BIND", "SLURM_MEM_PER_CPU"), "1") | {"SBATCH_ACCOUNT": "ast1"}
    paths = {"TMPDIR": str(tmp_path), "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"}
    return os.environ | theirs | paths


@pytest.fixture
def host(environment, tmp_path):
    (tmp_path / "image.sif").touch()
    command = [SCRIPT, "--image", tmp_path / "image.sif", "list.txt"]
    with subprocess.Popen(list(map(str, command)), env=environment, cwd=tmp_path) as process:
        yield process
        process.terminate()
    assert list(tmp_path.glob("hstmosaic-slurm.*")) == []


@pytest.fixture
def bridge(host, tmp_path):
    (folder,) = wait_until(lambda: list(tmp_path.glob("hstmosaic-slurm.*")))
    wait_until((folder / "bin" / "scontrol").exists)
    return folder


def test_what_is_answered_and_what_is_refused(slurm, bridge, tmp_path):
    check_bridge(slurm, bridge, tmp_path)


def test_jobs_get_variables_of_the_site_but_not_the_drivers(bridge, programs, tmp_path):
    program(programs / "sbatch", "#!/bin/sh\nenv\n")
    (tmp_path / "job.sh").touch()
    printed = bridge_call(bridge, "sbatch", "--parsable", tmp_path / "job.sh").stdout.splitlines()
    assert [line for line in printed if line.startswith(("SBATCH_", "SLURM_MEM_"))] == ["SBATCH_ACCOUNT=ast1"]


def test_the_part_that_answers_is_killed(host, bridge):
    def children():
        found = psutil.Process(host.pid).children()
        return found if len(found) == 2 else None

    # the script starts one after the other
    driver, server = wait_until(children)
    server.kill()
    driver.terminate()
    assert host.wait(timeout=60) == 143
    assert not bridge.exists()


def test_a_signal_comes_before_the_driver(environment, programs, tmp_path):
    (tmp_path / "image.sif").touch()
    program(programs / "mkfifo", f'#!/bin/sh\nkill -TERM $PPID\nexec {shutil.which("mkfifo")} "$@"\n')
    command = [SCRIPT, "--image", tmp_path / "image.sif", "list.txt"]
    assert subprocess.run(command, env=environment, cwd=tmp_path, timeout=60, check=False).returncode == 130
    assert list(tmp_path.glob("hstmosaic-slurm.*")) == []


def test_without_a_name_the_image_is_that_of_make_sif(environment, programs, tmp_path):
    for name in ("slurm", "container"):
        shutil.copytree(SCRIPT.parents[1] / name, tmp_path / "checkout" / name)
    script, image = (tmp_path / "checkout" / name for name in ("slurm/hstmosaic-slurm", "build/hstmosaic.sif"))
    program(programs / "apptainer", '#!/bin/sh\necho "$@"\n')
    command = [script, "list.txt"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr[:6]) == (2, "usage:")
    image.parent.mkdir()
    image.touch()
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert f" {image} hstmosaic run --profile slurm list.txt" in done.stdout


@pytest.mark.slow
def test_an_abandoned_sbatch_has_ended(bridge, programs, tmp_path):
    script, pid = tmp_path / "job.sh", tmp_path / "pid"
    script.write_text("#!/bin/sh\ntrue\n")
    program(programs / "sbatch", f"#!/bin/sh\necho $$ > {pid}\nexec sleep 600\n")
    inside = os.environ | {"HSTMOSAIC_BRIDGE": str(bridge), "PATH": f"{bridge}/bin{os.pathsep}{os.environ['PATH']}"}
    command = [*SizedJob.submit_command.split(), *PARSABLE, str(script)]
    assert subprocess.run(command, env=inside, timeout=300, check=False).returncode == 124
    # else it could submit a job that the driver has submitted again
    assert not Path("/proc", pid.read_text().strip()).exists()
