"""Astrometric catalogues: requests to the service, and checks of its replies."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from astropy.coordinates import angular_separation
from astropy.wcs import WCS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hstmosaic.plan.exposures import Exposure

CATALOGS = ("GAIAeDR3", "GSC242", "2MASS")
"""Catalogues of drizzlepac's parameters for multi-visit mosaics, in the order in which they are tried."""
USER_CATALOG = "USER"
"""Name of a catalogue that the user brought, in ``WCSNAME`` and ``CATALOG``."""
COLUMNS = {
    "GAIAeDR3": (
        "objID", "ra", "dec", "ra_error", "dec_error", "pmra", "pmra_error", "pmdec", "pmdec_error", "mag", "epoch",
    ),
    "GSC242": (
        "objID", "ra", "dec", "raErr", "decErr", "rapm", "rapmErr", "decpm", "decpmErr", "mag", "epoch",
    ),
    "2MASS": ("objid", "ra", "dec", "mag", "jdate"),
}  # fmt: skip
"""Columns that drizzlepac reads."""
COLUMNS[USER_CATALOG] = COLUMNS["GAIAeDR3"]

FEWEST = 12
"""Stars that the simplest of drizzlepac's joint fits needs."""

_SERVICE = "vo/CatalogSearch.aspx"
LINE_END = "\r\n"
"""Of the service's replies."""
_REACH, _EXTRA = 1.7, 0.005
"""Of the cone, in terms of the radius around all corners, and degrees beyond that.

Drizzlepac's circle goes through the corners of a rectangle around the exposures of a fit, turned like the first one.
Whatever is left out, and however it is turned: for exposures within a circle of radius 1 it stays within one of 5/3.
"""


def reply_name(catalog: str) -> str:
    """Return the file name of a stored reply."""
    return f"{catalog}.csv"


class ReplyError(ValueError):
    """A reply of the catalogue service that drizzlepac could not use; the message is one clause."""


@dataclass(frozen=True)
class Cone:
    """Part of the sky for which a catalogue is requested."""

    ra: float
    """Right ascension of the centre, degrees."""
    dec: float
    """Declination, degrees."""
    radius: float
    """Degrees."""

    def holds(self, ra: np.ndarray, dec: np.ndarray) -> np.ndarray:
        """Tell which positions (degrees) lie in it."""
        return np.asarray(_separation(self.ra, self.dec, ra, dec) <= self.radius)

    def url(self, base: str, catalog: str) -> str:
        """Return the request, in the form that drizzlepac uses, for positions at the epoch of the catalogue."""
        where = f"RA={self.ra:.5f}&DEC={self.dec:.5f}&SR={self.radius:.4f}"
        return f"{base}/{_SERVICE}?{where}&FORMAT=CSV&CAT={catalog}&MINDET=5"


def fit_cone(exposures: Sequence[Exposure]) -> Cone:
    """Return the part of the sky whose stars a fit of these exposures can need.

    A circle around all chips, larger by two thirds: headers may be wrong, and stars move.

    Parameters
    ----------
    exposures : sequence of Exposure
        With their chips, in the order of the fit.
    """
    chips = [chip for exposure in exposures for chip in exposure.chips]
    corners = np.concatenate([_corners(chip.wcs, chip.shape) for chip in chips])
    lon, lat = np.deg2rad(corners).T
    mean = np.mean([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], axis=1)
    plane = WCS(naxis=2)
    plane.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    plane.wcs.crval = np.rad2deg([np.arctan2(mean[1], mean[0]) % (2 * np.pi), np.arctan2(mean[2], np.hypot(*mean[:2]))])
    turn = chips[0].wcs.pixel_scale_matrix[:, 1]
    east, north = turn / np.hypot(*turn)
    plane.wcs.cd = np.array([[-north, east], [east, north]]) / 3600
    x, y = plane.wcs_world2pix(corners, 0).T
    ((ra, dec),) = plane.wcs_pix2world([[(x.min() + x.max()) / 2, (y.min() + y.max()) / 2]], 0)
    radius = _separation(ra, dec, *corners.T).max()
    return Cone(float(ra), float(dec), float(radius) * _REACH + _EXTRA)


def check_reply(text: str, catalog: str) -> int:
    """Check a reply and return its number of sources.

    Raises
    ------
    ReplyError
        If it is an error message, no table, lacks a column that drizzlepac reads, or has values that are no numbers.
    """
    if text.startswith("Error"):
        raise ReplyError(f"answers {text.splitlines()[0][:200]!r}")
    lines = [line for line in text.split(LINE_END)[1:] if line]
    header = next(csv.reader(lines[:1]), [])
    missing = [column for column in COLUMNS[catalog] if column not in header]
    if missing:
        start = text[:60].replace("\n", " ").replace("\r", "")
        raise ReplyError(f"answers no table with {', '.join(missing)} but {start!r}")
    try:
        for row in csv.DictReader(lines):
            if None in row.values():
                raise ValueError(f"the row of {row['ra']}, {row['dec']} breaks off")
            if not np.isfinite([float(row["ra"]), float(row["dec"])]).all():
                raise ValueError(f"{row['ra']}, {row['dec']} is not a position")
    except (TypeError, ValueError) as error:
        raise ReplyError(f"answers a broken table ({error})") from error
    return len(lines) - 1


def stars_around(text: str, cone: Cone) -> int:
    """Count the sources of a reply that lie within the radius around all corners of the exposures.

    Parameters
    ----------
    text : str
        A reply to the request for `cone`, checked.
    cone : Cone
        As of `fit_cone`, which is larger than that.
    """
    _, header, *rows = [line for line in text.split(LINE_END) if line]
    around = replace(cone, radius=(cone.radius - _EXTRA) / _REACH)
    return int(around.holds(*_positions(header, rows)).sum())


def reply_text(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return sources as the service writes them: a comment, then CSV, with CRLF."""
    text = io.StringIO()
    csv.writer(text, lineterminator=LINE_END).writerows([columns, *rows])
    return f"Objects found : {len(rows)}{LINE_END}{text.getvalue()}"


def _positions(header: str, rows: Sequence[str]) -> np.ndarray:
    """Right ascensions and declinations of a reply's rows, degrees, shape (2, n)."""
    names = next(csv.reader([header]))
    positions = [(float(row[names.index("ra")]), float(row[names.index("dec")])) for row in csv.reader(rows)]
    return np.reshape(positions, (-1, 2)).T


def _corners(wcs: WCS, shape: tuple[int, int]) -> np.ndarray:
    """Centres of the four corner pixels, degrees, shape (4, 2)."""
    ny, nx = shape
    return np.column_stack(wcs.all_pix2world([0, 0, nx - 1, nx - 1], [0, ny - 1, ny - 1, 0], 0))


def _separation(ra1: float, dec1: float, ra2: np.ndarray, dec2: np.ndarray) -> np.ndarray:
    """Distance of positions from one of them; all in degrees."""
    return np.asarray(np.rad2deg(angular_separation(*(np.deg2rad(angle) for angle in (ra1, dec1, ra2, dec2)))))
