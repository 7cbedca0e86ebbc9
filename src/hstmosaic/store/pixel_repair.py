"""Record of the pixels that the working copy of an exposure has and its file has not."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

FILLED_FLAG = 2
"""DQ flag of filled pixels: "data replaced by a fill value" for ACS and WFC3.

Parameter sets of drizzlepac for single exposures accept every flag, which `hstmosaic.tasks.upstream.drizzling` repairs
for this one. No other set accepts it.
"""


@dataclass(frozen=True)
class PixelRepair:
    """Faults of an exposure's pixels, which are repaired in working copies."""

    not_finite: dict[str, int] = field(default_factory=dict)
    """Number of pixels that are NaN or infinite, by extension, such as ``SCI,1``."""
    constant: tuple[str, ...] = ()
    """Extensions without an array, whose header gives one value for all pixels."""
    blank: tuple[str, ...] = ()
    """Science extensions without a pixel that is finite, and finite in ERR."""

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> PixelRepair:
        """Return the repair that `dataclasses.asdict` turned into `values`."""
        return cls(dict(values["not_finite"]), tuple(values["constant"]), tuple(values["blank"]))

    @property
    def needed(self) -> bool:
        """Return whether working copies differ from the file."""
        return bool(self.not_finite or self.constant)

    def __str__(self) -> str:
        return "; ".join(filter(None, (self.filled_text, self.constant_text)))

    @property
    def filled_text(self) -> str:
        """Extensions and numbers of pixels that are not finite; empty if there are none."""
        counts = ", ".join(
            f"{count} {'pixel' if count == 1 else 'pixels'} of {name}" for name, count in self.not_finite.items()
        )
        return f"{counts} not finite, flagged {FILLED_FLAG} in DQ" if counts else ""

    @property
    def constant_text(self) -> str:
        """Names of constant arrays; empty if there are none."""
        return f"constant {', '.join(self.constant)} expanded" if self.constant else ""
