"""The multi-order coverage map (MOC) of a product."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from astropy import units as u
from mocpy import MOC
from scipy.ndimage import binary_erosion

from hstmosaic.products.orient import pixel_size

if TYPE_CHECKING:
    from hstmosaic.products.decimate import Decimated

_CELL_AT_ORDER_0 = float(np.sqrt(np.pi / 3) * 180 / np.pi * 3600)
"""Square root of the area of a HEALPix cell of order 0, arcsec."""
_DEEPEST = 29
_POINTS = (-0.5, 0.0, 0.5)


def coverage_map(small: Decimated) -> MOC:
    """Return where on the sky a product has data.

    Parameters
    ----------
    small : Decimated
        The product.

    Returns
    -------
    mocpy.MOC
        Of all blocks with any weight above 0, so that chip gaps and clipped edges are as in the product. Its
        cells are at least as wide as the diagonal of a block, and at most twice as wide.
    """
    block = pixel_size(small.wcs)
    order = min(_DEEPEST, int(np.floor(np.log2(_CELL_AT_ORDER_0 / (block * np.sqrt(2))))))
    covered = small.covered
    # cells are wider than blocks: the middle of a block will do, but for the rim
    inner = binary_erosion(covered)
    rows, columns = np.nonzero(covered & inner)
    rim = np.argwhere(covered & ~inner)
    corners = np.array([(dy, dx) for dy in _POINTS for dx in _POINTS])
    spread = (rim[:, None, :] + corners[None]).reshape(-1, 2)
    y, x = np.concatenate([rows, spread[:, 0]]), np.concatenate([columns, spread[:, 1]])
    ra, dec = small.wcs.all_pix2world(x, y, 0)
    return MOC.from_lonlat(ra * u.deg, dec * u.deg, max_norder=order)
