"""Measure what a run on Slurm costs on the login node.

    python tests/bench_slurm.py [--tasks 500] [--seconds 1]

Runs stub tasks on the throw-away Slurm of the tests, then the demo field with drizzlepac, and prints CPU seconds and
peak memory of the driver and of the clients of Slurm that it calls, against the CPU seconds of the tasks.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TESTS = Path(__file__).parent
sys.path.insert(0, str(TESTS / "slurm"))

from mini_slurm import MiniSlurm  # noqa: E402
from stubs import PROFILE, bench, profile  # noqa: E402

from hstmosaic.run.driver import RunOptions, run_mosaic  # noqa: E402
from hstmosaic.simulate import demo_field, simulate_field  # noqa: E402


def stubs(folder, tasks, seconds):
    with bench(folder, profile(PROFILE, **{"max-jobs: 4": "max-jobs: 2"})) as on:
        answers = [on.start(f"stub-{i}", seconds=seconds) for i in range(tasks)]
        results = [answer.result() for answer in answers]
    assert all(result.ok for result, _ in results)
    return sum(measured.cpu_seconds for _, measured in results)


def demo(folder):
    simulate_field(demo_field(), folder / "exposures")
    started = os.times()
    options = RunOptions(
        source=str(folder / "exposures" / "list.txt"), skip_alignment=True, output=folder / "out", profile=profile()
    )
    outcome = run_mosaic(options, lambda event: None)
    assert not outcome.failures
    measured = [json.loads(path.read_text()) for path in outcome.directory.glob("tasks/*/measured.json")]
    return sum(task["cpu_seconds"] for task in measured), started


def driver(what, folder, tasks, seconds):
    """Be the driver, and print what it took."""
    started, begun = os.times(), time.monotonic()
    if what == "stubs":
        task_cpu = stubs(folder, tasks, seconds)
    else:
        task_cpu, started = demo(folder)  # simulating is not the driver's work
    ended = os.times()
    taken = {
        "wall_s": round(time.monotonic() - begun, 1),
        "driver_cpu_s": round(ended.user + ended.system - started.user - started.system, 2),
        "clients_cpu_s": round(ended.children_user + ended.children_system, 2),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6),
        "task_cpu_s": round(task_cpu, 1),
    }
    print(json.dumps(taken))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", type=int, default=500)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--driver", choices=["stubs", "demo"], help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.driver:
        driver(given.driver, given.folder, given.tasks, given.seconds)
        return
    with tempfile.TemporaryDirectory(prefix="slurm-") as folder:
        cluster = MiniSlurm(Path(folder), base_port=20000 + 10 * (os.getpid() % 500))
        os.environ["SLURM_CONF"] = f"{folder}/slurm.conf"
        cluster.do("start")
        try:
            for what in ("stubs", "demo"):
                (Path(folder) / what).mkdir()
                command = [sys.executable, __file__, "--driver", what, "--folder", f"{folder}/{what}"]
                command += ["--tasks", str(given.tasks), "--seconds", str(given.seconds)]
                shown = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
                print(f"{what}: {shown.strip()}", flush=True)
        finally:
            cluster.do("stop")


if __name__ == "__main__":
    main()
