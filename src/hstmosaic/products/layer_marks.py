"""Colours and titles of layers in pictures, region files and the report."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hstmosaic.plan.plan import Plan

LAYER_COLORS = ("#56b4e9", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#0072b2", "#f0e442", "#999999")
"""Okabe and Ito's palette for all kinds of colour vision; repeated for more layers."""


def layer_colors(plan: Plan) -> dict[str, str]:
    """Return the colour of each layer."""
    return {layer.name: LAYER_COLORS[k % len(LAYER_COLORS)] for k, layer in enumerate(plan.layers)}


def layer_title(name: str) -> str:
    """Write a layer's name as people do: ``wfc3_ir_f160w`` as ``WFC3/IR F160W``."""
    instrument, detector, filters = name.upper().split("_", 2)
    return f"{instrument}/{detector} {filters}"
