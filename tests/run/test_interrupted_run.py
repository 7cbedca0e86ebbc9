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


def start_until(command, line_end, how):
    """Start a command, send a signal after the first line with some words; return exit code and errors."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        assert any(line_end in line for line in running.stdout)
        running.send_signal(how)
        _, errors = running.communicate(timeout=60)
    return running.returncode, errors


def wait_for_the_end_of_all_processes_in(folder):
    deadline = time.monotonic() + 30
    while left := processes_in(folder):
        assert time.monotonic() < deadline, f"processes {left} are left"
        time.sleep(0.02)


def test_a_run_can_be_stopped_by_each_signal_and_resumed(simulated, tmp_path):
    output = tmp_path / "out"
    command = [sys.executable, "-m", "hstmosaic.cli", "run", str(simulated.demo(300).list)]
    command += ["-s", "-o", "foo", "--output-dir", str(output), "--workers", "1"]
    stops = [
        (" exposures in ", signal.SIGHUP, 0),
        (" exposures in ", signal.SIGINT, 0),
        ("made in", signal.SIGTERM, 1),
        ("made in", signal.SIGKILL, 2),
    ]
    for words, how, made in stops:
        code, errors = start_until(command, words, how)
        assert code == (-how if how == signal.SIGKILL else ExitCode.INTERRUPTED)
        assert how == signal.SIGKILL or "rerun the same command to resume" in errors
        wait_for_the_end_of_all_processes_in(output)
        assert made <= len(list(output.glob("*_dr?.fits"))) < 4
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    assert len(list(output.glob("*_dr?.fits"))) == 4
    log = (output / "foo_run" / "logs" / "run.jsonl").read_text()
    events = [json.loads(line) for line in log.splitlines()]
    assert [event["exit_code"] for event in events if event["kind"] == "finished"] == [0]
    assert len({event["layer"] for event in events if event["kind"] == "reused"}) == 2


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
