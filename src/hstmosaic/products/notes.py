"""What hstmosaic adds to the headers of products."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from astropy.io import fits

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path


@dataclass(frozen=True)
class HeaderNotes:
    """Records for the primary headers of products."""

    cards: dict[str, tuple[str | int | float | bool, str]] = field(default_factory=dict)
    """Value and comment by keyword, for every product."""
    history: dict[str, str] = field(default_factory=dict)
    """Text by name of exposure, for the products that it is in."""


def add_notes(path: Path, notes: HeaderNotes, exposures: Collection[str]) -> None:
    """Write notes into the primary header of an image, in place.

    Parameters
    ----------
    path : pathlib.Path
        The image.
    notes : HeaderNotes
        What to write; nothing is touched where there is nothing.
    exposures : collection of str
        Names of the exposures in the image.
    """
    if not notes.cards and not notes.history:
        return
    with fits.open(path, mode="update") as hdus:
        header = hdus[0].header
        for keyword, (value, comment) in notes.cards.items():
            header[keyword] = (value, comment)
        for name in exposures:
            if name in notes.history:
                header.add_history(notes.history[name])
