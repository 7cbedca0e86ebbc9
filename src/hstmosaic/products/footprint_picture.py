"""The picture of where the exposures lie: over sky cells, over their projection cell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.coordinates import SkyCoord
from matplotlib.collections import PolyCollection
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, PathPatch, Rectangle
from matplotlib.path import Path as Outer
from matplotlib.patheffects import withStroke

from hstmosaic.plan.cells import SkyCell, load_sky_grid
from hstmosaic.plan.footprints import to_pixels
from hstmosaic.products.canvas import (
    EMPTY,
    FAINT,
    INK,
    MARGIN,
    NIGHT,
    TITLE_HEIGHT,
    Box,
    draw_compass,
    draw_scale_bar,
    new_sheet,
    points,
)
from hstmosaic.products.layer_marks import LAYER_COLORS, layer_colors, layer_title
from hstmosaic.products.orient import north_angle

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from matplotlib.axes import Axes
    from PIL import Image

    from hstmosaic.plan.cells import ProjectionCell
    from hstmosaic.plan.limits import Limits
    from hstmosaic.plan.outlines import Outline
    from hstmosaic.plan.plan import Plan

_MAIN, _SIDE = 780, 300
SKY = Box(MARGIN, MARGIN, _MAIN, _MAIN)
"""The part of the picture with the exposures."""
_ALARM = "#ff5c5c"
_DASHES = (0, (5, 3))
_GAPS = withStroke(linewidth=4.5, foreground=NIGHT)
_NESTED = 3.0
"""Pixels of the picture by which each layer's outlines lie within those of the layer before."""
_ROOM = 0.08
_FAR = 3.0
"""Exposures farther from the mosaic than this multiple of its size do not shape the picture."""


def draw_footprints(plan: Plan, outlines: Sequence[Outline], left_out: Collection[str]) -> Image.Image:
    """Draw where the exposures lie.

    Parameters
    ----------
    plan : Plan
        With projection cell, sky cells and limits.
    outlines : sequence of Outline
        Of the exposures of the list; at least one of them is in the mosaic.
    left_out : collection of str
        Names of those that are in no product; they are drawn dashed.

    Returns
    -------
    PIL.Image.Image
        Exposures in the colours of their layers, each layer's lines a little within those of the one before; what the
        limits of the mosaic clip hatched in red; next to it the whole projection cell with its sky cells.
    """
    cell = load_sky_grid().cell(int(plan.projection_cell.removeprefix("p")))
    chips = {outline.name: [to_pixels(cell.wcs, chip) for chip in outline.chips] for outline in outlines}
    view = _view(chips, {exposure.name for exposure in plan.exposures})
    shown = {name for name, polygons in chips.items() if _touches(polygons, view)}
    height = MARGIN * 2 + _MAIN + TITLE_HEIGHT
    sheet = new_sheet(3 * MARGIN + _MAIN + _SIDE, height)
    x, y = (view[0] + view[1]) / 2, (view[2] + view[3]) / 2
    middle = SkyCoord(*cell.wcs.all_pix2world(x, y, 0), unit="deg").to_string("hmsdms", sep=":", precision=1)
    sheet.write(MARGIN, height - MARGIN - 18, f"{len(plan.exposures)} exposures on {cell.name}", 21, fontweight="bold")
    sheet.write(MARGIN, height - MARGIN - 46, f"middle at {middle}", 15, FAINT)

    axes = sheet.image_axes(SKY)
    axes.set(xlim=view[:2], ylim=view[2:])
    _draw_sky_cells(axes, plan.sky_cells, view)
    colors = layer_colors(plan)
    clipped = _draw_exposures(axes, outlines, chips, colors, left_out, plan.limits)
    bounded = _draw_limits(axes, plan.limits, view)
    draw_scale_bar(axes, SKY, cell.scale * (view[1] - view[0]) / _MAIN)
    draw_compass(axes, SKY, north_angle(cell.wcs, x, y))

    aside = Box(2 * MARGIN + _MAIN, MARGIN + _MAIN - _SIDE, _SIDE, _SIDE)
    _draw_cell(sheet.image_axes(aside), cell, plan, view)
    beyond = len(chips) - len(shown)
    legend = _legend(plan, left_out, colors, bounded=bounded, clipped=clipped, beyond=beyond)
    sheet.figure.legend(
        handles=legend,
        loc="upper left",
        bbox_to_anchor=(aside.left / sheet.width, (aside.bottom - MARGIN) / sheet.height),
        bbox_transform=sheet.figure.transFigure,
        frameon=False,
        fontsize=points(15),
        labelcolor=INK,
        borderaxespad=0,
    )
    return sheet.render()


