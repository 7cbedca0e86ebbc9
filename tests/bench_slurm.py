"""Measure what a run on Slurm costs on the login node.

    python tests/bench_slurm.py [LIST] [--tasks 500] [--seconds 1] [--profile]

Runs stub tasks on the throw-away Slurm of the tests, then a field with drizzlepac: the exposures of LIST, or a
simulated field of six full frames in three filters. Prints CPU seconds and peak memory of the driver, from the start of
its process to its end, and of the clients of Slurm that it calls, against the CPU seconds that the tasks took.
"""

import argparse
import cProfile
import json
import pstats
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

JOBS = {"max-jobs: 4": "max-jobs: 2"}


def stubs(folder, tasks, seconds):
    from helpers.stubs import bench, profile

    with bench(folder, profile(**JOBS)) as on:
        answers = [on.start(f"stub-{i}", seconds=seconds) for i in range(tasks)]
        results = [answer.result() for answer in answers]
    assert all(result.ok for result, _ in results)
    return on.directory.path


def field(folder, source):
    from helpers.stubs import profile
    from hstmosaic.run.driver import run_mosaic
    from hstmosaic.run.options import RunOptions

    options = RunOptions(source=str(source), skip_alignment=True, output=folder, profile=profile(**JOBS))
    outcome = run_mosaic(options, lambda event: None)
    assert not outcome.failures
    return outcome.directory


def peak_kib():
    """Peak resident memory of this process; that of `getrusage` may be its parent's, which has simulated a field."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0])


def driver(given):
    """Be the driver, and print what it took."""
    begun = time.monotonic()
    watch = cProfile.Profile()
    if given.profile:
        watch.enable()
    run = (
        stubs(given.folder, given.tasks, given.seconds) if given.driver == "stubs" else field(given.folder, given.list)
    )
    wall = time.monotonic() - begun
    if given.profile:
        watch.disable()
        pstats.Stats(watch, stream=sys.stderr).sort_stats("tottime").print_stats(25)
    # what the measuring itself reads comes after the clock
    own, clients = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    measured = [json.loads(path.read_text()) for path in run.glob("tasks/*/measured.json")]
    tasks = sum(task["cpu_seconds"] for task in measured)
    cpu, helpers = (used.ru_utime + used.ru_stime for used in (own, clients))
    taken = {
        "tasks": len(measured),
        "wall_s": round(wall, 1),
        "driver_cpu_s": round(cpu, 2),
        "clients_cpu_s": round(helpers, 2),
        "driver_peak_mb": round(peak_kib() * 1024 / 1e6),
        "tasks_cpu_s": round(tasks, 1),
        "driver_of_tasks_percent": round(100 * (cpu + helpers) / tasks, 2),
    }
    print(json.dumps(taken))


def simulate(folder):
    from hstmosaic.simulate import corner_field, simulate_field

    simulate_field(corner_field(), folder)
    return folder / "list.txt"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("list", type=Path, nargs="?", help="exposures; a field is simulated when not given")
    parser.add_argument("--tasks", type=int, default=500, help="stub tasks; 0 for none")
    parser.add_argument("--seconds", type=float, default=1.0, help="that a stub task takes")
    parser.add_argument("--profile", action="store_true", help="print where the driver's main thread spends its time")
    parser.add_argument("--driver", choices=["stubs", "field"], help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.driver:
        driver(given)
        return
    from helpers.mini_slurm import mini_slurm

    with mini_slurm(), tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = given.list or simulate(folder / "exposures")
        for what in ("stubs", "field") if given.tasks else ("field",):
            (folder / what).mkdir()
            command = [sys.executable, __file__, str(source), "--driver", what, "--folder", f"{folder}/{what}"]
            command += ["--tasks", str(given.tasks), "--seconds", str(given.seconds)]
            command += ["--profile"] if given.profile else []
            shown = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
            print(f"{what}: {shown.strip()}", flush=True)


if __name__ == "__main__":
    main()
