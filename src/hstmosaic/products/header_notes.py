"""Records of the alignment for the headers of products."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hstmosaic.store.alignment_results import CARRIED

if TYPE_CHECKING:
    from collections.abc import Collection

    from hstmosaic.store.alignment_results import AlignmentResult, ExposureFit
    from hstmosaic.store.task_specs import Card

_ALIGNED = "all exposures are fitted to a catalogue"


@dataclass(frozen=True)
class HeaderNotes:
    """Records for the primary headers of products."""

    alignment: AlignmentResult | None = None
    """Outcome of the alignment; None where nothing was to be aligned."""

    def keywords(self, exposures: Collection[str]) -> tuple[Card, ...]:
        """Return the cards of a product that holds some exposures.

        ``ALIGNED`` is true where each of them is fitted to a catalogue, directly or through other exposures. Numbers
        are those of the product's own exposures.
        """
        if self.alignment is None:
            return ()
        aligned = self.alignment.is_aligned(exposures)
        cards: list[Card] = [("ALIGNED", aligned, _ALIGNED)]
        own = [self.alignment.exposures[name] for name in exposures if name in self.alignment.exposures]
        if aligned and own:
            cards += _numbers(self.alignment, own)
        return tuple(cards)

    def records(self, exposures: Collection[str]) -> tuple[str, ...]:
        """Return the HISTORY records of a product that holds some exposures."""
        if self.alignment is None:
            return ()
        fits, left_out = self.alignment.exposures, self.alignment.left_out
        records = []
        for name in exposures:
            if name in fits:
                records.append(_record(name, fits[name]))
            elif name in left_out:
                records.append(f"{name} keeps its WCS: {left_out[name]}")
        return tuple(records)


def _numbers(found: AlignmentResult, own: list[ExposureFit]) -> list[Card]:
    pairs = sum(fit.matches for fit in own)
    squares = [sum(fit.matches * fit.rms_mas[axis] ** 2 for fit in own if fit.rms_mas) for axis in (0, 1)]
    ra, dec = ((total / max(pairs, 1)) ** 0.5 for total in squares)
    east, north = (max(fit.error_mas[axis] for fit in own) for axis in (0, 1))
    return [
        ("ALNCAT", found.catalog, "catalogue of the joint fit"),
        ("ALNGEOM", found.fitgeom, "geometry of the joint fit"),
        ("ALNMATCH", pairs, "sources that match the catalogue"),
        ("ALNRMSRA", round(ra, 3), "[mas] RMS of these in right ascension"),
        ("ALNRMSDE", round(dec, 3), "[mas] RMS of these in declination"),
        ("ALNERRRA", round(east, 3), "[mas] largest formal error of an exposure, RA"),
        ("ALNERRDE", round(north, 3), "[mas] largest formal error of an exposure, Dec"),
    ]


def _record(name: str, fit: ExposureFit) -> str:
    east, north = fit.shift_mas
    spread = ", RMS {:.1f} {:.1f} mas".format(*fit.rms_mas) if fit.rms_mas else ""
    error = "formal error {:.1f} {:.1f} mas".format(*fit.error_mas)
    how = "aligned" if fit.absolute else "aligned to other exposures only"
    if fit.status == CARRIED:
        how += " as its visit"
    return (
        f"{name} {how}: {east:+.1f} mas east, {north:+.1f} mas north, {fit.rotation_deg:+.5f} deg, "
        f"scale {fit.scale:.7f}, {error}, {fit.matches} matches{spread}"
    )
