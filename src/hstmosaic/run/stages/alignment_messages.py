"""Messages about the outcome of the alignment."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hstmosaic.store.alignment_events import (
    Aligned,
    Carried,
    ExposureAligned,
    ExposureMovedFar,
    ExposureNotAligned,
    Imprecise,
    MovedFar,
    NotAligned,
)
from hstmosaic.store.alignment_results import (
    CARRIED,
    FITTED,
    LARGE_MOVE,
    PRECISION,
    PRECISION_IR,
    AlignmentResult,
    ExposureFit,
)
from hstmosaic.text import count_of

if TYPE_CHECKING:
    from collections.abc import Collection

    from hstmosaic.store.events import EventLog

PLACED_MOVE = 50.0
"""Mas from which the correction of an exposure is remarkable that was aligned to Gaia before."""
_NAMED = 4
"""Exposures that one message names."""
_GAIA = "GAIA"


def emit_fit(found: AlignmentResult, events: EventLog, infrared: Collection[str] = ()) -> None:
    """Report the outcome of the alignment.

    Parameters
    ----------
    found : AlignmentResult
        The outcome.
    events : EventLog
        The log of the run.
    infrared : collection of str
        Names of the exposures of WFC3/IR.
    """
    if found.aligned:
        ra, dec = found.rms_mas
        groups = f", {found.groups} groups that do not overlap" if found.groups > 1 else ""
        fitted = sum(fit.absolute for fit in found.exposures.values())
        events.emit(
            Aligned.of(found),
            f"aligned {count_of(fitted, 'exposure')} to {found.catalog}: {count_of(found.matches, 'star')}, "
            f"RMS {ra:.1f} and {dec:.1f} mas ({found.method} fit, {found.fitgeom}{groups})",
        )
    else:
        otherwise = (
            "relative only: exposures are registered to each other, and the frame is that of their headers"
            if found.exposures
            else "continuing with the input WCS"
        )
        events.emit(NotAligned(found.cause), _failure(found, otherwise), "warning")
    for name, fit in found.exposures.items():
        _emit_exposure(name, fit, events)
    for name, reason in found.left_out.items():
        events.emit(ExposureNotAligned(name, reason), f"{name} keeps its WCS: {reason}", "warning")
    _warn_of_errors(found, events, infrared)
    _warn_of_moves(found, events)


def _failure(found: AlignmentResult, otherwise: str) -> str:
    if not found.no_catalog:
        return f"Alignment failed ({found.cause}); {otherwise}"
    steps = "".join(f"\n  -> {step}" for step in found.next_steps)
    return f"not aligned: {found.short_cause} ({found.cause}); {otherwise}{steps}"


def _emit_exposure(name: str, fit: ExposureFit, events: EventLog) -> None:
    east, north = fit.shift_mas
    rms = "" if fit.rms_mas is None else ", RMS {:.1f} and {:.1f} mas".format(*fit.rms_mas)
    error = "formal errors {:.1f} and {:.1f} mas".format(*fit.error_mas)
    events.emit(
        ExposureAligned(name),
        f"{name}: moved {east:+.1f} mas east, {north:+.1f} mas north, turned {fit.rotation_deg:+.4f} deg, "
        f"scale {fit.scale:.6f}, {error}; {fit.matches} of {count_of(fit.sources, 'source')} match the catalogue{rms}, "
        f"{fit.fit_matches} the catalogue or other exposures",
    )
    if fit.status == CARRIED:
        size = f", accurate to {np.hypot(*fit.error_mas):.0f} mas" if fit.absolute else ""
        words = f"{name} is moved as the other exposures of its visit{size}: {fit.reason}"
        events.emit(Carried(name, fit.reason), words, "warning")


def _warn_of_errors(found: AlignmentResult, events: EventLog, infrared: Collection[str]) -> None:
    """Warn of exposures that few stars place, those with the largest errors first."""
    sizes = found.imprecise(infrared)
    large = [name for name in sizes if found.exposures[name].status == FITTED]
    if not large:
        return
    listed = ", ".join(
        f"{name} to {sizes[name]:.1f} mas ({count_of(found.exposures[name].fit_matches, 'star')})"
        for name in large[:_NAMED]
    )
    more = f" and {len(large) - _NAMED} more" if len(large) > _NAMED else ""
    subject = "1 exposure is" if len(large) == 1 else f"{len(large)} exposures are"
    events.emit(
        Imprecise(tuple(large)),
        f"{subject} placed less accurately than {PRECISION:g} mas ({PRECISION_IR:g} mas for WFC3/IR), by the formal "
        f"errors: {listed}{more}",
        "warning",
    )


def _warn_of_moves(found: AlignmentResult, events: EventLog) -> None:
    if not found.aligned:
        return
    moves = {name: fit.shift_mas for name, fit in found.exposures.items() if fit.absolute}
    large = [move for move in moves.values() if np.hypot(*move) > LARGE_MOVE]
    if large:
        east, north = np.median(large, axis=0)
        events.emit(
            MovedFar(),
            f"{count_of(len(large), 'exposure')} of {len(moves)} moved by more than {LARGE_MOVE / 1000:g} arcsec, "
            f"{east:+.0f} mas east and {north:+.0f} mas north in the median: errors of pointing are rarely as large, "
            f"and a catalogue of another frame would do the same",
            "warning",
        )
    for name, fit in found.exposures.items():
        if fit.absolute and _GAIA in fit.wcsname_before.upper() and np.hypot(*fit.shift_mas) > PLACED_MOVE:
            events.emit(
                ExposureMovedFar(name),
                f"{name} moved by {np.hypot(*fit.shift_mas):.0f} mas, though its WCS {fit.wcsname_before} was fitted "
                f"to Gaia before",
                "warning",
            )
