"""Access of other users to the files of a run."""

import stat
import subprocess
import sys
from pathlib import Path

import pytest

from hstmosaic.simulate import demo_field, simulate_field

pytestmark = pytest.mark.upstream  # tasks are forked by the process that imports drizzlepac


@pytest.fixture(scope="module")
def exposures(tmp_path_factory):
    folder = tmp_path_factory.mktemp("exposures")
    simulate_field(demo_field(subarray=(300, 300), infrared=(256, 256)), folder)
    return folder


@pytest.mark.parametrize(("umask", "readable"), [("002", True), ("077", False)])
def test_others_may_read_a_run_but_not_change_it(exposures, tmp_path, umask, readable):
    command = [Path(sys.executable).with_name("hstmosaic"), "run", exposures / "list.txt", "-s", "--stub", "-o", "foo"]
    script = f"umask {umask}; exec " + " ".join(f"'{word}'" for word in [*command, "--output-dir", tmp_path / "out"])
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=False, timeout=400)
    assert done.returncode == 0, done.stderr
    run = tmp_path / "out" / "stub-foo_run"
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in [run, *run.rglob("*")] if not path.is_symlink()}
    assert len(modes) > 20
    assert [path for path, mode in modes.items() if mode & 0o022] == []
    wanted = 0o044 if readable else 0
    assert {mode & 0o044 for path, mode in modes.items() if path.name != "tls"} == {wanted}
    assert all(mode & 0o011 == (0o011 if readable else 0) for path, mode in modes.items() if path.is_dir())
