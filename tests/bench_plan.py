"""How much a plan of many exposures costs beyond reading their headers; prints JSON.

Run as ``python tests/bench_plan.py [number of exposures]``.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from unittest import mock

from helpers.pointed_exposures import Aim, aimed
from hstmosaic.plan.build import make_plan
from hstmosaic.plan.inputs import InputFile

CAMERAS = (("acs_wfc", "F814W"), ("wfc3_uvis", "F606W"), ("wfc3_ir", "F160W"))
STEP = 0.03
"""Degrees between neighbouring pointings."""


def exposures(number: int) -> list:
    """Full frames of three cameras on a square of pointings, four dithered ones at each."""
    side = int((number / 4) ** 0.5) + 1
    made = []
    for k in range(number):
        row, column = divmod(k // 4, side)
        name, filter_name = CAMERAS[k % 3]
        ra = 150.0 + (column - side / 2) * STEP + 0.0004 * (k % 4)
        dec = 2.2 + (row - side / 2) * STEP
        program = f"b{chr(ord('a') + k // 2600)}{chr(ord('a') + k // 100 % 26)}"
        more = {"filter": filter_name, "program": program, "visit": k // 4 % 25, "number": k % 4 + 1}
        made.append(aimed(Aim(ra, dec, 40.0, camera=name, shape=None, more=more)))
    return made


def main() -> None:
    """Measure and print."""
    number = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    every = exposures(number)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    inputs = [InputFile(exposure.name, exposure.path) for exposure in every]
    with (
        mock.patch("hstmosaic.plan.build.find_inputs", lambda _: (inputs, [])),
        mock.patch("hstmosaic.plan.build.read_exposures", lambda _: (every, [])),
    ):
        cpu, wall = time.process_time(), time.perf_counter()
        plan = make_plan("list.txt")
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    report = {
        "exposures": len(plan.exposures),
        "sky_cells": len(plan.sky_cells),
        "layers": len(plan.layers),
        "cpu_s": round(cpu, 2),
        "wall_s": round(wall, 2),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "peak_mb_before": round(before / 1024),
        "drizzlepac_imported": "drizzlepac" in sys.modules,
    }
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
