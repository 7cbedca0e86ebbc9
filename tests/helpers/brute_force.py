"""The geometry of a mosaic by another route: every edge pixel, projected with nothing but trigonometry."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from astropy.io import fits

NAXIS, PITCH, WIDTH, COUNT = 450_287, 21_442, 21_954, 21
"""Pixels of a projection cell, distance and width of its sky cells, and how many there are along a side."""


def projection_cells() -> list[tuple[str, float, float, float, float]]:
    """Name, centre, and limits in declination of all projection cells, out of drizzlepac's table."""
    import importlib.util

    package = importlib.util.find_spec("drizzlepac").submodule_search_locations[0]
    cells = []
    with fits.open(Path(package) / "pars" / "allsky_cells.fits") as hdus:
        for row in hdus[1].data:
            for k in range(row["NBAND"]):
                name = f"p{row['PROJCELL'] + k:04d}"
                cells.append((name, k * 360.0 / row["NBAND"], float(row["DEC"]), row["DEC_MIN"], row["DEC_MAX"]))
    return cells


def edge_pixels(exposure) -> np.ndarray:
    """Right ascension and declination, degrees, of the centres of all edge pixels of all chips, shape (n, 2)."""
    sky = []
    for chip in exposure.chips:
        ny, nx = chip.shape
        row, column = np.mgrid[0:ny, 0:nx].reshape(2, -1)
        edge = (row == 0) | (row == ny - 1) | (column == 0) | (column == nx - 1)
        sky.append(chip.wcs.all_pix2world(np.column_stack([column[edge], row[edge]]), 0))
    return np.concatenate(sky)


def gnomonic(sky: np.ndarray, ra0: float, dec0: float) -> np.ndarray | None:
    """Project onto the pixels of a projection cell; None if a point is on the far side of the sky."""
    d, dec0 = np.radians(sky[:, 1]), np.radians(dec0)
    h = np.radians(sky[:, 0] - ra0)
    cosine = np.sin(dec0) * np.sin(d) + np.cos(dec0) * np.cos(d) * np.cos(h)
    if (cosine <= 0.01).any():
        return None
    xi = np.cos(d) * np.sin(h) / cosine
    eta = (np.cos(dec0) * np.sin(d) - np.sin(dec0) * np.cos(d) * np.cos(h)) / cosine
    return 225_143 + np.degrees(np.column_stack([-xi, eta])) * 3600 / 0.04


def sky_cells_of(pixels: np.ndarray) -> set[tuple[int, int]]:
    """Columns and rows of the sky cells that hold one of the pixels."""
    columns, rows = np.mgrid[1 : COUNT + 1, 1 : COUNT + 1].reshape(2, -1)
    origins = (np.column_stack([columns, rows]) - 1) * PITCH
    held = set()
    for origin, column, row in zip(origins, columns, rows, strict=True):
        offset = pixels - origin
        if ((offset >= 0) & (offset <= WIDTH)).all(axis=1).any():
            held.add((int(column), int(row)))
    return held


def all_sky_cells(exposures) -> dict[str, list[str]]:
    """Names of sky cells on the whole sky, and of the exposures in them; bands hold whole exposures."""
    members: dict[str, list[str]] = {}
    cells = projection_cells()
    for exposure in exposures:
        sky = edge_pixels(exposure)
        for name, ra, dec, dec_min, dec_max in cells:
            if sky[:, 1].min() < dec_min or sky[:, 1].max() > dec_max:
                continue
            pixels = gnomonic(sky, ra, dec)
            # A projection cell is looked at when it holds a part of the exposure, its last sky cells reach beyond.
            if pixels is None or (pixels.max(axis=0) < 0).any() or (pixels.min(axis=0) >= NAXIS).any():
                continue
            for column, row in sky_cells_of(pixels):
                members.setdefault(f"skycell-{name}x{column:02d}y{row:02d}", []).append(exposure.name)
    return {name: sorted(names) for name, names in members.items()}


def angle_between(a: np.ndarray, b: np.ndarray) -> float:
    """Angle, degrees, between two vectors."""
    return float(np.degrees(np.arctan2(np.linalg.norm(np.cross(a, b)), a @ b)))


def direction(ra: float | np.ndarray, dec: float | np.ndarray) -> np.ndarray:
    """Unit vectors, shape (..., 3)."""
    ra, dec = np.radians(ra), np.radians(dec)
    return np.stack([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)], axis=-1)