def _view(chips: Mapping[str, Sequence[np.ndarray]], planned: Collection[str]) -> tuple[float, float, float, float]:
    """Return a square around the mosaic's exposures and those that lie near it: xmin, xmax, ymin, ymax."""
    inside = np.concatenate([polygon for name in planned for polygon in chips.get(name, ())])
    low, high = inside.min(axis=0), inside.max(axis=0)
    size = (high - low).max()
    near = [polygon for polygons in chips.values() for polygon in polygons if np.isfinite(polygon).all()]
    near = [p for p in near if (p.min(axis=0) > low - _FAR * size).all() and (p.max(axis=0) < high + _FAR * size).all()]
    around = np.concatenate([inside, *near])
    low, high = around.min(axis=0), around.max(axis=0)
    middle, half = (low + high) / 2, (high - low).max() * (0.5 + _ROOM)
    return middle[0] - half, middle[0] + half, middle[1] - half, middle[1] + half


def _touches(polygons: Sequence[np.ndarray], view: tuple[float, float, float, float]) -> bool:
    points_ = np.concatenate(polygons)
    if not np.isfinite(points_).all():
        return False
    low, high = points_.min(axis=0), points_.max(axis=0)
    return bool(low[0] < view[1] and high[0] > view[0] and low[1] < view[3] and high[1] > view[2])


def _draw_sky_cells(axes: Axes, names: Sequence[str], view: tuple[float, float, float, float]) -> None:
    for name in names:
        sky_cell = SkyCell.from_name(name)
        (x, y), (width, height) = sky_cell.origin, sky_cell.naxis
        axes.add_patch(Rectangle((x, y), width, height, fill=False, edgecolor=FAINT, linewidth=1, alpha=0.8))
        # the part that no neighbour shares
        margin = 2 * sky_cell.overlap
        left, right = max(x + margin, view[0]), min(x + width - margin, view[1])
        bottom, top = max(y + margin, view[2]), min(y + height - margin, view[3])
        enough = 0.16 * (view[1] - view[0])
        if right - left > enough and top - bottom > 0.3 * enough:
            words = name.split("-p")[1][4:]
            place = right - 0.02 * (view[1] - view[0]), top - 0.02 * (view[3] - view[2])
            axes.text(*place, words, color=FAINT, fontsize=points(15), ha="right", va="top")


def _draw_exposures(
    axes: Axes,
    outlines: Sequence[Outline],
    chips: Mapping[str, Sequence[np.ndarray]],
    colors: Mapping[str, str],
    left_out: Collection[str],
    limits: Limits,
) -> bool:
    """Draw the chips, and return whether the limits clip any that is used."""
    layers = list(dict.fromkeys(outline.layer for outline in outlines))
    left, right = axes.get_xlim()
    pixel = (right - left) / _MAIN
    for out in (False, True):
        for k, layer in enumerate(layers):
            polygons = [
                polygon
                for outline in outlines
                if outline.layer == layer and (outline.name in left_out) == out
                for polygon in chips[outline.name]
                if np.isfinite(polygon).all()
            ]
            color = colors.get(layer, INK)
            if out:
                style: dict[str, Any] = {"linestyle": _DASHES, "linewidth": 1.8, "path_effects": [_GAPS]}
            else:
                axes.add_collection(PolyCollection(polygons, facecolor=f"{color}26"), autolim=False)
                # so that layers on the same place do not hide each other
                polygons = [_shrunk(polygon, (k % 5) * _NESTED * pixel) for polygon in polygons]
                style = {"linewidth": 1.6}
            edges = PolyCollection(polygons, facecolor="none", edgecolor=color, zorder=3, **style)
            axes.add_collection(edges, autolim=False)
    used = [p for outline in outlines if outline.name not in left_out for p in chips[outline.name]]
    beyond = [p for p in used if not _inside(p, limits)]
    for polygon in beyond:
        patch = PathPatch(Outer(polygon), facecolor="none", edgecolor=_ALARM, hatch="////", linewidth=1.3, zorder=4)
        axes.add_patch(patch)
        patch.set_clip_path(_all_but(limits), axes.transData)
    return bool(beyond)


