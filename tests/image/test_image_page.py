"""The page of the documentation that users of the image read."""

import os
import sys

import pytest

from helpers.documented_pages import execute, read_page
from helpers.image_tools import ROOT, clean_environment, output_of
from helpers.mini_slurm import mini_slurm

pytestmark = [pytest.mark.image, pytest.mark.slow, pytest.mark.timeout(1800)]

PROFILE = """
jobqueue: {slurm: {cores: 2, memory: 3GB, walltime: "00:05:00", interface: lo, queue: batch, death-timeout: 60}}
hstmosaic: {cluster: slurm, max-jobs: 2}
"""


def test_commands_of_the_page(image, place, monkeypatch):
    page = read_page(ROOT / "docs/images.md")
    assert page.commands == "image"
    # other tests compare bits of the demo field; here it is the commands that count, so small detectors do
    output_of(sys.executable, "-m", "hstmosaic.cli", "simulate", place, "--subarray", "256", "256")
    for name in ("Makefile", "container", "slurm"):
        (place / name).symlink_to(ROOT / name)
    (place / "hstmosaic.sif").symlink_to(image.sif)
    (place / "my-site.yaml").write_text(PROFILE)
    # the checkout of the tests must not get into the image
    for name in set(os.environ) - set(clean_environment()):
        monkeypatch.delenv(name)
    with mini_slurm() as cluster:
        execute(page, place)
        assert cluster.jobs() == {}
