"""Rates of the guiding verdict on simulated exposures, as a Markdown table.

Run as ``python tests/bench_guiding.py [exposures] [rows] [trail ...]``. Exposures of every camera and trail (arcsec)
are cut-outs with so many rows and columns (half of them for WFC3/IR), or full frames with 0 rows. They have 60 stars
per square arcmin, cosmic rays as in reality, and galaxies. Every fourth good one has a satellite trail of random
width and level, every fourth bright stars with spikes, every fourth edge-on galaxies. Good ones are judged as if
drizzlepac's check had found a trail, and trailed ones as if it had not: rates in practice are not worse.
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


def spikes(image: np.ndarray, rng: np.random.Generator) -> None:
    """Add bright stars, each with four diagonal spikes of its own length."""
    for x, y in _places(image, rng, 12):
        level = 10 ** rng.uniform(3, 4.5) * _noise(image)
        for angle in (np.pi / 4, 3 * np.pi / 4):
            _add(image, x, y, (rng.uniform(8, 30), 0.8), angle, 0.05 * level)
        _add(image, x, y, (1.2, 1.2), 0.0, level)


def edge_on(image: np.ndarray, rng: np.random.Generator) -> None:
    """Add thin galaxies in all directions."""
    for x, y in _places(image, rng, 25):
        length, peak = rng.uniform(3, 15), 10 ** rng.uniform(1, 2.5) * _noise(image)
        _add(image, x, y, (length, rng.uniform(0.1, 0.2) * length), rng.uniform(0, np.pi), peak)


def rejected(camera: str, filter_: str, rows: int, trail: float, seed: int) -> bool:
    """Simulate an exposure and return whether it is taken for a trailed one."""
    rng = np.random.default_rng(seed)
    visit = Visit(camera, filter_, exposures=1, subarray=(rows, rows) if rows else None)
    field = build_field("bench", Pointing(150.1, 2.2, 30), [visit], seed=seed, density=60, cosmic_rays=0.6)
    plan = replace(field.exposures[0], trail=trail, trail_angle=float(rng.uniform(0, 180)))
    with simulate_exposure(plan, field.scene) as hdus:
        if not trail:
            (satellite, spikes, edge_on, _nothing)[seed % 4](hdus["SCI"].data, rng)
        return is_trailed(measure_chips(hdus), seconded=not trail)


def _nothing(image: np.ndarray, rng: np.random.Generator) -> None:
    """Leave an exposure as it is."""


def _noise(image: np.ndarray) -> float:
    return float(np.std(image[:40, :40]))


def _places(image: np.ndarray, rng: np.random.Generator, count: int) -> np.ndarray:
    """Return random places, x and y, away from the edges."""
    return rng.uniform(0.05, 0.95, (count, 2)) * image.shape[::-1]


def _add(image: np.ndarray, x: float, y: float, widths: tuple[float, float], angle: float, peak: float) -> None:
    """Add a Gaussian with the widths (sigma, pixels) along and across an angle."""
    reach = int(4 * max(widths)) + 1
    rows = slice(max(int(y) - reach, 0), int(y) + reach)
    columns = slice(max(int(x) - reach, 0), int(x) + reach)
    part = image[rows, columns]
    dy, dx = np.indices(part.shape) + np.array([rows.start - y, columns.start - x])[:, None, None]
    along, across = dx * np.cos(angle) + dy * np.sin(angle), dy * np.cos(angle) - dx * np.sin(angle)
    part += (peak * np.exp(-0.5 * ((along / widths[0]) ** 2 + (across / widths[1]) ** 2))).astype(image.dtype)


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
