"""Messages of the libraries that mean a fallback; what has no message is in `hstmosaic.tasks.upstream.steps`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hstmosaic.store.task_specs import TaskWarning
from hstmosaic.tasks.upstream.steps import DRIZZLE, SKY_MATCHING, STATIC_MASK

if TYPE_CHECKING:
    from collections.abc import Iterable

_HEADERS, _INPUT, _STARS = "headers", "input", "sources"


@dataclass(frozen=True)
class Fallback:
    """A message of a library that means a fallback."""

    pattern: str
    """Regular expression, searched in a line."""
    step: str
    message: str
    """What the library did, in one sentence without its full stop."""


_UNITS = (
    "Unable to determine units of data|WILL NOT be accounted for|Skipping check of photometric|"
    "Unable to compute .actual. pixel scale|Unable to determine .*pixel scale"
)
_HEADER_FAULTS = (
    "Trouble updating drizzle products|PROPOSID missing from hdrtab|Incorrect level associated with|"
    "No skycells found for|during add_skycell_to_header|could not be opened in 'update' mode|"
    "DRIZPARS header value update failed|does not exist in the Primary or|cannot be cast as a floating point"
)

FALLBACKS = (
    Fallback("Reverting sky computation", SKY_MATCHING, "sky matching failed: each exposure's own sky was subtracted"),
    Fallback("Need at least 2 images for sky matching", SKY_MATCHING, "a sky was taken from a header"),
    Fallback(
        "Unable to compute sky: No valid data", SKY_MATCHING, "skies were not matched: overlaps have no good pixel"
    ),
    Fallback(
        "Not enough data points to compute sky", SKY_MATCHING, "the sky of a chip without good pixels counts as 0"
    ),
    Fallback("NO user-supplied sky value found", SKY_MATCHING, "a sky that was not found counts as 0"),
    Fallback(_UNITS, SKY_MATCHING, "skies were matched without unit, exposure time or pixel scale of an exposure"),
    Fallback("Static mask for file .* NOT FOUND", STATIC_MASK, "a static mask was missing"),
    Fallback("All pixels masked out", DRIZZLE, "a chip whose pixels are all masked adds nothing to the mosaic"),
    Fallback(r"! \d{4,} points were outside", DRIZZLE, "more than 1000 pixels of a chip fell outside the mosaic"),
    Fallback("Cannot find flat field file", DRIZZLE, "a flat field was missing and counts as 1"),
    Fallback("No ERR weighting will be applied", DRIZZLE, "weights do not include the errors of pixels"),
    Fallback("No Distortion coefficients available", DRIZZLE, "a distortion was missing"),
    Fallback(
        "as no input exposures overlap that layer", DRIZZLE, "a mosaic was left out since no exposure overlaps it"
    ),
    Fallback("Could not read WCS with key", DRIZZLE, "a WCS could not be read"),
    Fallback("Could not read data quality file", DRIZZLE, "a DQ array could not be read"),
    Fallback("Removing .* from input list", _INPUT, "AstroDrizzle dropped an exposure"),
    Fallback("Illegal initial value for parameter", _INPUT, "an invalid parameter was ignored"),
    Fallback(_HEADER_FAULTS, _HEADERS, "the header of the mosaic was not refined"),
    Fallback("Problem encountered in setting up alignment", _STARS, "exposures were left out of the search for stars"),
    Fallback("Loss of accuracy during matrix inversion", _STARS, "a fit of stars is not accurate"),
    Fallback("Resetting number of clipping iterations to 0", _STARS, "outliers were not removed from a fit of stars"),
)
"""Messages of drizzlepac 3.11, stsci.skypac 1.0, stsci.tools 4.3, stwcs 1.7 and tweakwcs 0.9."""


def read_warnings(texts: Iterable[str]) -> tuple[TaskWarning, ...]:
    """Find the messages in logs and trailers that mean a fallback.

    Parameters
    ----------
    texts : iterable of str
        Contents of the files.

    Returns
    -------
    tuple of TaskWarning
        Each once, in the order of `FALLBACKS`.
    """
    read = list(texts)
    found = (
        TaskWarning(fallback.step, fallback.message)
        for fallback in FALLBACKS
        if any(re.search(fallback.pattern, text) for text in read)
    )
    return tuple(dict.fromkeys(found))


def joined(observed: Iterable[TaskWarning], read: Iterable[TaskWarning]) -> tuple[TaskWarning, ...]:
    """Return warnings of both kinds; messages add nothing about a step that a record already reports as failed."""
    first = tuple(observed)
    steps = {warning.step for warning in first if warning.strict}
    return tuple(dict.fromkeys((*first, *(warning for warning in read if warning.step not in steps))))
