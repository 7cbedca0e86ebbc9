"""The joint fit: in which order exposures take part in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hstmosaic.plan.exposures import Exposure


def fit_order(exposures: Iterable[Exposure]) -> tuple[Exposure, ...]:
    """Sort exposures as drizzlepac's joint fit has them; the others are fitted to the first one.

    Follows ``drizzlepac.haputils.poller_utils``: short exposures first, those with the higher inverse sensitivity
    before others (`sort_poller_table`), then grouped by detector and by filter (`build_mvm_tree`).

    Parameters
    ----------
    exposures : iterable of Exposure
        In the order of the list.

    Returns
    -------
    tuple of Exposure
        Each once; drizzlepac lists those of WFC3/IR once per product, so that their stars count twice.
    """
    ranked = sorted(exposures, key=lambda exposure: (exposure.exptime, -exposure.photflam))
    groups: dict[str, dict[str, list[Exposure]]] = {}
    for exposure in ranked:
        groups.setdefault(exposure.detector, {}).setdefault(exposure.filter, []).append(exposure)
    return tuple(e for filters in groups.values() for members in filters.values() for e in members)
