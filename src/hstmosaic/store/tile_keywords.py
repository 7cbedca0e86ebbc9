"""Keywords in the primary headers of tiles."""

from __future__ import annotations

TILE_NAME = "HMTILE"
"""Name of the tile, such as ``tile-x02y01`` or ``skycell-p1889x07y19``."""
TILE_OF = "HMTILEOF"
"""File name of the mosaic."""
FIRST_PIXEL = ("HMTILEX", "HMTILEY")
"""First column and row in the mosaic, from 1."""
