"""Space of a pixel in the images of a mosaic."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hstmosaic.store.context_image import plane_count

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hstmosaic.plan.exposures import Exposure
    from hstmosaic.plan.request import MosaicRequest

_DRIZZLED_BYTES, _CONTEXT_BYTES, _ERROR_BYTES, _NUMBER_BYTES = 8, 4, 4, 2


@dataclass(frozen=True)
class PixelBytes:
    """Space of a pixel in the images of a mosaic, bytes."""

    drizzled: int = 8
    """Science, weight and, if requested, context."""
    added: int = 0
    """Images that are made of them: errors and numbers of exposures."""
    compressed: bool = False
    """True if mosaics are compressed."""
    plain_first: bool = False
    """True if they are compressed at the end: one is on disk in both forms then."""

    @property
    def total(self) -> int:
        """In all images."""
        return self.drizzled + self.added


def pixel_bytes(request: MosaicRequest, exposures: Sequence[Exposure], *, whole: bool = False) -> PixelBytes:
    """Return the space of a pixel in the mosaics of a layer, whose exposures have their chips.

    Parameters
    ----------
    request : MosaicRequest
        Options that determine the images.
    exposures : sequence of Exposure
        Of the layer.
    whole : bool
        Whether the layer is drizzled in one call.
    """
    planes = plane_count(sum(len(exposure.chips) for exposure in exposures)) if request.context else 0
    added = _ERROR_BYTES * request.error + _NUMBER_BYTES * request.context
    compressed = bool(request.compress)
    return PixelBytes(_DRIZZLED_BYTES + _CONTEXT_BYTES * planes, added, compressed, compressed and (whole or added > 0))


DOCUMENTED_BYTES = PixelBytes()
