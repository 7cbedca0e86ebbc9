"""Sources of a stored reply of the catalogue service, with their motions."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from astropy.time import Time

from hstmosaic.plan.catalog_replies import COLUMNS, LINE_END

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_JULIAN = 3000.0
"""Epochs above are Julian dates."""


@dataclass(frozen=True, eq=False)
class CatalogTable:
    """Rows of a reply, checked, with positions at the epoch of the catalogue."""

    catalog: str
    rows: list[dict[str, str]]

    @classmethod
    def from_reply(cls, text: str, catalog: str) -> CatalogTable:
        """Read a reply.

        Parameters
        ----------
        text : str
            The reply, checked.
        catalog : str
            Name of the catalogue.
        """
        return cls(catalog, list(csv.DictReader([line for line in text.split(LINE_END)[1:] if line])))

    def values(self, column: str) -> Floats:
        """Return a column by its name in Gaia, in the catalogue's units; NaN where it has no number."""
        name = _columns(self.catalog).get(column, "")
        return np.array([_number(row.get(name, "")) for row in self.rows], dtype=float)

    @cached_property
    def epochs(self) -> Floats:
        """Decimal years; NaN where unknown."""
        epochs = self.values("epoch")
        julian = epochs > _JULIAN
        epochs[julian] = Time(epochs[julian], format="jd").jyear
        return epochs

    @cached_property
    def motions(self) -> Floats:
        """Proper motions, shape (n, 2): arcsec per year to the east and to the north; NaN where unknown."""
        return np.column_stack([self.values("pmra"), self.values("pmdec")]) / 1000

    @cached_property
    def moving(self) -> NDArray[np.bool_]:
        """True for sources whose motion is known."""
        return np.asarray(np.isfinite(self.motions).all(axis=1) & np.isfinite(self.epochs))

    def positions(self, epoch: float) -> Floats:
        """Return right ascensions and declinations at an epoch, degrees, shape (n, 2).

        Parameters
        ----------
        epoch : float
            Decimal years.
        """
        years = np.where(self.moving, epoch - self.epochs, 0.0)
        east, north = (np.where(self.moving, motion, 0.0) * years / 3600 for motion in self.motions.T)
        dec = self.values("dec")
        return np.column_stack([self.values("ra") + east / np.cos(np.deg2rad(dec)), dec + north])


def _columns(catalog: str) -> dict[str, str]:
    """Return the names of columns in a catalogue by those of Gaia."""
    if catalog == "2MASS":
        return {"ra": "ra", "dec": "dec", "epoch": "jdate", "mag": "mag"}
    return dict(zip(COLUMNS["GAIAeDR3"], COLUMNS[catalog], strict=True))


def _number(text: str | None) -> float:
    try:
        return float(text or "nan")
    except ValueError:
        return float("nan")
