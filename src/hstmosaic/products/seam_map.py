"""Map of the steps of the background between the exposures of a mosaic."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.collections import PolyCollection
from matplotlib.patches import Polygon
from matplotlib.patheffects import withStroke

from hstmosaic.plan.footprints import to_pixels
from hstmosaic.products.canvas import (
    FAINT,
    INK,
    MARGIN,
    NIGHT,
    Box,
    cut_out,
    draw_compass,
    draw_scale_bar,
    new_sheet,
    points,
)
from hstmosaic.products.exposure_counts import fill_polygon

if TYPE_CHECKING:
    from collections.abc import Sequence

    from PIL import Image

    from hstmosaic.plan.outlines import Outline
    from hstmosaic.products.orient import View
    from hstmosaic.products.seams import LocalSteps, Seams

_PICTURE = 640
"""Pixels of the picture along the longer side of the mosaic."""
_PLACES = 320
"""Places along this side at which steps are looked up."""
_BAR, _BAR_LABELS = 18, 96
_ALONE = "#39434f"
"""Places of a single exposure."""


def draw_seams(seams: Seams, local: LocalSteps, outlines: Sequence[Outline], view: View) -> Image.Image:
    """Draw the largest step at each place, the outlines of the exposures, and a colour bar.

    Parameters
    ----------
    seams : Seams
        With at least one pair.
    local : LocalSteps
        The steps in squares.
    outlines : sequence of Outline
        Of the exposures in the mosaic.
    view : View
        The mosaic.

    Returns
    -------
    PIL.Image.Image
        The two exposures with the largest step have bright outlines. Colours end at the noise of the mosaic (a line
        across the bar), or at the largest step if that is larger, so that steps that nobody sees are dark.
    """
    ny, nx = view.weight.shape
    zoom = _PICTURE / max(ny, nx)
    box = Box(MARGIN, MARGIN, max(1, round(zoom * nx)), max(1, round(zoom * ny)))
    whole = Box(MARGIN, MARGIN, box.width + MARGIN + _BAR + _BAR_LABELS, box.height)
    sheet = new_sheet(whole.width + 2 * MARGIN, box.height + 2 * MARGIN)
    axes = sheet.image_axes(box)
    polygons = {outline.name: _polygons(outline, view) for outline in outlines}
    for polygon in (p for chips in polygons.values() for p in chips):
        axes.add_patch(Polygon(polygon, facecolor=_ALONE, linewidth=0, zorder=0))
    stride = max(ny, nx) / _PLACES
    x, y = np.meshgrid(np.arange(stride / 2, nx, stride) - 0.5, np.arange(stride / 2, ny, stride) - 0.5)
    steps = local.at(np.column_stack(view.wcs.wcs_pix2world(x.ravel(), y.ravel(), 0))).reshape(x.shape)
    counts = np.zeros(x.shape)
    for chips in polygons.values():
        inside = np.zeros(x.shape, bool)
        for polygon in chips:
            fill_polygon(inside, (polygon + 0.5) / stride - 0.5)
        counts += inside
    largest = seams.pairs[0].largest
    drawn = axes.imshow(
        np.where(counts > 1, steps, np.nan),
        origin="lower",
        extent=(-0.5, stride * x.shape[1] - 0.5, -0.5, stride * x.shape[0] - 0.5),
        cmap="inferno",
        vmin=0,
        vmax=max(seams.noise or 0.0, largest) or 1.0,
        interpolation="nearest",
        aspect="auto",
        zorder=1,
    )
    worst = (seams.pairs[0].first, seams.pairs[0].second)
    plain = [p for name, chips in polygons.items() if name not in worst for p in chips]
    marked = [p for name in worst for p in polygons.get(name, ())]
    axes.add_collection(PolyCollection(plain, facecolor="none", edgecolor=FAINT, linewidth=0.9), autolim=False)
    edges = PolyCollection(marked, facecolor="none", edgecolor=INK, linewidth=2.2)
    edges.set_path_effects([withStroke(linewidth=4.5, foreground=NIGHT)])
    axes.add_collection(edges, autolim=False)
    axes.set(xlim=(-0.5, nx - 0.5), ylim=(-0.5, ny - 0.5))
    draw_compass(axes, box, view.north)
    draw_scale_bar(axes, box, view.scale / zoom)
    bar = sheet.axes(Box(box.left + box.width + MARGIN, box.bottom + 12, _BAR, max(1, box.height - 24)))
    sheet.figure.colorbar(drawn, cax=bar)
    if seams.noise is not None:
        bar.axhline(seams.noise, color=INK, linewidth=4, path_effects=[withStroke(linewidth=7, foreground=NIGHT)])
    bar.tick_params(labelsize=points(15), colors=FAINT)
    label = "step, e\N{SUPERSCRIPT MINUS}/s"
    bar.set_ylabel(label, fontsize=points(min(15, 1.6 * box.height / len(label))), color=INK)
    bar.spines[:].set_visible(False)
    return cut_out(sheet.render(), whole)


def _polygons(outline: Outline, view: View) -> list[np.ndarray]:
    polygons = (to_pixels(view.wcs, chip) for chip in outline.chips)
    return [polygon for polygon in polygons if np.isfinite(polygon).all()]
