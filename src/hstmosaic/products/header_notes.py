"""Records that hstmosaic adds to the headers of products."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

    from hstmosaic.store.task_specs import Card


@dataclass(frozen=True)
class HeaderNotes:
    """Records for the primary headers of products."""

    cards: dict[str, tuple[Card, ...]] = field(default_factory=dict)
    """Keyword, value and comment by name of exposure; a product has the first of these that are of one in it."""
    otherwise: tuple[Card, ...] = ()
    """The same for products that hold none of these exposures."""
    history: dict[str, str] = field(default_factory=dict)
    """Text by name of exposure, for the products that it is in."""

    def keywords(self, exposures: Collection[str]) -> tuple[Card, ...]:
        """Return the cards of a product that holds some exposures."""
        return next((cards for name, cards in self.cards.items() if name in exposures), self.otherwise)

    def records(self, exposures: Collection[str]) -> tuple[str, ...]:
        """Return the HISTORY records of a product that holds some exposures."""
        return tuple(self.history[name] for name in exposures if name in self.history)
