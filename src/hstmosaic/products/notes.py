"""What hstmosaic adds to the headers of products."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

    from hstmosaic.plan.specs import Card


@dataclass(frozen=True)
class HeaderNotes:
    """Records for the primary headers of products."""

    cards: tuple[Card, ...] = ()
    """Keyword, value and comment, for every product."""
    history: dict[str, str] = field(default_factory=dict)
    """Text by name of exposure, for the products that it is in."""

    def records(self, exposures: Collection[str]) -> tuple[str, ...]:
        """Return the HISTORY records of a product that holds some exposures."""
        return tuple(self.history[name] for name in exposures if name in self.history)
