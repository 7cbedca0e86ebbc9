"""The colour composite of a mosaic's filters."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from astropy.visualization import ManualInterval, make_lupton_rgb

from hstmosaic.products.canvas import (
    EMPTY,
    FAINT,
    MARGIN,
    TITLE_HEIGHT,
    Box,
    cut_out,
    draw_compass,
    draw_scale_bar,
    new_sheet,
    zoom_for,
)
from hstmosaic.products.orient import north_up
from hstmosaic.products.pivots import pivot_wavelength

if TYPE_CHECKING:
    from collections.abc import Sequence

    from PIL import Image

    from hstmosaic.products.decimate import Decimated

CHANNEL_COLORS = ("#ff8f80", "#8be08b", "#8fb8ff")
"""Of the words that name the filters behind red, green and blue."""
_BRIGHT = 10.0
_MANY = 50
_BLACK, _STRETCH, _SOFTENING = -1.5, 20.0, 8.0
"""Of the mapping of Lupton et al. (2004), in units of the noise of the noisiest channel."""
_MAD_TO_SIGMA = 1.4826
_FAINT_PERCENTILE = 10


@dataclass(frozen=True)
class Filter:
    """One layer of a composite."""

    name: str
    """As in the picture, e.g. ``F160W``."""
    small: Decimated
    """All layers of a composite have the same pixels."""

    @property
    def wavelength(self) -> float:
        """Pivot wavelength, Angstrom: of the header, of the filter, or the number in its name, in nm."""
        given = float(self.small.header.get("PHOTPLAM", 0) or 0)
        digits = "".join(letter for letter in self.name if letter.isdigit())[:3]
        named = float(digits or 0) * 10
        # infrared filters are named in units of 10 nm
        infrared = self.small.header.get("DETECTOR") == "IR"
        return given or pivot_wavelength(self.name) or named * (10 if infrared else 1)

    def flux(self) -> np.ndarray:
        """Return the image above the sky, in flux per frequency where the header has the calibration."""
        image = self.small.science
        calibration = float(self.small.header.get("PHOTFLAM", 0) or 0) * self.wavelength**2
        return np.asarray((image - np.nanmedian(image)) * (calibration or 1.0))


@dataclass(frozen=True)
class Composite:
    """A colour image."""

    pixels: np.ndarray
    """Red, green and blue, 8 bits, shape (ny, nx, 3), in the order of FITS rows."""
    covered: np.ndarray
    channels: tuple[tuple[str, ...], ...]
    """Names of the filters behind red, green and blue; green is empty where it is the mean of the other two."""
    scale: float
    """Size of a pixel, arcsec."""
    north: float
    """See `hstmosaic.products.orient.View`."""


def compose(filters: Sequence[Filter]) -> Composite:
    """Make a colour image out of two filters or more.

    Parameters
    ----------
    filters : sequence of Filter
        At least two, in any order.

    Returns
    -------
    Composite
        Long wavelengths are red. Three filters or more are parted into three groups, of which each is averaged; with
        two, green is their mean. The typical bright source is white. Where a colour is missing, it is taken
        from those that are there, so that places seen through one filter only are grey.
    """
    ordered = sorted(filters, key=lambda item: -item.wavelength)
    count = min(len(ordered), 3)
    groups = [[ordered[k] for k in part] for part in np.array_split(np.arange(len(ordered)), count)]
    channels = _balanced([_mean([item.flux() for item in group]) for group in groups])
    names = [tuple(item.name for item in group) for group in groups]
    together = _mean(channels)
    channels = [np.where(np.isfinite(channel), channel, together) for channel in channels]
    if count < 3:
        channels.insert(1, together)
        names.insert(1, ())
    union = np.isfinite(together)
    first = ordered[0].small
    views = [north_up(replace(first, science=channel, weight=union.astype(np.float32))) for channel in channels]
    covered = views[0].weight > 0
    red, green, blue = (np.where(covered, np.nan_to_num(view.science), 0) for view in views)
    pixels = make_lupton_rgb(red, green, blue, interval=ManualInterval(_BLACK, None), stretch=_STRETCH, Q=_SOFTENING)
    return Composite(pixels, covered, tuple(names), views[0].scale, views[0].north)


def _mean(images: Sequence[np.ndarray]) -> np.ndarray:
    """Average images where they are finite, NaN where none is."""
    there = sum(np.isfinite(image).astype(int) for image in images)
    total = sum(np.nan_to_num(image) for image in images)
    return np.where(there > 0, total / np.maximum(there, 1), np.nan)


def _balanced(channels: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Make bright sources white on the whole, and the noise of the noisiest channel one, so that none is speckled."""
    noises = [_noise(channel) for channel in channels]
    scaled = [channel / noise for channel, noise in zip(channels, noises, strict=True)]
    bright = np.all([np.nan_to_num(channel) > _BRIGHT for channel in scaled], axis=0)
    if bright.sum() < _MANY:
        return scaled
    levels = np.array([np.median(channel[bright]) for channel in scaled])
    factors = levels.min() / levels
    return [channel * factor for channel, factor in zip(scaled, factors, strict=True)]


def _noise(image: np.ndarray) -> float:
    values = image[np.isfinite(image)]
    away = np.abs(values - np.median(values))
    scatter = _MAD_TO_SIGMA * float(np.median(away))
    if scatter > 0:
        return scatter
    # where nearly all pixels are equal, as in exposures without noise, the faintest of the others are the measure
    others = away[away > 0]
    return float(np.percentile(others, _FAINT_PERCENTILE)) if others.size else 1.0


def draw_composite(composite: Composite, title: str) -> tuple[Image.Image, Image.Image]:
    """Draw a composite.

    Parameters
    ----------
    composite : Composite
        What to show.
    title : str
        What stands over it; the filters are named below.

    Returns
    -------
    picture : PIL.Image.Image
        With its title.
    plain : PIL.Image.Image
        The sky alone.
    """
    zoom = zoom_for(composite.covered.shape)
    height, width = (zoom * n for n in composite.covered.shape)
    box = Box(MARGIN, MARGIN, width, height)
    sheet = new_sheet(max(width, 480) + 2 * MARGIN, height + 2 * MARGIN + TITLE_HEIGHT)
    sheet.write(MARGIN, sheet.height - MARGIN - 18, title, 21, fontweight="bold")
    left = float(MARGIN)
    for names, color in zip(composite.channels, CHANNEL_COLORS, strict=True):
        words = " + ".join(names) or "mean"
        sheet.write(left, sheet.height - MARGIN - 46, words, 15, color if names else FAINT)
        left += 11 * len(words) + 22
    axes = sheet.image_axes(box)
    empty = [int(EMPTY[k : k + 2], 16) for k in (1, 3, 5)]
    shown = np.where(composite.covered[..., None], composite.pixels, np.array(empty, np.uint8))
    axes.imshow(shown, origin="lower", interpolation="nearest", aspect="auto")
    draw_compass(axes, box, composite.north)
    draw_scale_bar(axes, box, composite.scale / zoom)
    picture = sheet.render()
    return picture, cut_out(picture, box)
