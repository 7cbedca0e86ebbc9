"""Errors of whole runs on simulated exposures of several kinds of fields, as a Markdown table.

Run as ``python tests/bench_pixel_fields.py [seeds] [rows]``. Each field is two exposures of WFC3/UVIS, WFC3/IR and
ACS/WFC, made with pixels and run with the true stars as catalogue. Exposures are compared with their true pointing,
mosaics with the true places of isolated stars.
"""

from __future__ import annotations

import json
import sys
import tempfile
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from astropy.table import Table

from helpers.alignment_fields import distances_from_truth, product_offsets, three_cameras
from hstmosaic.run.driver import run_mosaic
from hstmosaic.run.options import RunOptions
from hstmosaic.simulate import PointingError, simulate_field

if TYPE_CHECKING:
    from collections.abc import Callable

    from hstmosaic.simulate import Field

STARS = "stars.ecsv"


def exposures_with(field: Field, **changes: object) -> Field:
    """Return a field whose exposures differ."""
    return replace(field, exposures=tuple(replace(plan, **changes) for plan in field.exposures))


def with_error(field: Field, shift: float, roll: float) -> Field:
    """Return a field with errors of this many times the shifts and rolls."""
    errors = [plan.error for plan in field.exposures]
    changed = [PointingError(error.dra * shift, error.ddec * shift, error.roll * roll) for error in errors]
    plans = [replace(plan, error=error) for plan, error in zip(field.exposures, changed, strict=True)]
    return replace(field, exposures=tuple(plans))


def brighter(field: Field, magnitudes: float) -> Field:
    """Return a field with brighter stars."""
    return replace(field, scene=replace(field.scene, magnitude=field.scene.magnitude - magnitudes))


def fewer(field: Field, part: int) -> Field:
    """Return a field with one of so many sources."""
    columns = {name: value[::part] for name, value in vars(field.scene).items() if name != "extended"}
    return replace(field, scene=replace(field.scene, **columns))


FIELDS: dict[str, Callable[[Field], Field]] = {
    'errors 0.1" to 0.5", 0.02 deg': lambda field: field,
    "roll errors of 0.1 deg": lambda field: with_error(field, 1, 5),
    'errors of 1" to 5"': lambda field: with_error(field, 10, 1),
    "unflagged cosmic rays at the rate in orbit": lambda field: exposures_with(field, cosmic_rays=1.0),
    "stars brighter by 4 magnitudes, many saturated": lambda field: brighter(field, 4.0),
    "one star in 15": lambda field: fewer(field, 15),
}


def measure(field: Field, folder: Path) -> tuple[float, float, float, float, str]:
    """Return the worst errors of optical and infrared exposures, of mosaics and of pairs of these, mas, and notes."""
    simulate_field(field, folder / "in")
    truth = Table.read(folder / "in" / "truth.ecsv")
    truth[truth["kind"] == "star"]["ra", "dec"].write(folder / STARS)
    options = RunOptions(str(folder / "in" / "list.txt"), "bench", catalog=folder / STARS, output=folder / "out")
    outcome = run_mosaic(options, lambda event: None)
    aligned = json.loads((outcome.directory / "alignment.json").read_text(encoding="utf-8"))
    copies = {plan.filename: next(options.output.glob(f"*{plan.rootname[:8]}*fl?.fits")) for plan in field.exposures}
    errors = {}
    for plan in field.exposures:
        named = folder / plan.filename
        named.symlink_to(copies[plan.filename])
        errors[plan.filename] = float(np.hypot(*distances_from_truth(plan, named).mean(axis=0)))
    infrared = {plan.filename for plan in field.exposures if plan.camera.is_infrared}
    offsets = {}
    for layer in outcome.plan.layers:
        flux = next(name for name in truth.colnames if name.endswith(f"{layer.detector}_{layer.filter}".lower()))
        product = options.output / layer.products[-1].name
        offsets[layer.name] = np.median(product_offsets(product, truth, flux, layer.detector == "ir"), axis=0)
    notes = [f"{outcome.exit_code.name}", *outcome.warnings, f"{aligned['matches']} stars"]
    return (
        max(error for name, error in errors.items() if name not in infrared),
        max(errors[name] for name in infrared),
        max(np.hypot(*offset) for offset in offsets.values()),
        max(np.hypot(*(one - other)) for one, other in combinations(offsets.values(), 2)),
        ", ".join(notes),
    )


def main() -> None:
    """Print the table."""
    seeds = int(sys.argv[1]) if len(sys.argv) > 1 else 1
    rows = int(sys.argv[2]) if len(sys.argv) > 2 else 900
    print("| field | exposures of UVIS, ACS | exposures of IR | mosaics | pair of mosaics | run |")
    print("|---|---|---|---|---|---|")
    for name, change in FIELDS.items():
        worst, notes = np.zeros(4), ""
        for seed in range(seeds):
            with tempfile.TemporaryDirectory() as folder:
                *numbers, notes = measure(change(three_cameras(rows=rows, seed=seed)), Path(folder))
            worst = np.maximum(worst, numbers)
        print("| " + " | ".join([name, *(f"{number:.1f}" for number in worst), notes]) + " |", flush=True)


if __name__ == "__main__":
    main()
