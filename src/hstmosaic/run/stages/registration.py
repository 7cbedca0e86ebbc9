"""The check of how well the mosaics of a run are registered to each other and to the catalogue."""

from __future__ import annotations

from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING

import numpy as np

from hstmosaic.plan.catalog_replies import reply_name
from hstmosaic.plan.catalog_table import CatalogTable
from hstmosaic.plan.star_widths import STAR_WIDTHS
from hstmosaic.products.registration import measure_registration, mosaic_stars, star_width
from hstmosaic.store.stage_events import Registered, StarsMeasured

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from hstmosaic.plan.layers import Layer
    from hstmosaic.products.registration import MosaicStars
    from hstmosaic.run.stages.run_state import Run
    from hstmosaic.store.events import EventLog


@dataclass(frozen=True)
class CheckedMosaic:
    """A mosaic of a layer, on the grid that all layers have."""

    path: Path
    detector: str
    scale: float
    """Arcsec per pixel."""
    epoch: float
    """Mean epoch of its exposures, decimal years."""


def check_mosaics(run: Run, layers: Sequence[Layer]) -> None:
    """Measure the widths of the stars in the mosaics of a run, and their offsets from other mosaics and the catalogue.

    Parameters
    ----------
    run : Run
        The run; its results hold the sources of the mosaics and receive the measurements, which its events report.
    layers : sequence of Layer
        The layers, as drizzled; those without a mosaic are ignored.
    """
    found = run.results.sources
    mosaics = {layer.name: _checked(run, layer) for layer in layers if layer.name in found}
    stars = {layer: mosaic_stars(mosaic.path, found[layer]) for layer, mosaic in mosaics.items()}
    run.results.stars += measure_widths(mosaics, stars, run.events)
    run.results.registration += report_registration({layer: its.places for layer, its in stars.items()}, run.events)
    catalog = _catalog(run)
    if catalog is not None:
        run.results.registration += report_catalog(mosaics, stars, catalog, run.events)


def measure_widths(
    mosaics: Mapping[str, CheckedMosaic], stars: Mapping[str, MosaicStars], events: EventLog
) -> list[StarsMeasured]:
    """Measure and report the widths of the stars of each layer; layers with fewer than four stars are left out."""
    measured = []
    for layer, mosaic in mosaics.items():
        usual = STAR_WIDTHS.get(mosaic.detector, mosaic.scale)
        count, width = star_width(stars[layer].widths * mosaic.scale, usual)
        if count:
            data = StarsMeasured(layer, count, width)
            events.emit(data, f'stars of {layer} have a FWHM of {width:.3f}" ({count} stars)', "debug")
            measured.append(data)
    return measured


def report_registration(stars: Mapping[str, np.ndarray], events: EventLog) -> list[Registered]:
    """Measure the offsets of all mosaics from the one with most stars, and report them.

    Parameters
    ----------
    stars : mapping of str to numpy.ndarray
        Places of the stars of each layer, shape (n, 2), pixels of one grid.
    events : EventLog
        Receives an event for each pair, a warning above half a pixel.
    """
    if len(stars) < 2:
        return []
    reference = max(stars, key=lambda layer: len(stars[layer]))
    return [
        _compare(layer, reference, places, stars[reference], events)
        for layer, places in stars.items()
        if layer != reference
    ]


def report_catalog(
    mosaics: Mapping[str, CheckedMosaic], stars: Mapping[str, MosaicStars], catalog: CatalogTable, events: EventLog
) -> list[Registered]:
    """Measure the offset of each mosaic from a catalogue at the epoch of its exposures, and report it."""
    return [
        _compare(layer, catalog.catalog, found.places, found.place(catalog.positions(mosaics[layer].epoch)), events)
        for layer, found in stars.items()
    ]


def _compare(layer: str, reference: str, places: np.ndarray, expected: np.ndarray, events: EventLog) -> Registered:
    found = measure_registration(expected, places)
    data = Registered(layer, reference, *astuple(found))
    if not found.stars:
        events.emit(data, f"{layer} and {reference} have too few common stars to compare their registration")
        return data
    words = f"{layer} is offset from {reference} by ({found.x:+.2f}, {found.y:+.2f}) pixels"
    details = f"scatter {found.scatter:.2f}, {found.stars} stars"
    events.emit(data, f"{words} ({details})", "warning" if data.is_bad else "info")
    return data


def _checked(run: Run, layer: Layer) -> CheckedMosaic:
    product = layer.products[-1]
    exposures = [run.plan.exposure(name) for name in layer.exposures]
    weights = [max(exposure.exptime, 1e-3) for exposure in exposures]
    days = float(np.average([exposure.expstart for exposure in exposures], weights=weights))
    path = run.directory.output / product.name
    return CheckedMosaic(path, layer.detector, product.grid.scale, 2000.0 + (days - 51544.5) / 365.25)


def _catalog(run: Run) -> CatalogTable | None:
    """Return the catalogue of the alignment; None without one."""
    name = run.results.alignment.catalog if run.results.alignment is not None else ""
    path = run.directory.catalogs / reply_name(name)
    return CatalogTable.from_reply(path.read_bytes().decode(), name) if name and path.is_file() else None
