"""Mosaics decimated strip by strip, so that they are never in memory completely."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS

from hstmosaic.products.orient import pixel_size
from hstmosaic.products.picture_list import PICTURE_SIDE
from hstmosaic.store.compressed_image import OccupiedTiles, occupied_tiles

if TYPE_CHECKING:
    from pathlib import Path

APERTURE = 0.4
"""Side of the squares in which the depth is measured, arcsec."""
_STRIP_PIXELS = 1_000_000
_SKIPPED = 100_000
"""Unused pixels of a row above which they are not read."""
_BLOCK = 64
_BLOCKS = 36
_MAD_TO_SIGMA = 1.4826


@dataclass(frozen=True)
class Decimated:
    """A mosaic in blocks of `factor` x `factor` pixels."""

    science: np.ndarray
    """Mean of the pixels with weight, shape (ny, nx); NaN without any."""
    weight: np.ndarray
    """Mean weight of the same pixels, shape (ny, nx); 0 without any."""
    wcs: WCS
    """Of the blocks."""
    factor: int
    covered_pixels: int
    """Pixels of the mosaic with weight."""
    weight_range: tuple[float, float]
    """Smallest and largest weight above 0; zeros where nothing is covered."""
    noise: float
    """Robust standard deviation of single pixels in the sky, in the mosaic's units; NaN without sky pixels."""
    header: fits.Header
    """Primary header of the mosaic, followed by the cards of its science extension."""
    shape: tuple[int, int]
    """Height and width of the mosaic, pixels."""
    aperture_noise: float = float("nan")
    """Robust standard deviation of sums over squares of `APERTURE` in the sky; NaN without sky pixels."""

    @property
    def covered(self) -> np.ndarray:
        """Mask of the pixels with data, shape (ny, nx)."""
        return np.asarray(self.weight > 0)


