"""Pollers: drizzlepac's tables of the exposures of a mosaic."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from hstmosaic.plan.exposures import Exposure


def poller_text(
    exposures: Iterable[Exposure], sky_cell: str, new: Collection[str] | None = None, *, linked: bool = False
) -> str:
    """Return the text of a multi-visit poller.

    Rows marked OLD are not drizzled, but keep their place in the common grid.

    Parameters
    ----------
    exposures : iterable of Exposure
        Every exposure of the mosaic, of all layers.
    sky_cell : str
        Name of the sky cell that identifies the mosaic, e.g. ``skycell-p1889x07y19``.
    new : collection of str, optional
        Names of the exposures to drizzle; all of them when None.
    linked : bool
        Whether the exposures are linked into the working directory, so that their names suffice: drizzlepac misreads
        paths with a comma or a bar.

    Returns
    -------
    str
        One line an exposure, comma-separated, in the order given.
    """
    return "\n".join(
        _row(e, sky_cell, new is None or e.name in new, e.name if linked else str(e.path)) for e in exposures
    )


def _row(exposure: Exposure, sky_cell: str, is_new: bool, place: str) -> str:
    return ",".join(
        [
            exposure.name,
            exposure.proposal_id,
            exposure.program_id,
            exposure.obset_id,
            str(exposure.exptime),
            exposure.filter.upper(),
            exposure.detector.upper(),
            sky_cell,
            "NEW" if is_new else "OLD",
            place,
        ]
    )
