"""Views of a plan for notebooks: tables, and a plot of the footprints."""

from __future__ import annotations

import base64
import io
from html import escape
from typing import TYPE_CHECKING

import numpy as np

from hstmosaic.html_tables import html_table
from hstmosaic.plan.footprints import exposure_outlines, to_pixels
from hstmosaic.text import count_of

if TYPE_CHECKING:
    from astropy.wcs import WCS
    from matplotlib.axes import Axes

    from hstmosaic.plan.plan import Plan

_INCHES, _DPI = 4.5, 90
_MARGIN = 0.05
"""Empty margin around the mosaic, in units of its size."""


def plan_summary(plan: Plan) -> str:
    """Return a plan in one line."""
    height, width = plan.tight_limits.shape()
    exposures, layers = count_of(len(plan.exposures), "exposure"), count_of(len(plan.layers), "layer")
    left_out = f", {len(plan.excluded)} left out" if plan.excluded else ""
    return f"{exposures}{left_out} in {layers} on {plan.projection_cell}, {width} x {height} pixels"


def plan_html(plan: Plan) -> str:
    """Return a plan as HTML: layers, exposures that are left out, notes and footprints."""
    layers = (
        [
            layer.name,
            len(layer.exposures),
            f"{layer.exptime:.0f}",
            f"{layer.mean_chips:.2f}",
            f"{layer.estimate.memory_mb / 1000:.1f}",
            ", ".join(product.name for product in layer.products),
        ]
        for layer in plan.layers
    )
    headings = ["layer", "exposures", "time (s)", "chips per pixel", "memory (GB)", "products"]
    left_out = ([item.name, item.reason, item.next_step] for item in plan.excluded)
    notes = "".join(f"<li>{escape(note)}</li>" for note in plan.notes)
    return "".join(
        [
            f"<p><b>Plan</b> of {escape(plan_summary(plan))}; prefix {escape(plan.prefix)}</p>",
            html_table(headings, layers),
            html_table(["left out", "reason", "next step"], left_out),
            f"<ul>{notes}</ul>" if notes else "",
            f"<img alt='Footprints of the exposures' src='data:image/png;base64,{_picture(plan)}'>",
        ]
    )


def plot_plan(plan: Plan, axes: Axes | None = None) -> Axes:
    """Plot the footprints of the exposures and the outline of the mosaic.

    Parameters
    ----------
    plan : Plan
        With the chips of its exposures; without them, as in a plan read from JSON, only the outline is drawn.
    axes : matplotlib.axes.Axes, optional
        Axes in pixels of the projection cell; new ones of `matplotlib.pyplot`, with celestial coordinates, when None.

    Returns
    -------
    matplotlib.axes.Axes
    """
    from matplotlib.collections import PolyCollection
    from matplotlib.patches import Rectangle

    wcs = _cell_wcs(plan)
    if axes is None:
        import matplotlib.pyplot as plt

        axes = plt.figure(figsize=(_INCHES, _INCHES)).add_subplot(projection=wcs)
    limits = plan.tight_limits
    size = limits.xmax - limits.xmin, limits.ymax - limits.ymin
    for number, layer in enumerate(plan.layers):
        chips = [to_pixels(wcs, chip) for name in layer.exposures for chip in exposure_outlines(plan.exposure(name))]
        label, color = f"{layer.name} ({len(layer.exposures)})", f"C{number % 10}"
        edges = PolyCollection(chips, facecolor="none", edgecolor=color, label=label)
        axes.add_collection(edges, autolim=False)
    axes.add_patch(Rectangle((limits.xmin, limits.ymin), *size, fill=False, linestyle="--", label="mosaic"))
    margin = _MARGIN * np.array(size)
    axes.set_xlim(limits.xmin - margin[0], limits.xmax + margin[0])
    axes.set_ylim(limits.ymin - margin[1], limits.ymax + margin[1])
    axes.set(xlabel="right ascension", ylabel="declination", aspect="equal")
    axes.legend(loc="upper left", bbox_to_anchor=(0, -0.15), frameon=False)
    return axes


def _cell_wcs(plan: Plan) -> WCS:
    from hstmosaic.plan.cells import load_sky_grid  # imports astropy, which most uses of a plan do not need

    return load_sky_grid().cell(int(plan.projection_cell.removeprefix("p"))).wcs


def _picture(plan: Plan) -> str:
    """Return the plot as PNG in base64, made without pyplot, so that no figure stays open."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(_INCHES, _INCHES), dpi=_DPI)
    wcs = _cell_wcs(plan)
    plot_plan(plan, figure.add_subplot(projection=wcs))
    file = io.BytesIO()
    figure.savefig(file, format="png", bbox_inches="tight")
    return base64.b64encode(file.getvalue()).decode("ascii")
