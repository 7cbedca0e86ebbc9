"""Measure the growth of CPU time and memory with the number of exposures of one filter; prints JSON.

    python tests/bench_growth.py [--exposures 50 200 800] [--side 256] [--json growth.json]

Small WFC3/UVIS subarrays lie side by side, each overlapping a few neighbours, whatever their number; the skies of
overlapping exposures are matched. CPU seconds per exposure stay the same if nothing grows faster than the number of
exposures: its exponent is then 1. Memory of the driver includes that of the Dask worker in its process.
"""

from __future__ import annotations

import argparse
import json
import math
import resource
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

from hstmosaic.run.driver import run_mosaic
from hstmosaic.run.options import RunOptions
from hstmosaic.simulate import Pointing, Visit, build_field, simulate_field, sky_cell_corner
from hstmosaic.store.run_directory import RunDirectory
from hstmosaic.store.task_names import stage_of

OF_A_VISIT = 50
DITHER = 0.6
"""Distance of neighbours on the spiral of a visit, in sides of an exposure: each lies on about its own area."""
PIXEL = 0.0396
"""Side of a pixel of WFC3/UVIS, arcsec."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--exposures", type=int, nargs="+", default=[50, 200, 800])
    parser.add_argument("--side", type=int, default=256, help="rows and columns of an exposure (256)")
    parser.add_argument("--json", type=Path, help="write the numbers to this file")
    parser.add_argument("--list", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.list is not None:
        print(json.dumps(measured(given.list)))
        return
    rows = []
    for number in given.exposures:
        with tempfile.TemporaryDirectory() as folder:
            exposures = simulated(Path(folder) / "exposures", number, given.side)
            command = [sys.executable, __file__, "--list", str(exposures)]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
        row = json.loads(done.stdout.splitlines()[-1])
        rows.append({"exposures": number} | row)
        print(json.dumps(rows[-1]), file=sys.stderr)
    result = {"rows": rows, "exponents": exponents(rows)}
    print(json.dumps(result, indent=1))
    if given.json:
        given.json.write_text(json.dumps(result, indent=1), encoding="utf-8")


def simulated(folder: Path, number: int, side: int) -> Path:
    """Write exposures in visits side by side, and return their list."""
    visits = math.ceil(number / OF_A_VISIT)
    columns = math.ceil(math.sqrt(visits))
    dither = DITHER * side * PIXEL
    pitch = dither * math.sqrt(math.pi * OF_A_VISIT)
    made = []
    for visit in range(visits):
        row, column = divmod(visit, columns)
        exposures = min(OF_A_VISIT, number - visit * OF_A_VISIT)
        offset = (pitch * (column - columns / 2), pitch * (row - columns / 2))
        made.append(Visit("wfc3_uvis", "F606W", exposures=exposures, offset=offset, subarray=(side, side)))
    field = build_field("growth", Pointing(*sky_cell_corner(), 30.0), made, dither=dither, seed=4)
    simulate_field(field, folder)
    return folder / "list.txt"


def measured(exposures: Path) -> dict[str, object]:
    """Make the mosaic in this process; return what it and its tasks took."""
    options = RunOptions(
        str(exposures), prefix="x", skip_alignment=True, output=exposures.parent.parent / "out", learning=False
    )
    outcome = run_mosaic(options, lambda event: None)
    if outcome.failures:
        sys.exit(f"layers failed: {outcome.failures}")
    directory = RunDirectory(outcome.directory)
    stages: dict[str, float] = defaultdict(float)
    peaks: dict[str, float] = defaultdict(float)
    for task in outcome.plan.tasks(aligned=False):
        took = directory.task(task).read_measured()
        if took is not None:
            stages[str(stage_of(task))] += took.cpu_seconds
            peaks[str(stage_of(task))] = max(peaks[str(stage_of(task))], took.max_rss_mb)
    own, children = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    cpu = own.ru_utime + own.ru_stime
    return {
        "wall_s": round(outcome.ended - outcome.started, 1),
        "cpu_s": round(cpu + children.ru_utime + children.ru_stime, 1),
        "driver_cpu_s": round(cpu, 1),
        "driver_peak_mb": round(peak_rss_mb()),
        "stages_cpu_s": {name: round(seconds, 1) for name, seconds in stages.items()},
        "stages_peak_mb": {name: round(peak) for name, peak in peaks.items()},
    }


def peak_rss_mb() -> float:
    """Return the peak memory of this process; getrusage would count that of the process that started it."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024 / 1e6


def exponents(rows: list[dict[str, object]]) -> dict[str, float]:
    """Return the power of the number of exposures by which CPU times grow between the first and the last row."""
    first, last = flat(rows[0]), flat(rows[-1])
    more = math.log(last["exposures"] / first["exposures"]) if len(rows) > 1 else math.nan
    names = [name for name in first if name.endswith("cpu_s")]
    return {name: round(math.log(last[name] / first[name]) / more, 2) for name in names if first[name] > 0}


def flat(row: dict[str, object]) -> dict[str, float]:
    """Return a row with the CPU times of the stages beside the others."""
    found = {name: value for name, value in row.items() if isinstance(value, int | float)}
    return found | {f"{stage} cpu_s": seconds for stage, seconds in row["stages_cpu_s"].items()}


if __name__ == "__main__":
    main()
