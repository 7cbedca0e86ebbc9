"""Fields on the sky that are hard for a tessellation, as lists of small exposures."""

from __future__ import annotations

from helpers.pointed_exposures import Aim, sky_of

LAST = 450_286
"""Last pixel of a projection cell."""


def visit(number: int, exposure: int = 1) -> dict[str, int]:
    """Number of the visit and of the exposure in it."""
    return {"visit": number, "number": exposure}


def seam(dec: float, cells_in_band: int, east: float) -> tuple[float, float]:
    """Return the position `east` degrees in right ascension from the middle between the last and the first cell."""
    return (-180.0 / cells_in_band + east) % 360.0, dec


UVIS = {"camera": "wfc3_uvis", "shape": (200, 300)}
ACS = {"camera": "acs_wfc", "shape": (256, 200)}
SINGLE_VISIT = {"naming": "single-visit"}

FIELDS: dict[str, list[Aim]] = {
    "corner of four sky cells": [
        Aim(*sky_of(1889, 214676, 214676)),
        Aim(*sky_of(1889, 214900, 214500), 80.0, **UVIS, more=visit(2)),
    ],
    "inside one sky cell": [Aim(*sky_of(1889, 139652, 390956))],
    "across right ascension 0": [Aim(0.0, 2.0, **UVIS)],
    "just east of right ascension 0": [Aim(0.004, -33.0)],
    "just west of right ascension 0": [Aim(359.996, 33.0)],
    "north pole": [Aim(120.0, 89.9), Aim(300.0, 89.95, **ACS, more=visit(2))],
    "over the north pole": [Aim(0.0, 90.0)],
    "over the south pole": [Aim(77.0, -90.0, **UVIS)],
    "near the south pole": [Aim(200.0, -89.2)],
    "two bands at their common edge": [Aim(180.0, 28.0, **UVIS)],
    "at the last declination of a band": [Aim(180.0, 28.4999), Aim(180.0, 28.5001, more=visit(2))],
    "across the last declination of a band": [Aim(180.0, 28.500012, 0.0)],
    "across the first declination of a band": [Aim(100.0, 7.492833, 45.0, **ACS)],
    "at the equator, in two bands": [Aim(40.0, 0.0)],
    "between two cells of a band": [Aim(180.0 + 180.0 / 82, 26.0), Aim(182.1, 26.1, 0.0, **UVIS, more=visit(2))],
    "seam of a band, east": [Aim(*seam(26.0, 82, 0.01))],
    "seam of a band, west": [Aim(*seam(26.0, 82, -0.01))],
    "across the seam of a band": [Aim(*seam(26.0, 82, 0.0), **UVIS)],
    "three cells next to the south pole": [Aim(45.0, -86.9, **ACS)],
    "four cells next to the north pole": [Aim(20.0, 88.3, 0.0)],
    "south": [Aim(53.1, -45.3), Aim(53.106, -45.302, 100.0, **UVIS, more=visit(2))],
    "two visits 1.2 degrees apart": [Aim(150.1, 2.2), Aim(150.1, 3.4, **UVIS, more=visit(2))],
    "bands far apart": [Aim(30.0, -31.0), Aim(30.0, -30.9, more=visit(2)), Aim(210.0, 60.0, more=visit(3))],
    "upper right overhang of a projection cell": [
        Aim(*sky_of(1889, 214676, 214676)),
        Aim(*sky_of(1889, LAST - 60, LAST - 60), **UVIS, more=visit(2)),
    ],
    "right edge of a projection cell": [
        Aim(*sky_of(1889, 225000, 225000)),
        Aim(*sky_of(1889, LAST, 225000), 0.0, more=visit(2)),
        Aim(*sky_of(1889, LAST + 300, 225300), 0.0, more=visit(2, 2)),
        Aim(*sky_of(1889, LAST + 400, 227000), 0.0, more=visit(3)),
    ],
    "lower left corner of a projection cell": [
        Aim(*sky_of(1889, 214676, 214676)),
        Aim(*sky_of(1889, 30, 20000), **UVIS, more=visit(2)),
    ],
    "several visits under names of both kinds": [
        Aim(53.1, -27.8, more=visit(11) | SINGLE_VISIT),
        Aim(53.1, -27.795, **ACS, more=visit(12) | SINGLE_VISIT | {"filter": "F606W"}),
        Aim(53.104, -27.796, **UVIS, more=visit(13)),
        Aim(53.096, -27.804, 77.0, more=visit(11, 2) | SINGLE_VISIT),
        Aim(53.11, -27.81, 77.0, **UVIS, more=visit(13, 2) | {"filter": "F814W"}),
    ],
}
"""Chips keep more than 8 pixels away from borders of sky cells, or reach further than that into them."""
