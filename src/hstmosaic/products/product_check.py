"""Checks of a finished product against the plan."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hstmosaic.errors import HstMosaicError
from hstmosaic.plan.names import file_key

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from astropy.io import fits

    from hstmosaic.plan.layers import Product

_MOSAIC_LEVEL = 4
_TOLERANCE = 1e-6
"""Pixels; for the matrix, a part of the pixel scale."""


class ProductError(HstMosaicError):
    """A product differs from the plan."""


def check_product(path: Path, product: Product, used: Collection[str]) -> None:
    """Check a drizzled image: pixels, WCS, refined headers, exposures.

    Parameters
    ----------
    path : pathlib.Path
        The image.
    product : Product
        The planned product.
    used : collection of str
        Names of the exposures that should be in it.

    Raises
    ------
    ProductError
        With all differences.
    """
    from astropy.io import fits  # not needed to find that nothing is to be done

    with fits.open(path) as hdus:
        lacking = [name for name in ("SCI", "WHT") if name not in hdus]
        if lacking:
            raise ProductError(f"{path.name} is not as planned: it has no {', '.join(lacking)}")
        primary, science, weight = hdus[0].header, hdus["SCI"].header, hdus["WHT"].header
        found = [
            *_grid_faults(science, product),
            *_header_faults(primary, science, product),
            *_exposure_faults(primary, used),
        ]
        if (weight["NAXIS2"], weight["NAXIS1"]) != product.grid.shape:
            found.append("the weight image has another shape than the mosaic")
    if found:
        raise ProductError(f"{path.name} is not as planned: {'; '.join(found)}")


def _grid_faults(science: fits.Header, product: Product) -> list[str]:
    grid = product.grid
    faults = []
    shape = science["NAXIS2"], science["NAXIS1"]
    if shape != grid.shape:
        faults.append(f"shape {shape} instead of {grid.shape}")
    degrees = grid.scale / 3600
    cd = grid.matrix
    planned = {
        "CRPIX1": (grid.crpix[0], 1.0),
        "CRPIX2": (grid.crpix[1], 1.0),
        "CRVAL1": (grid.crval[0], degrees),
        "CRVAL2": (grid.crval[1], degrees),
        "CD1_1": (cd[0], degrees),
        "CD1_2": (cd[1], degrees),
        "CD2_1": (cd[2], degrees),
        "CD2_2": (cd[3], degrees),
    }
    faults += [
        f"{key} {science.get(key)} instead of {value}"
        for key, (value, unit) in planned.items()
        if not abs(science.get(key, np.nan) - value) <= _TOLERANCE * unit
    ]
    return faults


def _header_faults(primary: fits.Header, science: fits.Header, product: Product) -> list[str]:
    faults = []
    if primary.get("HAPLEVEL") != _MOSAIC_LEVEL or "S_REGION" not in science:
        faults.append("its headers were not refined")
    if primary.get("FILENAME") != product.name:
        faults.append(f"FILENAME is {primary.get('FILENAME')!r}")
    return faults


def _exposure_faults(primary: fits.Header, used: Collection[str]) -> list[str]:
    drizzled = {str(value).split("[", maxsplit=1)[0] for value in primary["D*DATA"].values()}
    # working copies are named <product>-<key of the exposure>_flc.fits
    endings = tuple(f"all-{file_key(name)}{name[-9:]}" for name in used)
    missing = {ending[4:-9] for ending in endings if not any(name.endswith(ending) for name in drizzled)}
    unplanned = {name for name in drizzled if not name.endswith(endings)}
    faults = [f"exposures missing: {', '.join(sorted(missing))}"] if missing else []
    return faults + ([f"exposures not planned: {', '.join(sorted(unplanned))}"] if unplanned else [])
