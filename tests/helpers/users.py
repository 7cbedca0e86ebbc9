"""Runs as users start them: the command in a process of its own, its words in a file."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from helpers.mini_slurm import wait_until

KILLER = """
import os, signal, sys
from hstmosaic.cli import main

def kill_at(event, arguments):
    if event == "os.rename" and str(arguments[1]).endswith(word):
        os.kill(os.getpid(), signal.SIGKILL)

word = sys.argv.pop(1)
sys.addaudithook(kill_at)
main()
"""
"""hstmosaic, killed when it is about to rename something to a name that ends in the first argument."""


@dataclass
class Command:
    """A started command."""

    process: subprocess.Popen
    output: Path
    prefix: str

    @property
    def run(self):
        """The run directory."""
        return self.output / f"{self.prefix}_run"

    @property
    def words(self):
        return (self.output / "words.txt").read_text()

    def events(self):
        """Return what the run log has so far."""
        lines = (self.run / "logs" / "run.jsonl").read_text().splitlines()
        return [json.loads(line) for line in lines]

    def wait(self, seconds=300):
        return self.process.wait(timeout=seconds)

    def kill_when(self, true):
        """Send SIGKILL as soon as something is true."""
        wait_until(lambda: true() or self.process.poll() is not None, seconds=300)
        assert self.process.poll() is None, self.words
        os.kill(self.process.pid, signal.SIGKILL)
        self.wait()


def start(source, profile, output, *options, prefix="foo", kill_at=None):
    """Start hstmosaic as a user does.

    With `kill_at` it is killed when it is about to rename something to a name that ends so.
    """
    output.mkdir(exist_ok=True)
    command = ["-m", "hstmosaic.cli"] if kill_at is None else ["-c", KILLER, kill_at]
    command = [sys.executable, *command, "run", source, "-l", "debug", "-o", prefix]
    command += ["--output-dir", output, "--profile", profile, *options]
    with (output / "words.txt").open("w") as words:
        process = subprocess.Popen(list(map(str, command)), stdout=words, stderr=subprocess.STDOUT)
    return Command(process, output, prefix)


def finished_tasks(run):
    """Return when, and in which file, the result of each task that has succeeded was written."""
    found = {}
    for path in run.glob("tasks/*/result.json"):
        if json.loads(path.read_text())["ok"]:
            state = path.stat()
            found[path.parent.name] = state.st_ino, state.st_mtime_ns
    return found


def left_in(scratch):
    """Return what is left of tasks in a local directory: all that is not Dask's own."""
    return [
        path
        for path in scratch.rglob("*")
        if path.suffix not in (".lock", ".dirlock") and (path.is_file() or path.parent.name.startswith("worker-"))
    ]
