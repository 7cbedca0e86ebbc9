"""The joint fit: in which order exposures take part in it, and what it will need."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hstmosaic.plan.estimates import BASE_MEMORY_MB, Estimate

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from hstmosaic.plan.exposures import Exposure

_SOURCES_BYTES_PER_PIXEL = 45
_SOURCES_S_PER_MEGAPIXEL = 0.9
_FIT_S_PER_EXPOSURE = 0.8


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


def estimate_sources(exposure: Exposure) -> Estimate:
    """Estimate the search for sources in one exposure.

    Parameters
    ----------
    exposure : Exposure
        With its chips.
    """
    megapixels = _pixels([exposure]) / 1e6
    return Estimate(
        memory_mb=round(BASE_MEMORY_MB + _SOURCES_BYTES_PER_PIXEL * megapixels),
        seconds=round(1 + _SOURCES_S_PER_MEGAPIXEL * megapixels, 1),
        disk_mb=1,
    )


def estimate_fit(exposures: Sequence[Exposure]) -> Estimate:
    """Estimate the joint fit.

    Parameters
    ----------
    exposures : sequence of Exposure
        All that take part.
    """
    return Estimate(
        memory_mb=BASE_MEMORY_MB + len(exposures),
        seconds=_FIT_S_PER_EXPOSURE * len(exposures),
        disk_mb=sum(exposure.size for exposure in exposures) // 1_000_000 + 1,
    )


def _pixels(exposures: Sequence[Exposure]) -> int:
    return sum(chip.shape[0] * chip.shape[1] for exposure in exposures for chip in exposure.chips)