def decimate(path: Path, side: int = PICTURE_SIDE) -> Decimated:
    """Read a mosaic in strips and average blocks of its pixels, so that faint stars survive.

    Parameters
    ----------
    path : pathlib.Path
        A product, with ``SCI`` and ``WHT``.
    side : int
        Pixels that the longer side may have afterwards.

    Returns
    -------
    Decimated
        Pixels without weight count nowhere. Memory stays at a few strips: a strip has a million pixels, or is one row
        of blocks where that has more, its pixels growing with the square of the mosaic's width.
    """
    with fits.open(path, memmap=False, lazy_load_hdus=True) as hdus:
        science, weight = hdus["SCI"], hdus["WHT"]
        ny, nx = (int(science.header[key]) for key in ("NAXIS2", "NAXIS1"))
        factor = -(-max(ny, nx) // side)
        sums = _block_sums(science, weight, occupied_tiles(path, "WHT"), (ny, nx), factor)
        count = np.maximum(sums.count, 1)
        means = np.where(sums.count > 0, sums.science / count, np.nan).astype(np.float32)
        full = WCS(science.header)
        header = hdus[0].header.copy()
        header.extend(science.header, strip=True, unique=True)
        aperture = max(1, round(APERTURE / pixel_size(full)))
        noise, aperture_noise = _sky_noise(science, weight, sums.count == factor**2, factor, aperture)
        return Decimated(
            science=means,
            weight=(sums.weight / count).astype(np.float32),
            wcs=_block_wcs(full, factor),
            factor=factor,
            covered_pixels=int(sums.count.sum()),
            weight_range=sums.weight_range,
            noise=noise,
            aperture_noise=aperture_noise,
            header=header,
            shape=(ny, nx),
        )


@dataclass(frozen=True)
class _Sums:
    science: np.ndarray
    weight: np.ndarray
    count: np.ndarray
    weight_range: tuple[float, float]


def _block_sums(
    science: fits.ImageHDU, weight: fits.ImageHDU, occupied: OccupiedTiles, shape: tuple[int, int], factor: int
) -> _Sums:
    ny, nx = shape
    blocks = -(-ny // factor), -(-nx // factor)
    sums = np.zeros((3, *blocks))
    low, high = np.inf, 0.0
    strip = max(1, _STRIP_PIXELS // (nx * factor)) * factor
    for first in range(0, ny, strip):
        rows = slice(first, min(first + strip, ny))
        # on a sparse mosaic most of a strip is empty
        occupied_columns = occupied.columns(rows.start, rows.stop)
        if not occupied_columns.stop:
            continue
        start = occupied_columns.start // factor * factor
        depth = weight.section[rows, start : occupied_columns.stop]
        columns = start + np.flatnonzero(depth.any(axis=0))
        if not len(columns):
            continue
        left = columns[0] // factor * factor
        used = slice(left, columns[-1] + 1)
        depth = depth[:, left - start : used.stop - start].astype(np.float32)
        # astropy reads parts of plain rows one by one, which takes as long as a hundred thousand pixels
        tiled = occupied_columns != slice(0, nx)
        narrow = tiled or nx - (used.stop - left) > _SKIPPED
        light = (science.section[rows, used] if narrow else science.section[rows][:, used]).astype(np.float32)
        good = (depth > 0) & np.isfinite(light)
        depth[~good] = 0
        light[~good] = 0
        found = depth[good]
        if found.size:
            low, high = min(low, float(found.min())), max(high, float(found.max()))
        top, width = first // factor, -(-light.shape[1] // factor)
        for plane, values in zip(sums, (light, depth, good), strict=True):
            across = np.add.reduceat(values, np.arange(0, values.shape[1], factor), axis=1, dtype=np.float32)
            block = np.add.reduceat(across, np.arange(0, values.shape[0], factor), axis=0)
            plane[top : top + block.shape[0], left // factor : left // factor + width] = block
    return _Sums(sums[0], sums[1], sums[2], (low, high) if high > 0 else (0.0, 0.0))


def _block_wcs(full: WCS, factor: int) -> WCS:
    wcs = full.deepcopy()
    wcs.wcs.crpix = (full.wcs.crpix - 0.5) / factor + 0.5
    wcs.wcs.cd = full.wcs.cd * factor
    return wcs


def _sky_noise(
    science: fits.ImageHDU, weight: fits.ImageHDU, full: np.ndarray, factor: int, aperture: int
) -> tuple[float, float]:
    """Return the scatter of single pixels and of sums over apertures about the level of their block.

    Blocks are samples at full resolution. The scatter of pixels is the median over blocks; that of apertures is of all
    apertures of all blocks, since a block has few.
    """
    places = np.argwhere(full) * factor
    if not len(places):
        return float("nan"), float("nan")
    chosen = places[np.linspace(0, len(places) - 1, _BLOCKS).astype(int)]
    scatters, sums = [], []
    for row in np.unique(chosen[:, 0]):
        # whole rows are one read, parts of them one read each
        rows = slice(row, row + _BLOCK)
        light_rows, depth_rows = science.section[rows], weight.section[rows]
        for column in np.unique(chosen[chosen[:, 0] == row, 1]):
            columns = slice(column, column + _BLOCK)
            light = light_rows[:, columns].astype(float)
            good = (depth_rows[:, columns] > 0) & np.isfinite(light)
            if good.sum() < _BLOCK:
                continue
            level = np.median(light[good])
            scatters.append(_MAD_TO_SIGMA * float(np.median(np.abs(light[good] - level))))
            sums.append(_aperture_sums(np.where(good, light - level, np.nan), aperture))
    whole = np.concatenate(sums) if sums else np.empty(0)
    whole = whole[np.isfinite(whole)]
    apertures = _MAD_TO_SIGMA * float(np.median(np.abs(whole - np.median(whole)))) if whole.size else float("nan")
    return float(np.median(scatters)) if scatters else float("nan"), apertures


def _aperture_sums(light: np.ndarray, size: int) -> np.ndarray:
    """Return the sums over squares side by side; NaN where a pixel is missing."""
    rows, columns = (n // size for n in light.shape)
    cut = light[: rows * size, : columns * size]
    return np.asarray(cut.reshape(rows, size, columns, size).sum(axis=(1, 3)).ravel())
