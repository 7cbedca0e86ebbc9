"""Measure a run against drizzlepac's own make_custom_mosaic on the same exposures, alternating.

    python tests/bench.py [--rounds 3] [--field corner] [--json bench.json]

Prints medians and ratios of wall time, CPU time and peak memory of the largest process, and where this project's time
goes.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from astropy.io import fits

from hstmosaic.plan.build import make_plan
from hstmosaic.simulate import simulate_field
from hstmosaic.simulate.request import requested_field

TESTS = Path(__file__).parent
PREFIX = "bench"


def timed(command, folder):
    """Run a command; wall and CPU seconds of it and all its descendants, and the largest peak memory of one of them."""
    started = time.perf_counter()
    with (folder / "output.txt").open("w") as output:
        process = subprocess.Popen(command, cwd=folder, stdout=output, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))} ended with {process.returncode}: see {folder}/output.txt")
    return {"wall_s": wall, "cpu_s": usage.ru_utime + usage.ru_stime, "peak_mb": usage.ru_maxrss * 1024 / 1e6}


def upstream(exposures, folder):
    for path in exposures:
        (folder / path.name).symlink_to(path)
    (folder / "list.txt").write_text("".join(f"{path.name}\n" for path in exposures))
    return timed([sys.executable, str(TESTS / "helpers" / "upstream_perform.py"), "list.txt", PREFIX], folder)


def ours(exposures, folder):
    (folder / "list.txt").write_text("".join(f"{path}\n" for path in exposures))
    command = [sys.executable, "-m", "hstmosaic.cli", "run", "list.txt", "-s", "-o", PREFIX]
    return timed(command, folder)


def same_pixels(left, right):
    names = sorted(path.name for path in left.glob("*_dr?.fits"))
    return names == sorted(path.name for path in right.glob("*_dr?.fits")) and all(
        fits.getdata(left / name, hdu).tobytes() == fits.getdata(right / name, hdu).tobytes()
        for name in names
        for hdu in ("SCI", "WHT")
    )


def tasks(folder):
    found = {}
    for measured in sorted((folder / f"{PREFIX}_run" / "tasks").glob("*/measured.json")):
        found[measured.parent.name] = json.loads(measured.read_text())
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3, help="runs of each (3)")
    parser.add_argument("--field", default="corner", choices=["demo", "corner", "three-camera"])
    parser.add_argument("--json", type=Path, help="write the numbers to this file")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary)
        exposures = [path.absolute() for path in simulate_field(requested_field(field=given.field), root / "exposures")]
        runs = {"drizzlepac": [], "hstmosaic": []}
        for number in range(given.rounds):
            folders = {}
            for name, run in (("drizzlepac", upstream), ("hstmosaic", ours)):
                folders[name] = root / f"{name}-{number}"
                folders[name].mkdir()
                runs[name].append(run(exposures, folders[name]))
                print(f"round {number + 1}, {name}: {json.dumps(runs[name][-1])}", file=sys.stderr)
            same = same_pixels(folders["drizzlepac"], folders["hstmosaic"])
            breakdown = tasks(folders["hstmosaic"])
        started = time.process_time()
        plan = make_plan(str(root / "exposures" / "list.txt"))
        planning = time.process_time() - started
    medians = {
        name: {key: round(statistics.median(run[key] for run in made), 2) for key in made[0]}
        for name, made in runs.items()
    }
    ratios = {key: round(medians["drizzlepac"][key] / medians["hstmosaic"][key], 2) for key in medians["hstmosaic"]}
    result = {
        "field": given.field,
        "exposures": len(exposures),
        "layers": len(plan.layers),
        "cores": len(os.sched_getaffinity(0)),
        "rounds": given.rounds,
        "medians": medians,
        "drizzlepac_over_hstmosaic": ratios,
        "worker_peak_of_upstream": round(
            max(task["max_rss_mb"] for task in breakdown.values()) / medians["drizzlepac"]["peak_mb"], 3
        ),
        "identical_pixels": same,
        "planning_cpu_s": round(planning, 2),
        "tasks": {
            name: {"wall_s": task["wall_seconds"], "cpu_s": task["cpu_seconds"], "peak_mb": task["max_rss_mb"]}
            for name, task in breakdown.items()
        },
        "tasks_cpu_s": round(sum(task["cpu_seconds"] for task in breakdown.values()), 1),
    }
    print(json.dumps(result, indent=1))
    if given.json:
        given.json.write_text(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
