"""Rates of the guiding verdict on simulated exposures, as a Markdown table.

Run as ``python tests/bench_guiding.py [exposures] [rows] [trail ...]``. Exposures of every camera and trail (arcsec)
are cut-outs with so many rows and columns (half of them for WFC3/IR), or full frames with 0 rows. They have 60 stars
per square arcmin, cosmic rays as in reality, and galaxies. Every second of the good ones has a satellite trail, of
random width and level.
"""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np

from hstmosaic.simulate.attitude import Pointing
from hstmosaic.simulate.exposures import simulate_exposure
from hstmosaic.simulate.fields import Visit, build_field
from hstmosaic.tasks.guiding import is_trailed, measure_chips

CAMERAS = {"wfc3_uvis": ("F606W", 0.04), "acs_wfc": ("F606W", 0.05), "wfc3_ir": ("F160W", 0.128)}
TRAILS = (0.0, 0.1, 0.2, 0.3, 0.5, 1.0, 2.0, 5.0)


def satellite(image: np.ndarray, rng: np.random.Generator) -> None:
    """Add a straight trail across an image."""
    turn, (height, width) = rng.uniform(0, np.pi), image.shape
    y, x = np.indices(image.shape)
    across = (y - rng.uniform(0.3, 0.7) * height) * np.cos(turn) - (x - rng.uniform(0.3, 0.7) * width) * np.sin(turn)
    level = 10 ** rng.uniform(1, 2.5) * float(np.std(image[:40, :40]))
    image += (level * np.exp(-0.5 * (across / rng.uniform(1, 6)) ** 2)).astype(image.dtype)


def rejected(camera: str, filter_: str, rows: int, trail: float, seed: int) -> bool:
    """Simulate an exposure and return whether it is taken for a trailed one."""
    rng = np.random.default_rng(seed)
    visit = Visit(camera, filter_, exposures=1, subarray=(rows, rows) if rows else None)
    field = build_field("bench", Pointing(150.1, 2.2, 30), [visit], seed=seed, density=60, cosmic_rays=0.6)
    plan = replace(field.exposures[0], trail=trail, trail_angle=float(rng.uniform(0, 180)))
    with simulate_exposure(plan, field.scene) as hdus:
        if not trail and seed % 2:
            satellite(hdus["SCI"].data, rng)
        return is_trailed(measure_chips(hdus), seconded=False)


def main() -> None:
    """Print the table."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    rows = int(sys.argv[2]) if len(sys.argv) > 2 else 1000
    trails = tuple(map(float, sys.argv[3:])) or TRAILS
    print("| camera | " + " | ".join(f'{trail}"' for trail in trails) + " |")
    print("|---" * (len(trails) + 1) + "|")
    for camera, (filter_, scale) in CAMERAS.items():
        size = rows // 2 if camera == "wfc3_ir" else rows
        cells = [
            f"{sum(rejected(camera, filter_, size, trail / scale, seed) for seed in range(count))} of {count}"
            for trail in trails
        ]
        print(f"| {camera} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
