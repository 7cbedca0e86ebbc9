"""The picture of a layer: its image next to its weight map."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import matplotlib as mpl
import numpy as np
from astropy.visualization import AsinhStretch, ImageNormalize, ZScaleInterval

from hstmosaic.products.canvas import (
    EMPTY,
    FAINT,
    INK,
    MARGIN,
    TITLE_HEIGHT,
    Box,
    cut_out,
    draw_compass,
    draw_scale_bar,
    new_sheet,
    points,
    zoom_for,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from PIL import Image

    from hstmosaic.products.canvas import Sheet
    from hstmosaic.products.orient import View

_BAR, _BAR_LABELS = 18, 104
_WHITE_PERCENTILE = 99.7


@dataclass(frozen=True)
class Preview:
    """A rendered preview."""

    image: Image.Image
    science: Box
    """Place of the image of the sky; each pixel of the view fills `zoom` x `zoom` pixels."""
    weight: Box
    """Place of the weight map, with its colour bar."""
    zoom: int

    def science_image(self) -> Image.Image:
        """Return the image of the sky alone."""
        return cut_out(self.image, self.science)

    def weight_image(self) -> Image.Image:
        """Return the weight map and its colour bar alone."""
        return cut_out(self.image, self.weight)


def draw_preview(view: View, title: str, subtitle: str, weight_label: str) -> Preview:
    """Draw a layer.

    Parameters
    ----------
    view : View
        What to show.
    title, subtitle : str
        What stands over it.
    weight_label : str
        What stands at the colour bar of the weight map.

    Returns
    -------
    Preview
        The sky between its ZScale limits is shown almost linearly; what is brighter, up to where 99.7 % of the pixels
        are, follows an inverse hyperbolic sine.
    """
    zoom = zoom_for(view.science.shape)
    height, width = (zoom * n for n in view.science.shape)
    side_by_side = width <= 1.6 * height
    weight_width = width + MARGIN + _BAR + _BAR_LABELS
    science = Box(MARGIN, MARGIN + (0 if side_by_side else height + MARGIN), width, height)
    weight = Box(2 * MARGIN + width if side_by_side else MARGIN, MARGIN, width, height)
    sheet = new_sheet(
        max(2 * MARGIN + (width + MARGIN if side_by_side else 0) + weight_width, 640),
        (1 if side_by_side else 2) * (height + MARGIN) + MARGIN + TITLE_HEIGHT,
    )
    sheet.write(MARGIN, sheet.height - MARGIN - 18, title, 21, fontweight="bold")
    sheet.write(MARGIN, sheet.height - MARGIN - 46, subtitle, 15, FAINT)
    _draw_science(sheet.image_axes(science), science, view)
    _draw_weight(sheet, weight, view.weight, weight_label)
    with_bar = Box(weight.left, weight.bottom, min(weight_width, sheet.width - weight.left), weight.height)
    return Preview(sheet.render(), science, with_bar, zoom)


def stretch_limits(values: np.ndarray) -> tuple[float, float, float]:
    """Return the ZScale limits of pixels and the value that is shown white.

    Where nearly all pixels are equal, as in exposures without noise, the limits are those of the others.
    """
    low, high = ZScaleInterval().get_limits(values)
    white = max(high, np.percentile(values, _WHITE_PERCENTILE))
    if not high > low:
        above = values[values > low] - low
        steps = np.percentile(above, [10, _WHITE_PERCENTILE]) if above.size else [1.0, 1.0]
        high, white = low + steps[0], low + steps[1]
    return float(low), float(high), float(white)


def _draw_science(axes: Axes, box: Box, view: View) -> None:
    low, high, white = stretch_limits(view.science[np.isfinite(view.science)])
    norm = ImageNormalize(vmin=low, vmax=white, stretch=AsinhStretch(min(1.0, 0.5 * (high - low) / (white - low))))
    axes.imshow(view.science, origin="lower", cmap=_map("gray"), norm=norm, interpolation="nearest", aspect="auto")
    draw_compass(axes, box, view.north)
    draw_scale_bar(axes, box, view.scale * view.science.shape[1] / box.width)


def _draw_weight(sheet: Sheet, box: Box, weight: np.ndarray, label: str) -> None:
    axes = sheet.image_axes(box)
    shown = np.where(weight > 0, weight, np.nan)
    top = float(np.nanmax(shown))
    drawn = axes.imshow(shown, origin="lower", cmap=_map("viridis"), vmin=0, vmax=top, interpolation="nearest")
    axes.set_aspect("auto")
    bar = sheet.axes(Box(box.left + box.width + MARGIN, box.bottom + 12, _BAR, box.height - 24))
    sheet.figure.colorbar(drawn, cax=bar)
    bar.tick_params(labelsize=points(15), colors=FAINT)
    # along a low bar there is little room
    bar.set_ylabel(label, fontsize=points(min(15, 1.6 * box.height / len(label))), color=INK)
    bar.spines[:].set_visible(False)


def _map(name: str) -> mpl.colors.Colormap:
    return mpl.colormaps[name].with_extremes(bad=EMPTY)
