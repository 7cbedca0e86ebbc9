"""The throw-away Slurm of `minislurm.sh`, and what tests ask of it."""

import os
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

SCRIPT = Path(__file__).with_name("minislurm.sh")


@dataclass(frozen=True)
class MiniSlurm:
    folder: Path
    base_port: int
    nodes: int = 2

    def do(self, *arguments):
        """Call minislurm.sh; its words are shown if it fails."""
        environment = os.environ | {
            "MS_DIR": str(self.folder),
            "MS_BASE_PORT": str(self.base_port),
            "MS_NODES": str(self.nodes),
        }
        # daemons keep the output open, so it goes to a file and not to a pipe
        with (self.folder / "minislurm.log").open("w+") as log:
            done = subprocess.run(
                [SCRIPT, *map(str, arguments)], env=environment, stdout=log, stderr=log, timeout=60, check=False
            )
            log.seek(0)
            assert done.returncode == 0, log.read()

    def jobs(self):
        """Return the states of the jobs that have not ended, by id."""
        lines = ask("squeue", "-h", "-o", "%i %T").splitlines()
        return {int(number): state for number, state in (line.split() for line in lines)}

    def running(self):
        return [number for number, state in self.jobs().items() if state == "RUNNING"]

    def clear(self):
        """Cancel what is left and wait until it is gone."""
        if self.jobs():
            ask("scancel", *map(str, self.jobs()))
            wait_until(lambda: not self.jobs())


def ask(*command):
    """Return what a command prints."""
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=True).stdout.strip()


def wait_until(true, seconds=60.0):
    """Poll until something is true and return it."""
    deadline = time.monotonic() + seconds
    while not (answer := true()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)
    return answer
