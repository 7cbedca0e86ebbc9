"""Outlines of chips on the sky, stored in the run directory for pictures and region files."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hstmosaic.plan.footprints import SAMPLE_STEP, chip_outline, perimeter
from hstmosaic.store.files import ENCODING, write_atomically

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from hstmosaic.plan.exposures import Chip, Exposure
    from hstmosaic.plan.plan import Plan

_STEP = 8 * SAMPLE_STEP
_DECIMALS = 7
"""Of degrees: a hundredth of a pixel."""


@dataclass(frozen=True)
class Outline:
    """Outline of an exposure on the sky."""

    name: str
    """File name of the exposure."""
    layer: str
    chips: tuple[np.ndarray, ...]
    """Right ascension and declination along the edges of each chip, corners included, degrees, shape (n, 2)."""


def thin_outline(chip: Chip) -> np.ndarray:
    """Return a chip's corners and every 512th pixel of its edges on the sky, degrees, shape (n, 2)."""
    pixels = perimeter(chip.shape, SAMPLE_STEP)
    last = np.array(chip.shape[::-1]) - 1
    chosen = ((pixels % _STEP == 0) | (pixels == last)).all(axis=1)
    return np.asarray(chip_outline(chip)[chosen])


def write_outlines(path: Path, plan: Plan) -> None:
    """Write the outlines of all exposures of a plan that have chips, including excluded ones.

    Parameters
    ----------
    path : pathlib.Path
        The file, replaced atomically.
    plan : Plan
        With its exposures' chips.
    """
    write_atomically(path, json.dumps([_to_dict(exposure) for exposure in _all(plan)]))


def read_outlines(path: Path) -> tuple[Outline, ...]:
    """Read a file that `write_outlines` wrote."""
    return tuple(
        Outline(raw["exposure"], raw["layer"], tuple(np.array(chip) for chip in raw["chips"]))
        for raw in json.loads(path.read_text(ENCODING))
    )


def _all(plan: Plan) -> Iterable[Exposure]:
    return (exposure for exposure in (*plan.exposures, *plan.dropped) if exposure.chips)


def _to_dict(exposure: Exposure) -> dict[str, object]:
    return {
        "exposure": exposure.name,
        "layer": "_".join([exposure.instrument, exposure.detector, exposure.filter]),
        "chips": [np.round(thin_outline(chip), _DECIMALS).tolist() for chip in exposure.chips],
    }
