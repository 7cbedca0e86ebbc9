"""The bridge by which a driver inside an image reaches Slurm; Apptainer is stood in for, tests of the image have it."""

import os
import subprocess
from pathlib import Path

import pytest
from bridge import check_bridge
from mini_slurm import wait_until

from hstmosaic.run.slurm_jobs import SizedJob

pytestmark = pytest.mark.slurm

SCRIPT = Path(__file__).parents[2] / "slurm" / "hstmosaic-slurm"
APPTAINER = "#!/bin/sh\nexec sleep 600\n"
"""A driver that does nothing, outside any image."""


@pytest.fixture
def programs(tmp_path):
    """A folder of programs that the host finds before others."""
    folder = tmp_path / "programs"
    folder.mkdir()
    return folder


@pytest.fixture
def bridge(slurm, programs, tmp_path):
    (tmp_path / "image.sif").touch()
    (programs / "apptainer").write_text(APPTAINER)
    (programs / "apptainer").chmod(0o755)
    environment = os.environ | {"TMPDIR": str(tmp_path), "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"}
    command = [SCRIPT, "--image", tmp_path / "image.sif", "list.txt"]
    with subprocess.Popen(list(map(str, command)), env=environment, cwd=tmp_path) as host:
        (folder,) = wait_until(lambda: list(tmp_path.glob("hstmosaic-slurm.*")))
        wait_until((folder / "bin" / "scontrol").exists)
        yield folder
        host.terminate()
    assert not folder.exists()


def test_what_is_answered_and_what_is_refused(slurm, bridge, tmp_path):
    check_bridge(slurm, bridge, tmp_path)


@pytest.mark.slow
def test_an_sbatch_without_answer_has_ended_when_the_driver_gives_it_up(bridge, programs, tmp_path):
    script, pid = tmp_path / "job.sh", tmp_path / "pid"
    script.write_text("#!/bin/sh\ntrue\n")
    (programs / "sbatch").write_text(f"#!/bin/sh\necho $$ > {pid}\nexec sleep 600\n")
    (programs / "sbatch").chmod(0o755)
    inside = os.environ | {"HSTMOSAIC_BRIDGE": str(bridge), "PATH": f"{bridge}/bin{os.pathsep}{os.environ['PATH']}"}
    command = [*SizedJob.submit_command.split(), str(script)]
    assert subprocess.run(command, env=inside, timeout=300, check=False).returncode == 124
    # else it could submit a job that the driver has submitted again
    assert not Path("/proc", pid.read_text().strip()).exists()
