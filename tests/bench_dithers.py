"""Offsets between exposures before and after the alignment stage, as a Markdown table.

Run as ``python tests/bench_dithers.py LIST``. No catalogue is requested, so that exposures are fitted to each
other only. Sources of each exposure are matched with those of the first one by the WCS before and after.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

import numpy as np
from astropy.table import Table

from helpers.aligned_stage import align_all, run_of
from hstmosaic.plan.build import make_plan
from hstmosaic.plan.exposures import read_exposure
from hstmosaic.products.registration import Registration, measure_registration
from hstmosaic.run.pool.local import local_cluster
from hstmosaic.run.stages.catalog import Service
from hstmosaic.store.run_directory import run_directory

NOWHERE = "http://127.0.0.1:9"
PIXEL = 40.0
"""Mas that count as a pixel in the match."""


def on_sky(path: Path, tables: list[str], center: tuple[float, float]) -> np.ndarray:
    """Return the places of the sources of an exposure, units of `PIXEL` to the east and to the north."""
    places = [np.empty((0, 2))]
    for chip, table in zip(read_exposure(path).chips, tables, strict=True):
        if table:
            found = Table.read(table, format="ascii.ecsv")
            ra, dec = chip.wcs.all_pix2world(found["xcentroid"], found["ycentroid"], 0)
            east = (ra - center[0]) * np.cos(np.deg2rad(center[1]))
            places.append(np.column_stack([east, dec - center[1]]) * 3.6e6 / PIXEL)
    return np.concatenate(places)


def offset(found: Registration) -> str:
    """Return a table cell for an offset."""
    if not found.stars:
        return "too few common sources"
    error = PIXEL * found.scatter / np.sqrt(found.stars)
    return f"{PIXEL * found.x:+.1f}, {PIXEL * found.y:+.1f} (error {error:.1f})"


def main() -> None:
    """Align, and print the table."""
    plan = make_plan(sys.argv[1])
    with tempfile.TemporaryDirectory() as folder, local_cluster(1) as client:
        directory = run_directory(Path(folder), "bench")
        directory.create()
        aligned = align_all(run_of(plan, directory, client, service=Service(url=NOWHERE, cache=None, attempts=1)))
        spec = json.loads((directory.task("align").path / "spec.json").read_text())
        tables = dict(spec["sources"])
        order = [exposure.name for exposure in plan.exposures]
        center = plan.exposure(order[0]).chips[0].wcs.wcs.crval
        places = {
            name: [on_sky(path, tables[name], center) for path in (plan.exposure(name).path, aligned.exposures[name])]
            for name in order
            if name in aligned.exposures
        }
        print(f"aligned: {aligned.result.aligned} ({aligned.result.cause}); left out: {aligned.result.left_out}\n")
        print("| exposure | filter | sources | in common | before, mas east and north | after |\n" + "|---" * 6 + "|")
        first = next(iter(places))
        for name, (before, after) in places.items():
            if name == first:
                continue
            pair = [
                measure_registration(reference, own)
                for reference, own in zip(places[first], (before, after), strict=True)
            ]
            cells = [name, plan.exposure(name).filter, str(len(after)), str(pair[1].stars), *map(offset, pair)]
            print("| " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
