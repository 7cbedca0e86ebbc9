"""Repair of the time that clipped statistics of images take; their results are equal to the bit."""

from __future__ import annotations

import functools
from typing import Any

from stsci import imagestats

from hstmosaic.tasks.exact.pixels_within import can_measure, is_compiled, median_within

_MEDIAN = "median"


def compute_statistics_fast() -> None:
    """Let `stsci.imagestats` use compiled functions for means and medians of clipped pixels.

    They serve the static masks, sky matching and the search for sources.
    """
    if not is_compiled():
        return
    from hstmosaic.tasks.exact.clip import moments

    original_moments, original_statistics = imagestats.computeMean, imagestats.ImageStats._computeStats
    limits: list[float] = [0.0, 0.0]

    def compute_mean(image: Any, low: float, high: float) -> tuple[int, float, float, float, float]:
        limits[:] = low, high
        found = moments(image, low, high) if can_measure(image) else original_moments(image, low, high)
        return tuple(found)

    @functools.wraps(original_statistics)
    def compute_statistics(statistics: Any) -> None:
        fields = statistics.fields
        if _MEDIAN not in fields or statistics.nclip == 0 or not can_measure(statistics.image):
            original_statistics(statistics)
            return
        statistics.fields = fields.replace(_MEDIAN, "")
        try:
            original_statistics(statistics)
        finally:
            statistics.fields = fields
        statistics.median = median_within(statistics.image, *limits)

    imagestats.computeMean, imagestats.ImageStats._computeStats = compute_mean, compute_statistics
