"""The example profiles on a Slurm that is made to look like the sites that they are for.

Not shown, since it takes a real site: that an account and a QOS are checked (this Slurm has no data base for them and
takes any), other networks than the loopback, and nodes that are larger than two cores.
"""

import hashlib
import os
import re
import stat
from pathlib import Path

import pytest

from helpers.mini_slurm import ask, mini_slurm
from helpers.users import left_in, start
from hstmosaic.errors import ExitCode
from hstmosaic.run.driver import run_mosaic
from hstmosaic.run.options import RunOptions

pytestmark = [pytest.mark.slurm, pytest.mark.upstream, pytest.mark.slow]

BATCH = Path(__file__).parents[2] / "batch"
PARTITIONS = """
PartitionName=compute Nodes=ALL MaxTime=1-00:00:00 State=UP
PartitionName=standard Nodes=ALL MaxTime=2-00:00:00 State=UP
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """What the examples' sites have: a script that Slurm runs before each task, disks of nodes, and modules."""
    folder = tmp_path_factory.mktemp("site")
    (folder / "disk").mkdir()
    prolog = folder / "prolog.sh"
    prolog.write_text(
        f'#!/bin/sh\nmkdir -p {folder}/disk/$SLURM_JOB_ID\necho "export SLURM_TMPDIR={folder}/disk/$SLURM_JOB_ID"\n'
    )
    prolog.chmod(prolog.stat().st_mode | stat.S_IXUSR)
    return folder


@pytest.fixture(scope="module")
def slurm(slurm_is_there, site):
    with mini_slurm(more=f"{PARTITIONS}TaskProlog={site}/prolog.sh", of_nodes="Feature=scratch") as cluster:
        yield cluster


@pytest.fixture(scope="module")
def field(simulated, tmp_path_factory):
    """Exposures, and their products as this machine alone makes them."""
    folder = simulated.demo(300).copy_to(tmp_path_factory.mktemp("field")).folder
    options = RunOptions(source=str(folder / "list.txt"), prefix="foo", skip_alignment=True, output=folder / "here")
    assert run_mosaic(options, lambda event: None).exit_code is ExitCode.OK
    return folder


def products(folder):
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.glob("*_dr?.fits")}


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("example-university", ["Partition=compute"]),
        ("example-centre", ["Partition=standard", "Features=scratch", r"MinTmpDiskNode=[1-9]\d*M"]),
    ],
)
def test_an_example_makes_the_products(slurm, site, field, tmp_path, monkeypatch, name, options):
    # a function in the environment, as environment modules have it; sbatch hands it on to jobs
    monkeypatch.setitem(os.environ, "BASH_FUNC_module%%", f'() {{ echo "$@" >> {tmp_path}/modules; }}')
    text = (BATCH / f"{name}.yaml").read_text()
    here, changes = re.subn(r"interface: \w+", "interface: lo", text)
    assert changes == 1
    (tmp_path / "site.yaml").write_text(here)
    run = start(field / "list.txt", tmp_path / "site.yaml", tmp_path / "out", "-s")
    assert run.wait() == ExitCode.OK, run.words
    assert products(run.output) == products(field / "here") != {}
    jobs = [event["job"] for event in run.events() if event["kind"] == "job"]
    for number in jobs:
        shown = ask("scontrol", "show", "job", number)
        for words in options:
            assert re.search(words, shown), shown
    if "module load" in text:
        # jobs that were not needed any more ended before they came to that line
        loaded = (tmp_path / "modules").read_text().splitlines()
        assert set(loaded) == {"load python/3.11"}
        assert len(loaded) <= len(jobs)
    if "scratch: true" in text:
        assert {path.name for path in (site / "disk").iterdir()} >= set(jobs)
        assert left_in(site / "disk") == []


def test_every_example_is_tried():
    # example-no-submit is in test_scripts
    assert sorted(path.stem for path in BATCH.glob("example-*.yaml")) == [
        "example-centre",
        "example-no-submit",
        "example-university",
    ]
