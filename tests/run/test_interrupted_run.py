"""A run that is stopped leaves no process behind, and the same command finishes it."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hstmosaic.errors import ExitCode

pytestmark = pytest.mark.upstream


def processes_in(folder):
    """Process ids whose working directory is below a folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            place = (process / "cwd").readlink()
        except OSError:
            continue
        if place.is_relative_to(folder):
            found.append(int(process.name))
    return found


@pytest.mark.parametrize(
    ("how", "code"),
    [
        (signal.SIGTERM, ExitCode.INTERRUPTED),
        (signal.SIGHUP, ExitCode.INTERRUPTED),
        (signal.SIGINT, ExitCode.INTERRUPTED),
        (signal.SIGKILL, -signal.SIGKILL),
    ],
    ids=["SIGTERM", "SIGHUP", "Ctrl-C", "SIGKILL"],
)
def test_stopped_while_drizzling(simulated, tmp_path, how, code):
    command = [sys.executable, "-m", "hstmosaic.cli", "run", str(simulated.demo(300).list)]
    command += ["-s", "-o", "foo", "--output-dir", str(tmp_path / "out"), "--workers", "1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        for line in running.stdout:
            if "made in" in line:
                break
        running.send_signal(how)
        _, errors = running.communicate(timeout=60)
    assert running.returncode == code
    assert how == signal.SIGKILL or "rerun the same command to resume" in errors
    deadline = time.monotonic() + 30
    while left := processes_in(tmp_path / "out"):
        assert time.monotonic() < deadline, f"processes {left} are left"
        time.sleep(0.02)
    whole = {path.name for path in (tmp_path / "out").glob("*_dr?.fits")}
    assert 0 < len(whole) < 4
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    assert len(list((tmp_path / "out").glob("*_dr?.fits"))) == 4
    log = (tmp_path / "out" / "foo_run" / "logs" / "run.jsonl").read_text()
    events = [json.loads(line) for line in log.splitlines()]
    assert [event["exit_code"] for event in events if event["kind"] == "finished"] == [0]
    assert [event["layer"] for event in events if event["kind"] == "reused"]


def test_under_nohup_a_lost_terminal_does_not_matter(simulated, tmp_path):
    command = [
        "nohup",
        sys.executable,
        "-m",
        "hstmosaic.cli",
        "run",
        str(simulated.demo(300).list),
        "--stub",
    ]
    command += ["--output-dir", str(tmp_path / "out"), "--workers", "2"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as running:
        for line in running.stdout:
            if "screened" in line:
                break
        running.send_signal(signal.SIGHUP)
        rest, _ = running.communicate(timeout=120)
    assert running.returncode == ExitCode.OK, rest
