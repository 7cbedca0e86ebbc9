"""Cautions about exposures and layers that are used."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hstmosaic.plan.solutions import compare_solutions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from hstmosaic.plan.exposures import Exposure
    from hstmosaic.plan.layers import Layer

_NAMES_SHOWN = 10


@dataclass(frozen=True)
class _Caution:
    """A fact in the headers of an exposure that does not stop drizzlepac but may harm the mosaic."""

    shown: Callable[[Exposure], str]
    """Keywords with their values; empty if the caution does not apply."""
    meaning: str


def _if_other(name: str, attribute: str, *usual: str) -> Callable[[Exposure], str]:
    """Return a function that writes NAME=value of unusual values."""

    def shown(exposure: Exposure) -> str:
        value = getattr(exposure, attribute)
        return "" if value in ("", *usual) else f"{name}={value}"

    return shown


def _coarse_guiding(exposure: Exposure) -> str:
    coarse = any(mode in exposure.fgslock for mode in ("GY", "COARSE"))
    return f"FGSLOCK={exposure.fgslock}" if coarse else ""


def _split_solution(exposure: Exposure) -> str:
    names = dict.fromkeys(chip.wcsname for chip in exposure.chips)
    return f"WCSNAME={' and '.join(names)}" if len(names) > 1 else ""


def _no_polynomial(exposure: Exposure) -> str:
    return "" if exposure.idctab else exposure.missing_polynomial


_CAUTIONS = (
    _Caution(_coarse_guiding, "not guided on two stars throughout, so it may be trailed or rotated"),
    _Caution(_if_other("QUALITY", "quality", "OK"), "a problem was recorded during the exposure"),
    _Caution(_if_other("EXPFLAG", "expflag", "NORMAL"), "the exposure did not end as planned"),
    _Caution(
        lambda e: ", ".join(e.missing_tables),
        "its WCS lacks these distortion tables, an error of up to about a tenth of a pixel",
    ),
    _Caution(_split_solution, "the WCS of its chips come from different solutions and may not match"),
    _Caution(
        _no_polynomial,
        "its WCS has no distortion polynomial and its header names no IDCTAB: it may be misplaced by arcseconds",
    ),
)


def exposure_cautions(exposures: Sequence[Exposure]) -> list[str]:
    """Return one note for each caution and value, with the names of the exposures."""
    notes = []
    for caution in _CAUTIONS:
        groups: dict[str, list[str]] = {}
        for exposure in exposures:
            if shown := caution.shown(exposure):
                groups.setdefault(shown, []).append(exposure.name)
        notes += [f"{_listed(names)}: {shown}: {caution.meaning}" for shown, names in groups.items()]
    return notes


def solution_cautions(exposures: Sequence[Exposure]) -> list[str]:
    """Return a note if the WCS of the exposures come from different solutions."""
    groups = compare_solutions(exposures)
    if len(groups) == 1:
        return []
    kinds = "; ".join(f"{solution}: {_listed(names)}" for solution, names in groups)
    return [f"the WCS come from different solutions and may not match unless the run aligns the exposures: {kinds}"]


def sky_cautions(layers: Iterable[Layer]) -> list[str]:
    """Return a note for each layer of several exposures whose skies drizzlepac leaves as they are."""
    return [
        f"{layer.name}: {layer.mean_chips:.2f} chips over a pixel, parameter set {layer.parameter_set}: drizzlepac "
        "does not match the skies of these exposures, and seams may be visible where they meet"
        for layer in layers
        if not (layer.sky_matched or layer.sky_chosen) and len(layer.exposures) > 1
    ]


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_NAMES_SHOWN])
    return shown if len(names) <= _NAMES_SHOWN else f"{shown} and {len(names) - _NAMES_SHOWN} more"
