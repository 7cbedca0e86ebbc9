"""Messages of the libraries that mean a fallback; `hstmosaic.tasks.upstream.steps` records those without a message."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hstmosaic.store.drizzle_steps import ProcessingStep
from hstmosaic.store.result_files import TaskWarning

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True)
class Fallback:
    """A message of a library that means a fallback."""

    pattern: str
    """Regular expression, searched in a line."""
    step: ProcessingStep
    message: str
    """Behaviour of the library, one sentence without its full stop."""


_UNITS = (
    "Unable to determine units of data|WILL NOT be accounted for|Skipping check of photometric|"
    "Unable to compute .actual. pixel scale|Unable to determine .*pixel scale"
)
_HEADER_FAULTS = (
    "Trouble updating drizzle products|PROPOSID missing from hdrtab|Incorrect level associated with|"
    "No skycells found for|during add_skycell_to_header|could not be opened in 'update' mode|"
    "DRIZPARS header value update failed|does not exist in the Primary or|cannot be cast as a floating point"
)

_MESSAGES = {
    ProcessingStep.SKY_MATCHING: (
        ("Reverting sky computation", "sky matching failed: each exposure's own sky was subtracted"),
        ("Need at least 2 images for sky matching", "a sky was taken from a header"),
        ("Unable to compute sky: No valid data", "skies were not matched: overlaps have no good pixel"),
        ("Not enough data points to compute sky", "the sky of a chip without good pixels counts as 0"),
        ("NO user-supplied sky value found", "a sky that was not found counts as 0"),
        (_UNITS, "skies were matched without unit, exposure time or pixel scale of an exposure"),
    ),
    ProcessingStep.STATIC_MASK: (("Static mask for file .* NOT FOUND", "a static mask was missing"),),
    ProcessingStep.DRIZZLE: (
        ("All pixels masked out", "a chip whose pixels are all masked adds nothing to the mosaic"),
        (r"! \d{4,} points were outside", "more than 1000 pixels of a chip fell outside the mosaic"),
        ("Cannot find flat field file", "a flat field was missing and counts as 1"),
        ("No ERR weighting will be applied", "weights do not include the errors of pixels"),
        ("No Distortion coefficients available", "a distortion was missing"),
        ("as no input exposures overlap that layer", "a mosaic was left out since no exposure overlaps it"),
        ("Could not read WCS with key", "a WCS could not be read"),
        ("Could not read data quality file", "a DQ array could not be read"),
    ),
    ProcessingStep.INPUT: (
        ("Removing .* from input list", "AstroDrizzle dropped an exposure"),
        ("Illegal initial value for parameter", "an invalid parameter was ignored"),
    ),
    ProcessingStep.HEADERS: ((_HEADER_FAULTS, "the header of the mosaic was not refined"),),
    ProcessingStep.SOURCES: (
        ("Problem encountered in setting up alignment", "exposures were left out of the search for stars"),
        ("Loss of accuracy during matrix inversion", "a fit of stars is not accurate"),
        ("Resetting number of clipping iterations to 0", "outliers were not removed from a fit of stars"),
    ),
}
FALLBACKS = tuple(
    Fallback(pattern, step, message) for step, messages in _MESSAGES.items() for pattern, message in messages
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
