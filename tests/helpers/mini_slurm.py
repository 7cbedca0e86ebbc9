"""The throw-away Slurm of `minislurm.sh`, and what tests ask of it."""

import os
import random
import shutil
import socket
import subprocess
import tempfile
import time
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

SCRIPT = Path(__file__).with_name("minislurm.sh")
_PORTS = 16
_LOWEST_PORT = 10000


@dataclass(frozen=True)
class MiniSlurm:
    folder: Path
    base_port: int
    nodes: int = 2
    more: str = ""
    """Further lines of slurm.conf."""
    of_nodes: str = ""
    """Further words for each node in slurm.conf."""

    def do(self, *arguments):
        """Call minislurm.sh; its words are shown if it fails."""
        environment = os.environ | {
            "MS_DIR": str(self.folder),
            "MS_BASE_PORT": str(self.base_port),
            "MS_NODES": str(self.nodes),
            "MS_MORE": self.more,
            "MS_OF_NODES": self.of_nodes,
        }
        # daemons keep the output open, so it goes to a file and not to a pipe
        with (self.folder / "minislurm.log").open("w+") as log:
            done = subprocess.run(
                [SCRIPT, *map(str, arguments)], env=environment, stdout=log, stderr=log, timeout=120, check=False
            )
            log.seek(0)
            assert done.returncode == 0, log.read()

    def jobs(self):
        """Return the states of the jobs that have not ended, by id."""
        lines = ask("squeue", "-h", "-o", "%i %T").splitlines()
        return {int(number): state for number, state in (line.split() for line in lines)}

    def running(self):
        return [number for number, state in self.jobs().items() if state == "RUNNING"]

    def workers(self):
        """Return the processes of Dask workers that jobs of this Slurm have started, by id."""
        found = {}
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                words = process.cmdline()
                if "distributed.cli.dask_worker" in words and process.environ().get("SLURM_CONF") == self.conf:
                    found[process.pid] = words
        return found

    @property
    def conf(self):
        """Path of slurm.conf."""
        return str(self.folder / "slurm.conf")

    def clear(self):
        """Cancel what is left and wait until it is gone."""
        if self.jobs():
            ask("scancel", *map(str, self.jobs()))
            wait_until(lambda: not self.jobs())

    @contextmanager
    def occupied(self, *options):
        """Have jobs of somebody else run, one for each tuple of options of sbatch."""
        jobs = [
            int(ask("sbatch", "--parsable", "-J", "other", "-o", "/dev/null", *option, "--wrap", "sleep 600"))
            for option in options
        ]
        wait_until(lambda: all(self.jobs()[job] == "RUNNING" for job in jobs))
        try:
            yield
        finally:
            ask("scancel", *map(str, jobs))
            wait_until(lambda: not set(jobs) & set(self.jobs()))


@contextmanager
def mini_slurm(**options):
    """Start a Slurm whose clients are those that are called meanwhile; see `MiniSlurm` for the options."""
    with ExitStack() as stack:
        base_port = stack.enter_context(free_ports())
        # the path of munge's socket has to stay below 108 characters, pytest's own folders may not
        folder = Path(tempfile.mkdtemp(prefix="slurm-"))
        stack.callback(shutil.rmtree, folder)
        cluster = MiniSlurm(folder, base_port, **options)
        before = os.environ.get("SLURM_CONF")
        os.environ["SLURM_CONF"] = cluster.conf
        try:
            cluster.do("start")
            yield cluster
            cluster.do("stop")
        finally:
            os.environ.pop("SLURM_CONF")
            if before is not None:
                os.environ["SLURM_CONF"] = before


@contextmanager
def free_ports():
    """Find ports in a row that nobody listens on, below those that the system gives to anybody, and claim them."""
    ephemeral = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    while True:
        base = random.SystemRandom().randrange(_LOWEST_PORT, max(ephemeral, _LOWEST_PORT + 5000) - _PORTS, _PORTS)
        # a name that another process of the tests has until it ends; the system forgets it by itself
        with socket.socket(socket.AF_UNIX) as claim:
            try:
                claim.bind(f"\0mini-slurm-{base}")
                for port in range(base, base + _PORTS):
                    with socket.socket() as trial:
                        trial.bind(("", port))
            except OSError:
                continue
            yield base
            return


def ask(*command):
    """Return what a command prints."""
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout.strip()


def wait_until(true, seconds=300.0, shown=lambda: ""):
    """Poll until something is true and return it."""
    deadline = time.monotonic() + seconds
    while not (answer := true()):
        assert time.monotonic() < deadline, f"not true after {seconds} s {shown()}"
        time.sleep(0.05)
    return answer
