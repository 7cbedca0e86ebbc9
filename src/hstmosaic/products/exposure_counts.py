"""Map of the number of exposures at each place of a mosaic."""

from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib as mpl
import numpy as np
from matplotlib.colors import BoundaryNorm
from matplotlib.path import Path as Polygon

from hstmosaic.plan.footprints import to_pixels
from hstmosaic.products.canvas import (
    EMPTY,
    FAINT,
    MARGIN,
    Box,
    cut_out,
    draw_compass,
    draw_scale_bar,
    new_sheet,
    points,
    zoom_for,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from PIL import Image

    from hstmosaic.plan.outlines import Outline
    from hstmosaic.products.decimate import Decimated
    from hstmosaic.products.orient import View

_BAR, _BAR_LABELS = 18, 60
_MOST_STEPS = 12
"""Number of exposures up to which each has a colour of its own."""


def exposure_counts(outlines: Sequence[Outline], small: Decimated) -> np.ndarray:
    """Count the exposures whose chips contain each block of a mosaic.

    Parameters
    ----------
    outlines : sequence of Outline
        Of the exposures in the mosaic.
    small : Decimated
        The mosaic.

    Returns
    -------
    numpy.ndarray
        Numbers, shape (ny, nx); 0 where the mosaic has no data.
    """
    counts = np.zeros(small.weight.shape, np.float32)
    for outline in outlines:
        inside = np.zeros(counts.shape, bool)
        for chip in outline.chips:
            fill_polygon(inside, to_pixels(small.wcs, chip))
        counts += inside
    return np.where(small.covered, counts, 0).astype(np.float32)


def fill_polygon(inside: np.ndarray, corners: np.ndarray) -> None:
    """Mark the pixels whose centres a polygon (x, y) contains; nothing if a corner is not finite."""
    if not np.isfinite(corners).all():
        return
    limits = np.array(inside.shape[::-1])
    low = np.clip(np.floor(corners.min(axis=0)).astype(int), 0, limits)
    high = np.clip(np.ceil(corners.max(axis=0)).astype(int) + 1, 0, limits)
    if (high <= low).any():
        return
    x, y = np.meshgrid(np.arange(low[0], high[0]), np.arange(low[1], high[1]))
    found = Polygon(corners).contains_points(np.column_stack([x.ravel(), y.ravel()])).reshape(x.shape)
    inside[low[1] : high[1], low[0] : high[0]] |= found


def draw_counts(view: View) -> Image.Image:
    """Draw a map of numbers, which are the weights of the view, with its colour bar."""
    zoom = zoom_for(view.weight.shape)
    height, width = (zoom * n for n in view.weight.shape)
    box = Box(MARGIN, MARGIN, width, height)
    whole = Box(MARGIN, MARGIN, width + MARGIN + _BAR + _BAR_LABELS, height)
    sheet = new_sheet(whole.width + 2 * MARGIN, height + 2 * MARGIN)
    counts = np.rint(view.weight)
    most = max(1, int(counts.max()))
    steps = np.unique(np.linspace(1, most + 1, min(most, _MOST_STEPS) + 1).astype(int))
    colors = mpl.colormaps["viridis"].resampled(len(steps) - 1).with_extremes(bad=EMPTY)
    axes = sheet.image_axes(box)
    shown = np.where(counts > 0, counts, np.nan)
    norm = BoundaryNorm(steps - 0.5, colors.N)
    drawn = axes.imshow(shown, origin="lower", cmap=colors, norm=norm, interpolation="nearest", aspect="auto")
    draw_compass(axes, box, view.north)
    draw_scale_bar(axes, box, view.scale / zoom)
    bar = sheet.axes(Box(box.left + width + MARGIN, box.bottom + 12, _BAR, height - 24))
    sheet.figure.colorbar(drawn, cax=bar, ticks=steps[:-1])
    bar.tick_params(labelsize=points(15), colors=FAINT)
    bar.spines[:].set_visible(False)
    return cut_out(sheet.render(), whole)