def _shrunk(polygon: np.ndarray, by: float) -> np.ndarray:
    """Move the edges of a chip inwards."""
    middle = polygon.mean(axis=0)
    size = np.hypot(*(polygon - middle).T).max()
    return np.asarray(middle + (polygon - middle) * max(1 - 1.4 * by / size, 0.7))


def _inside(polygon: np.ndarray, limits: Limits) -> bool:
    low, high = polygon.min(axis=0), polygon.max(axis=0)
    first, last = np.array([limits.xmin, limits.ymin]), np.array([limits.xmax, limits.ymax])
    return bool((low >= first).all() and (high <= last).all())


def _all_but(limits: Limits) -> Outer:
    """Return the plane with a hole where the mosaic is."""
    far = 10 * max(abs(value) for value in (*limits.as_list(), 1000))
    outer = [(-far, -far), (far, -far), (far, far), (-far, far), (-far, -far)]
    x0, x1, y0, y1 = limits.as_list()
    hole = [(x0, y0), (x0, y1), (x1, y1), (x1, y0), (x0, y0)]
    codes = [Outer.MOVETO, Outer.LINETO, Outer.LINETO, Outer.LINETO, Outer.CLOSEPOLY]
    return Outer(outer + hole, codes * 2)


def _draw_limits(axes: Axes, limits: Limits, view: tuple[float, float, float, float]) -> bool:
    """Draw the limits of the mosaic, and return whether they can be seen."""
    size = limits.xmax - limits.xmin, limits.ymax - limits.ymin
    axes.add_patch(Rectangle((limits.xmin, limits.ymin), *size, fill=False, edgecolor=INK, linewidth=1.8))
    return limits.xmin > view[0] or limits.xmax < view[1] or limits.ymin > view[2] or limits.ymax < view[3]


def _draw_cell(axes: Axes, cell: ProjectionCell, plan: Plan, view: tuple[float, float, float, float]) -> None:
    """Draw the whole projection cell, its sky cells, those with data, and where the picture next to it lies."""
    nx, ny = cell.naxis
    room = 0.03 * max(nx, ny)
    axes.set(xlim=(-3 * room, nx + 3 * room), ylim=(-room, ny + 5 * room))
    dx, dy = cell.pitch
    axes.set_facecolor(NIGHT)
    axes.add_patch(Rectangle((0, 0), nx, ny, facecolor=EMPTY, edgecolor=FAINT, linewidth=1.2))
    lines = [[(k * dx, 0), (k * dx, ny)] for k in range(1, cell.sc_nxy)]
    lines += [[(0, k * dy), (nx, k * dy)] for k in range(1, cell.sc_nxy)]
    for (x0, y0), (x1, y1) in lines:
        axes.plot([x0, x1], [y0, y1], color=FAINT, linewidth=0.4, alpha=0.5)
    for name in plan.sky_cells:
        x, y = SkyCell.from_name(name).origin
        axes.add_patch(Rectangle((x, y), dx, dy, facecolor=LAYER_COLORS[0], alpha=0.75, linewidth=0))
    axes.add_patch(
        Rectangle((view[0], view[2]), view[1] - view[0], view[3] - view[2], fill=False, edgecolor=INK, linewidth=1.2)
    )
    axes.text(nx / 2, ny + room, f"projection cell {cell.name}", color=INK, ha="center", fontsize=points(15))


def _legend(
    plan: Plan, left_out: Collection[str], colors: Mapping[str, str], *, bounded: bool, clipped: bool, beyond: int
) -> list[Patch | Line2D]:
    found: list[Patch | Line2D] = []
    for layer in plan.layers:
        count = sum(name not in left_out for name in layer.exposures)
        color = colors[layer.name]
        found.append(Patch(facecolor=f"{color}40", edgecolor=color, label=f"{layer_title(layer.name)} ({count})"))
    found.append(Line2D([], [], color=FAINT, linewidth=1, label="sky cell"))
    if bounded:
        found.append(Line2D([], [], color=INK, linewidth=1.8, label="limits of the mosaic"))
    if left_out:
        found.append(Line2D([], [], color=INK, linestyle=_DASHES, label=f"left out ({len(left_out)})"))
    if clipped:
        found.append(Patch(facecolor="none", edgecolor=_ALARM, hatch="////", label="clipped off"))
    if beyond:
        found.append(Line2D([], [], linestyle="none", label=f"{beyond} beyond the picture"))
    return found
