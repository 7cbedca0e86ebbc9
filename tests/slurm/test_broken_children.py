"""Processes that die while they import: a run ends soon with their last words, in jobs and in an allocation."""

import os
import sys
import time
from pathlib import Path

import pytest

from helpers.mini_slurm import ask, wait_until
from helpers.stubs import PROFILE
from helpers.users import start
from hstmosaic.errors import ExitCode

pytestmark = [pytest.mark.slurm, pytest.mark.upstream, pytest.mark.slow]

ROOT = Path(__file__).parents[2]
DIES = """
import sys
if {program!r} in sys.orig_argv:
    raise SystemExit("the last words")
"""


@pytest.fixture
def field(simulated, tmp_path, monkeypatch):
    folder = simulated.infrared(3).copy_to(tmp_path / "field").folder
    (folder / "mini.yaml").write_text(PROFILE, encoding="utf-8")
    example = (ROOT / "batch" / "example-no-submit.yaml").read_text(encoding="utf-8")
    (folder / "inside.yaml").write_text(example.replace("interface: hsn0", "interface: lo"), encoding="utf-8")
    monkeypatch.setenv("PATH", os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
    monkeypatch.chdir(folder)
    return folder


def break_program(program, folder, monkeypatch):
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(DIES.format(program=program), encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(folder))


@pytest.mark.parametrize(
    ("program", "seconds", "words"),
    [
        ("hstmosaic.tasks.zygote", 60, "no worker can run tasks: SystemExit: the last words"),
        ("distributed.cli.dask_worker", 120, "before its worker started: SystemExit: the last words"),
    ],
)
def test_jobs_whose_processes_die(slurm, field, tmp_path, monkeypatch, program, seconds, words):
    break_program(program, tmp_path / "site", monkeypatch)
    started = time.monotonic()
    run = start(field / "list.txt", field / "mini.yaml", tmp_path / "out", "-s", "--stub")
    assert run.wait() == ExitCode.CLUSTER, run.words
    assert words in run.words
    assert time.monotonic() - started < seconds


def test_an_allocation_whose_processes_die(slurm, field, tmp_path, monkeypatch):
    break_program("hstmosaic.tasks.zygote", tmp_path / "site", monkeypatch)
    options = ["--ntasks=4", "--mem-per-cpu=2500", "--time=5"]
    script = [ROOT / "slurm" / "allocation.sbatch", "list.txt", "-s", "--stub", "--profile", "inside.yaml"]
    job = ask("sbatch", "--parsable", *map(str, [*options, *script]))
    wait_until(lambda: int(job) not in slurm.jobs(), seconds=120)
    (log,) = field.glob(f"*-{job}.log")
    text = log.read_text(encoding="utf-8")
    assert f"ExitCode={ExitCode.CLUSTER}:0" in ask("scontrol", "show", "job", job), text
    assert "no worker can run tasks: SystemExit: the last words" in text
