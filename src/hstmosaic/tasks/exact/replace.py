"""Put exact replacements in the place of drizzlepac's functions, in the process of one task."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.io import fits
from drizzlepac import astrodrizzle
from drizzlepac.haputils import cell_utils, processing_utils, product
from stwcs.wcsutil import HSTWCS

from hstmosaic.tasks.exact.footprints import OutlinedFootprint, measure, paint_exposures
from hstmosaic.tasks.exact.regions import find_outlines
from hstmosaic.tasks.exact.statistics import PositiveMedian, chunk_mean
from hstmosaic.tasks.exact.tiles import FULL, TILE, TiledMask

if TYPE_CHECKING:
    from collections.abc import Iterator

ROWS = 2 * TILE
"""Rows of a mosaic that are read at once."""


def replace_slow_functions() -> None:
    """Let drizzlepac use functions that give the same results in less time and memory.

    Replaced are the painted footprints, the outlines for S_REGION, and the statistics of footprints and weights.
    """
    cell_utils.SkyFootprint = OutlinedFootprint
    product.HAPProduct.generate_footprint_mask = measure_footprint
    product.SkyCellProduct.wcs_drizzle_product = drizzle_product
    processing_utils.find_footprint = find_footprint


def measure_footprint(item: Any, save_mask: bool = False) -> None:
    """Do as `HAPProduct.generate_footprint_mask`; no mask is saved.

    Parameters
    ----------
    item : drizzlepac.haputils.product.HAPProduct
        Gets the keywords.
    save_mask : bool
        False, as in all calls of multi-visit processing.
    """
    assert not save_mask
    chips = paint_exposures([exposure.full_filename for exposure in item.edp_list], item.meta_wcs)
    if not chips:
        product.log.warning(f"These exposures do not overlap this WCS:\n{item.meta_wcs}")
        item.valid_product = False
        return
    found = measure(chips, item.meta_wcs.array_shape)
    item.mask_computed = True
    item.mask_kws["NPIXFRAC"][0] = found.fraction
    item.mask_kws["MEANEXPT"][0], item.mask_kws["MEDEXPT"][0] = found.mean_time, found.median_time
    item.mask_kws["MEANNEXP"][0], item.mask_kws["MEDNEXP"][0] = found.mean_number, found.median_number


def drizzle_product(item: Any, meta_wcs: Any) -> None:
    """Do as `SkyCellProduct.wcs_drizzle_product`.

    Parameters
    ----------
    item : drizzlepac.haputils.product.SkyCellProduct
        The layer.
    meta_wcs : astropy.wcs.WCS
        Of the mosaic.
    """
    item.meta_wcs = meta_wcs
    assert item.mask_computed
    parameters = item.configobj_pars.get_pars("astrodrizzle")
    parameters |= {
        "final_refimage": meta_wcs,
        "runfile": item.trl_logname,
        "rules_file": item.rules_file,
        "preserve": False,
        "context": False,
    }
    exposures = [exposure.full_filename for exposure in item.edp_list]
    astrodrizzle.AstroDrizzle(input=exposures, output=item.drizzle_filename, **parameters)
    with fits.open(item.drizzle_filename, mode="update") as hdus:
        header = hdus[0].header
        for keyword in item.mask_kws:
            header[keyword] = tuple(item.mask_kws[keyword])
        header["SCELLID"] = item.cell_id
        mean, middle = weight_statistics(hdus["WHT", 1].data)
        item.mask_whtkws["MEANWHT"][0], item.mask_whtkws["MEDWHT"][0] = mean, middle
        for keyword in item.mask_whtkws:
            header[keyword] = tuple(item.mask_whtkws[keyword])
    if Path(item.trl_logname).exists():
        shutil.move(item.trl_logname, item.trl_filename)


def weight_statistics(weights: np.ndarray) -> tuple[np.float32, np.float32]:
    """Return mean and median of the weights of pixels with data, as numpy has them for an array read from a file.

    Parameters
    ----------
    weights : numpy.ndarray
        Big-endian, shape (ny, nx).
    """

    def positive() -> Iterator[np.ndarray]:
        for top in range(0, len(weights), ROWS):
            rows = weights[top : top + ROWS].astype(np.float32)
            yield rows[rows > 0]

    middle = PositiveMedian()
    for numbers in positive():
        middle.add(numbers)
    if not middle.count:
        return np.float32(np.nan), np.float32(np.nan)
    return chunk_mean(positive(), middle.count), middle.find(positive)


def find_footprint(hdus: Any, extname: str = "SCI", extnum: int = 1) -> Any:
    """Return the corners for S_REGION, as `processing_utils.find_footprint` finds them.

    Parameters
    ----------
    hdus : astropy.io.fits.HDUList
        A mosaic that is open.
    extname, extnum : str, int
        Its extension.

    Returns
    -------
    object
        With ``corners``, a list of arrays of right ascension and declination.
    """
    wcs = HSTWCS(hdus, ext=(extname, extnum))
    with fits.open(hdus.filename()) as file:
        mask = find_data(file[extname, extnum].data)
    if not mask.states.any():
        raise IndexError("no pixel of the mosaic has data")
    return SimpleNamespace(corners=[wcs.all_pix2world(polygon, 0) for polygon in find_outlines(mask)])


def find_data(pixels: np.ndarray) -> TiledMask:
    """Return which pixels of a mosaic have data: those with a number, or where all have one, those that are not zero.

    Parameters
    ----------
    pixels : numpy.ndarray
        Shape (ny, nx), in any byte order.
    """
    shape = pixels.shape[0], pixels.shape[1]
    numbers, nonzero = TiledMask(shape), TiledMask(shape)
    for top in range(0, shape[0], ROWS):
        rows = pixels[top : top + ROWS].astype(np.float32)
        numbers.put(top, 0, ~np.isnan(rows))
        nonzero.put(top, 0, rows != 0)
    return nonzero if np.all(numbers.states == FULL) else numbers
