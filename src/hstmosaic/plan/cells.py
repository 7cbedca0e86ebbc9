"""Projection cells and sky cells: the tessellation of the sky that HAP mosaics are made on.

The numbers come from drizzlepac's own table ``pars/allsky_cells.fits``, found without importing drizzlepac;
names and attributes are those of ``drizzlepac.haputils.cell_utils``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS

from hstmosaic.errors import HstMosaicError

_SKY_CELL_NAME = re.compile(r"skycell-p(\d{4})x(\d{2})y(\d{2})")


@dataclass(frozen=True)
class Band:
    """A ring of projection cells of one declination."""

    first_cell: int
    """Number of its first projection cell, whose centre is at right ascension 0."""
    n_cells: int
    """Number of projection cells in the ring."""
    dec: float
    """Declination of their centres, degrees."""
    dec_min: float
    """Southern limit, degrees."""
    dec_max: float
    """Northern limit, degrees."""
    naxis: tuple[int, int]
    """Width and height of a projection cell, pixels."""


@dataclass(frozen=True)
class SkyGrid:
    """The tessellation of the sky.

    See Also
    --------
    load_sky_grid : reads the one that drizzlepac installs.
    """

    bands: tuple[Band, ...]
    """From south to north."""
    scale: float
    """Pixel scale of the fine grid, arcsec."""
    overlap: int
    """Margin of a sky cell on each side, pixels."""
    nxy: int
    """Number of sky cells along a side of a projection cell."""

    def cell(self, cell_id: int) -> ProjectionCell:
        """Return a projection cell by its number.

        Parameters
        ----------
        cell_id : int
            From 0 (south pole) to 2643 (north pole).

        Raises
        ------
        HstMosaicError
            If the number is out of range.
        """
        for band in self.bands:
            if 0 <= cell_id - band.first_cell < band.n_cells:
                return self.cell_in_band(band, cell_id - band.first_cell)
        raise HstMosaicError(f"invalid projection cell {cell_id}", "cells are numbered from 0 to 2643")

    def cell_in_band(self, band: Band, index: int) -> ProjectionCell:
        """Return the projection cell at a position, counted eastwards from 0, in a band."""
        return _projection_cell(band, index, self.scale, self.overlap, self.nxy)


@dataclass(frozen=True)
class ProjectionCell:
    """A tangent plane of about five degrees, divided into sky cells."""

    cell_id: int
    band_index: int
    """Position in its band, counted from 0 at right ascension 0."""
    center: tuple[float, float]
    """Right ascension and declination of the tangent point, degrees."""
    naxis: tuple[int, int]
    """Width and height, pixels."""
    scale: float
    """Pixel scale, arcsec."""
    sc_overlap: int
    sc_nxy: int

    @property
    def name(self) -> str:
        """Name as in file names, e.g. ``p1889``."""
        return f"p{self.cell_id:04d}"

    @property
    def pitch(self) -> tuple[int, int]:
        """Distance of neighbouring sky cells in x and y, pixels."""
        return int(self.naxis[0] / self.sc_nxy + 0.5), int(self.naxis[1] / self.sc_nxy + 0.5)

    @cached_property
    def wcs(self) -> WCS:
        """WCS of the whole cell on the fine grid."""
        degrees = self.scale / 3600.0
        wcs = WCS(naxis=2)
        wcs.wcs.crval = list(self.center)
        wcs.wcs.cd = np.array([[-degrees, 0], [0, degrees]])
        wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
        wcs.wcs.crpix = [n / 2.0 + 0.5 for n in self.naxis]
        wcs.pixel_shape = self.naxis
        wcs.pscale = self.scale
        wcs.orientat = 0.0
        return wcs

    @cached_property
    def footprint(self) -> np.ndarray:
        """Right ascension and declination of the four corners, degrees, shape (4, 2)."""
        return np.asarray(self.wcs.calc_footprint())

    @cached_property
    def corners(self) -> np.ndarray:
        """The footprint closed to a polygon, degrees, shape (5, 2)."""
        return np.append(self.footprint, self.footprint[:1], axis=0)

    def sky_cell(self, x_index: int, y_index: int) -> SkyCell:
        """Return the sky cell of a 1-based column and row."""
        return SkyCell(self, x_index, y_index)


@cache
def _projection_cell(band: Band, index: int, scale: float, overlap: int, nxy: int) -> ProjectionCell:
    return ProjectionCell(
        cell_id=band.first_cell + index,
        band_index=index,
        center=(index * 360.0 / band.n_cells, band.dec),
        naxis=band.naxis,
        scale=scale,
        sc_overlap=overlap,
        sc_nxy=nxy,
    )


@dataclass(frozen=True)
class SkyCell:
    """One of the 21 x 21 overlapping squares of a projection cell.

    Attributes are named as in ``drizzlepac.haputils.cell_utils.SkyCell``.
    """

    projection_cell: ProjectionCell
    x_index: int
    """Column, 1-based."""
    y_index: int
    """Row, 1-based."""
    members: list[str] = field(default_factory=list, compare=False)
    """Names of the exposures that overlap it."""
    scale: float = 0.04
    """Pixel scale, arcsec."""

    @classmethod
    def from_name(cls, name: str, scale: float | str = "fine") -> SkyCell:
        """Return a sky cell by its name.

        Parameters
        ----------
        name : str
            Such as ``skycell-p1889x07y19``.
        scale : float or {'fine', 'coarse'}
            Pixel scale in arcsec.

        Raises
        ------
        HstMosaicError
            If the name is not that of a sky cell.
        """
        match = _SKY_CELL_NAME.fullmatch(name)
        if match is None:
            raise HstMosaicError(f"{name!r} is not the name of a sky cell", "names look like skycell-p1889x07y19")
        cell_id, x_index, y_index = map(int, match.groups())
        arcsec = {"fine": 0.04, "coarse": 0.12}[scale] if isinstance(scale, str) else scale
        return replace(load_sky_grid().cell(cell_id).sky_cell(x_index, y_index), scale=arcsec)

    @property
    def sky_cell_id(self) -> str:
        """Name, e.g. ``skycell-p1889x07y19``."""
        return f"skycell-{self.projection_cell.name}x{self.x_index:02d}y{self.y_index:02d}"

    @property
    def overlap(self) -> int:
        """Margin on each side, pixels of the fine grid."""
        return self.projection_cell.sc_overlap

    @property
    def nxy(self) -> int:
        """Number of sky cells along a side of the projection cell."""
        return self.projection_cell.sc_nxy

    @property
    def origin(self) -> tuple[int, int]:
        """First pixel (x, y), 0-based, in the fine grid of the projection cell."""
        dx, dy = self.projection_cell.pitch
        return max(self.x_index - 1, 0) * dx, max(self.y_index - 1, 0) * dy

    @property
    def naxis(self) -> tuple[int, int]:
        """Width and height in pixels of the fine grid."""
        dx, dy = self.projection_cell.pitch
        return dx + 2 * self.overlap, dy + 2 * self.overlap

    @cached_property
    def wcs(self) -> WCS:
        """WCS of the sky cell at its pixel scale."""
        plane = self.projection_cell.wcs
        ratio = plane.pscale / self.scale
        origin = self.origin
        wcs = WCS(naxis=2)
        wcs.wcs.crpix = [(plane.wcs.crpix[i] - origin[i]) * ratio for i in (0, 1)]
        wcs.wcs.crval = plane.wcs.crval
        wcs.wcs.cd = plane.wcs.cd / ratio
        wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
        wcs.pixel_shape = tuple(int(n * ratio) for n in self.naxis)
        wcs.ltv1, wcs.ltv2 = (plane.wcs.crpix * ratio - wcs.wcs.crpix).tolist()
        wcs.orientat = plane.orientat
        wcs.pscale = plane.pscale / ratio
        return wcs

    @cached_property
    def corners(self) -> np.ndarray:
        """Right ascension and declination of its closed outline, degrees, shape (5, 2)."""
        footprint = np.asarray(self.wcs.calc_footprint())
        return np.append(footprint, footprint[:1], axis=0)

    def __repr__(self) -> str:
        return f"SkyCell object: {self.sky_cell_id}"


@cache
def load_sky_grid() -> SkyGrid:
    """Read the tessellation that drizzlepac installs, without importing drizzlepac.

    Raises
    ------
    HstMosaicError
        If drizzlepac is not installed.
    """
    spec = find_spec("drizzlepac")
    if spec is None or not spec.submodule_search_locations:
        raise HstMosaicError("drizzlepac is not installed", "install hstmosaic from its lock file")
    table = Path(spec.submodule_search_locations[0]) / "pars" / "allsky_cells.fits"
    with fits.open(table) as hdus:
        header, rows = hdus[0].header, hdus[1].data
        bands = tuple(
            Band(
                first_cell=int(row["PROJCELL"]),
                n_cells=int(row["NBAND"]),
                dec=float(row["DEC"]),
                dec_min=float(row["DEC_MIN"]),
                dec_max=float(row["DEC_MAX"]),
                naxis=(int(row["XCELL"]), int(row["YCELL"])),
            )
            for row in rows
        )
        return SkyGrid(bands, float(header["PC_SCALE"]), int(header["SC_OLAP"]), int(header["SC_NXY"]))
