"""Errors of the joint fit on simulated lists of sources of many kinds of fields, as a Markdown table.

Run as ``python tests/bench_fields.py [seeds]``. For each field, the worst mean error of an exposure and the worst
difference between exposures of two visits (filters), in the middle of their overlap, are given over all seeds, and how
many exposures followed their visit or kept their WCS.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from helpers.source_lists import CAMERAS, Lists, Visit, source_lists
from hstmosaic.tasks.alignment.inputs import no_stars
from hstmosaic.tasks.alignment.solution import Status, solve

if TYPE_CHECKING:
    from collections.abc import Callable

CAMERAS["subarray"] = (20.0, 0.002)
THREE = (Visit("uvis"), Visit("ir"), Visit("wfc"))
INFRARED = "v1"
"""Visit of the infrared camera."""


def changed(**changes: object) -> tuple[Visit, ...]:
    """Return the visits of three cameras with changes."""
    return tuple(replace(visit, **changes) for visit in THREE)


def galaxies(seed: int) -> Lists:
    """Return a field of galaxies, whose centres are good to 10 mas, that no catalogue has."""
    lists = source_lists(seed, THREE, motion=0.0)
    rng = np.random.default_rng(seed)
    spread = [replace(e, places=e.places + rng.normal(0, 0.01, e.places.shape), errors=np.full(len(e.places), 0.01))
              for e in lists.exposures]  # fmt: skip
    return replace(lists, exposures=spread, stars=no_stars())


def saturated(seed: int) -> Lists:
    """Return a field where the centres of three detections in ten are off by 50 mas."""
    lists = source_lists(seed, THREE)
    rng = np.random.default_rng(seed)
    exposures = []
    for exposure in lists.exposures:
        bad = rng.random(len(exposure.places)) < 0.3
        exposures.append(replace(exposure, places=exposure.places + bad[:, None] * rng.normal(0, 0.05, (len(bad), 2))))
    return replace(lists, exposures=exposures)


FIELDS: dict[str, Callable[[int], Lists]] = {
    'UVIS, IR, ACS; errors 0.3", 0.02 deg': lambda seed: source_lists(seed, THREE),
    'errors of 2"': lambda seed: source_lists(seed, changed(shift=2.0)),
    'errors of 5"': lambda seed: source_lists(seed, changed(shift=5.0)),
    "roll errors of 0.1 deg": lambda seed: source_lists(seed, changed(roll=0.1)),
    "2003, 2018 and 2011": lambda seed: source_lists(
        seed, [replace(visit, epoch=epoch) for visit, epoch in zip(THREE, (2003.0, 2018.0, 2011.0), strict=True)]
    ),
    'three visits 300" apart': lambda seed: source_lists(
        seed, [replace(visit, offset=(300.0 * k, 0.0)) for k, visit in enumerate(THREE)]
    ),
    "sparse: 8 stars on a UVIS exposure": lambda seed: source_lists(seed, THREE, density=1.1, junk=5),
    "crowded: 300 stars per square arcmin": lambda seed: source_lists(seed, THREE, density=300.0),
    "galaxies only, no catalogue": galaxies,
    "2000 unflagged cosmic rays per exposure": lambda seed: source_lists(seed, THREE, junk=2000.0),
    "saturated: 30 % of centres off by 50 mas": saturated,
    "ACS, UVIS, IR and HRC": lambda seed: source_lists(seed, (*THREE, Visit("hrc"))),
    'UVIS and ACS subarrays of 20", IR; 120 stars per square arcmin': lambda seed: source_lists(
        seed, (Visit("subarray"), Visit("ir"), Visit("subarray")), density=120.0
    ),
}


def measure(make: Callable[[int], Lists], seeds: int) -> list[str]:
    """Return the cells of a field."""
    optical_worst = infrared_worst = pair_worst = 0.0
    carried, left, absolute = 0, 0, True
    for seed in range(seeds):
        lists = make(seed)
        solution = solve(lists.exposures, lists.stars)
        absolute &= solution.absolute
        errors = lists.errors(solution)[:, :2]
        used = [k for k, found in enumerate(solution.exposures) if found.status in (Status.FITTED, Status.CARRIED)]
        carried += sum(found.status is Status.CARRIED for found in solution.exposures)
        left += len(solution.exposures) - len(used)
        sizes = {k: np.hypot(*errors[k]) for k in used}
        infrared = {k for k in used if lists.exposures[k].visit == INFRARED}
        infrared_worst = max([infrared_worst, *(sizes[k] for k in infrared)])
        optical_worst = max([optical_worst, *(sizes[k] for k in used if k not in infrared)])
        visits = [exposure.visit for exposure in lists.exposures]
        pairs = [lists.difference(solution, j, k) for j, k in combinations(used, 2) if visits[j] != visits[k]]
        pair_worst = max(pair_worst, *pairs)
    worst = [f"{size:.1f}" if absolute else "relative only" for size in (optical_worst, infrared_worst)]
    return [*worst, f"{pair_worst:.1f}", str(carried), str(left)]


def main() -> None:
    """Print the table."""
    seeds = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    print(
        "| field | worst of UVIS, ACS, HRC (mas) | worst of IR (mas) | worst pair of filters (mas) "
        "| with their visit | keep their WCS |"
    )
    print("|---|---|---|---|---|---|")
    for name, make in FIELDS.items():
        print("| " + " | ".join([name, *measure(make, seeds)]) + " |", flush=True)


if __name__ == "__main__":
    main()
