"""The index of the tiles of a run: a table, and regions for DS9."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS

from hstmosaic.store.tile_keywords import FIRST_PIXEL, TILE_NAME, TILE_OF

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_COLUMNS = ("file", "tile", "mosaic", "x", "y", "width", "height", "ra", "dec")


@dataclass(frozen=True)
class IndexedTile:
    """A tile as its headers describe it."""

    file: str
    tile: str
    """Its name, such as ``tile-x02y01``, or that of a sky cell."""
    mosaic: str
    """File name of the mosaic."""
    x: int
    """First column in the mosaic, from 1."""
    y: int
    """First row in the mosaic, from 1."""
    width: int
    height: int
    wcs: WCS

    def corners(self) -> np.ndarray:
        """Return right ascension and declination of the outer corners, degrees, shape (4, 2)."""
        edges = np.array([[0, 0], [self.width, 0], [self.width, self.height], [0, self.height]])
        return np.asarray(self.wcs.wcs_pix2world(edges - 0.5, 0))

    def center(self) -> tuple[float, float]:
        """Return right ascension and declination of the centre, degrees."""
        ((ra, dec),) = self.wcs.wcs_pix2world([[(self.width - 1) / 2, (self.height - 1) / 2]], 0).tolist()
        return ra, dec


def read_tile(path: Path) -> IndexedTile:
    """Read the headers of a tile.

    Raises
    ------
    KeyError
        If the file is not a tile.
    """
    with fits.open(path) as hdus:
        primary, science = hdus[0].header, hdus["SCI"].header
        x, y = (int(primary[keyword]) for keyword in FIRST_PIXEL)
        size = int(science["NAXIS1"]), int(science["NAXIS2"])
        return IndexedTile(path.name, primary[TILE_NAME], primary[TILE_OF], x, y, *size, WCS(science))


def tile_table(tiles: Iterable[IndexedTile]) -> str:
    """Return a table of tiles as ECSV, one row for each.

    Its columns are the file, the name of the tile, the mosaic, the first pixel in the mosaic (from 1), width and height
    (pixels), and right ascension and declination of the centre (degrees).
    """
    from astropy import units
    from astropy.table import Table

    rows = [(t.file, t.tile, t.mosaic, t.x, t.y, t.width, t.height, *t.center()) for t in tiles]
    table = Table(rows=rows, names=_COLUMNS)
    for name in ("ra", "dec"):
        table[name].unit = units.deg
        table[name].format = ".8f"
    for name in ("x", "y", "width", "height"):
        table[name].unit = units.pix
    text = io.StringIO()
    table.write(text, format="ascii.ecsv")
    return text.getvalue()


def tile_regions(tiles: Iterable[IndexedTile]) -> str:
    """Return the outlines of tiles as DS9 regions; tiles of several mosaics with the same outline appear once."""
    from astropy.coordinates import SkyCoord
    from regions import PolygonSkyRegion, Regions

    from hstmosaic.products.sky_regions import ds9_text

    found: dict[tuple[str, bytes], PolygonSkyRegion] = {}
    for tile in tiles:
        corners = tile.corners()
        meta = {"text": tile.tile}
        found.setdefault(
            (tile.tile, corners.round(7).tobytes()),
            PolygonSkyRegion(SkyCoord(corners, unit="deg", frame="icrs"), meta=meta),
        )
    return ds9_text(Regions(list(found.values())))
