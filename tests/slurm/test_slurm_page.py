"""The page of the documentation that users of Slurm read."""

import pytest

from helpers.documented_pages import DOCS, execute, read_page
from helpers.stubs import PROFILE

pytestmark = [pytest.mark.slurm, pytest.mark.upstream, pytest.mark.slow]


def test_commands_of_the_page(slurm, simulated, tmp_path):
    page = read_page(DOCS / "slurm.md")
    assert page.commands == "slurm"
    simulated.demo(300).copy_to(tmp_path)
    (tmp_path / "slurm").symlink_to(DOCS.parent / "slurm")
    (tmp_path / "my-site.yaml").write_text(PROFILE)
    (tmp_path / "my-allocation.yaml").write_text(
        "hstmosaic: {cluster: allocation}\njobqueue: {slurm: {interface: lo}}\n"
    )
    # sbatch returns when its job has ended
    execute(page, tmp_path, SBATCH_WAIT="1")
