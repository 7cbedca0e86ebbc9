"""The check of how well the mosaics of a run are registered to each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hstmosaic.products.registration import find_stars, measure_registration
from hstmosaic.store.stage_events import Registered

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from hstmosaic.store.events import EventLog


def report_registration(mosaics: Mapping[str, Path], events: EventLog) -> None:
    """Measure the offsets of all mosaics from the one with most stars, and report them.

    Parameters
    ----------
    mosaics : mapping of str to pathlib.Path
        A mosaic of each layer, on one grid.
    events : EventLog
        Receives an event for each pair, a warning above half a pixel.
    """
    if len(mosaics) < 2:
        return
    stars = {layer: _stars(path) for layer, path in mosaics.items()}
    reference = max(stars, key=lambda layer: len(stars[layer]))
    for layer, places in stars.items():
        if layer == reference:
            continue
        found = measure_registration(stars[reference], places)
        data = Registered(layer, reference, found.stars, found.x, found.y, found.scatter)
        if not found.stars:
            events.emit(data, f"{layer} and {reference} have too few common stars to compare their registration")
            continue
        words = f"{layer} is offset from {reference} by ({found.x:+.2f}, {found.y:+.2f}) pixels"
        details = f"scatter {found.scatter:.2f}, {found.stars} stars"
        events.emit(data, f"{words} ({details})", "warning" if found.is_bad else "info")


def _stars(path: Path) -> np.ndarray:
    """Return the stars of a mosaic; none of one that cannot be read, which the verification of products reports."""
    try:
        return find_stars(path)
    except (OSError, KeyError, ValueError):
        return np.empty((0, 2))
