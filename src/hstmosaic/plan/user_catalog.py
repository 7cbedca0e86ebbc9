"""Catalogues that users bring, and those fetched in advance for them."""

from __future__ import annotations

import csv
from contextlib import suppress
from typing import TYPE_CHECKING

import numpy as np
from astropy import units as u
from astropy.table import Table
from astropy.time import Time

from hstmosaic.errors import AlignmentError
from hstmosaic.plan.catalog_replies import COLUMNS, USER_CATALOG, reply_text

if TYPE_CHECKING:
    from pathlib import Path

    from hstmosaic.plan.catalog_replies import Cone

FORMATS = {
    ".ecsv": "ascii.ecsv",
    ".csv": "ascii.csv",
    ".fits": "fits",
    ".fit": "fits",
    ".vot": "votable",
    ".votable": "votable",
    ".xml": "votable",
}
"""File name suffixes and what astropy calls their formats."""
_UNITS = {
    "ra": u.deg,
    "dec": u.deg,
    "ra_error": u.mas,
    "dec_error": u.mas,
    "pmra": u.mas / u.yr,
    "pmra_error": u.mas / u.yr,
    "pmdec": u.mas / u.yr,
    "pmdec_error": u.mas / u.yr,
    "mag": None,
    "epoch": u.yr,
}
_AFTER_POSITION = COLUMNS[USER_CATALOG][3:]
_SYNONYMS = {"phot_g_mean_mag": "mag", "ref_epoch": "epoch"}
_COLUMNS = "the columns are ra, dec, and if known ra_error, dec_error, pmra, pmdec, mag, epoch"
_SERVICE_NAMES = {
    "GAIAeDR3": {name: name for name in _UNITS},
    "GSC242": {"ra": "ra", "dec": "dec", "ra_error": "raErr", "dec_error": "decErr", "pmra": "rapm",
               "pmra_error": "rapmErr", "pmdec": "decpm", "pmdec_error": "decpmErr",
               "mag": "mag", "epoch": "epoch"},
    "2MASS": {"ra": "ra", "dec": "dec", "mag": "mag", "epoch": "jdate"},
}  # fmt: skip
_JULIAN = 2_400_000
_YEARS = (1800, 2200)
"""Between these an epoch is a decimal year; Julian dates, days and centuries are not."""


def read_catalog(path: Path) -> dict[str, np.ndarray]:
    """Read a user's catalogue.

    Parameters
    ----------
    path : pathlib.Path
        ECSV, CSV, FITS or VOTable, by its suffix. Columns, in any case of letters: ``ra``, ``dec`` (degrees),
        ``ra_error``, ``dec_error`` (mas), ``pmra`` (mas/yr, with the cosine of the declination as Gaia has it),
        ``pmdec`` (mas/yr), their errors ``pmra_error`` and ``pmdec_error``, ``mag``, ``epoch``
        (decimal years, of the positions; a table's ``epoch`` in its meta data
        will do). Columns with units are converted. Gaia's names ``phot_g_mean_mag`` and ``ref_epoch`` are known, and
        count where ``mag`` and ``epoch`` are not there.

    Returns
    -------
    dict of str to numpy.ndarray
        The columns that are there, NaN where a value is missing; rows without a position are left out.

    Raises
    ------
    AlignmentError
        If it cannot be read, has no positions, proper motions without an epoch, an epoch that is not a year, or several
        columns of one name.
    """
    table = _read(path)
    names = _names(table, path)
    if not {"ra", "dec"} <= names.keys():
        raise AlignmentError(f"{path}: no columns ra and dec among {', '.join(table.colnames)}", _COLUMNS)
    columns = {key: _values(table, names[key], unit, path) for key, unit in _UNITS.items() if key in names}
    epoch = table.meta.get("epoch", table.meta.get("EPOCH"))
    if "epoch" not in columns and epoch is not None:
        columns["epoch"] = np.full(len(table), _year(epoch, path))
    _check_epochs(columns, path)
    placed = np.isfinite(columns["ra"]) & np.isfinite(columns["dec"]) & (np.abs(columns["dec"]) <= 90)
    if not placed.any():
        raise AlignmentError(f"{path}: has no source with a position", _COLUMNS)
    return {key: values[placed] for key, values in columns.items()}


def catalog_reply(columns: dict[str, np.ndarray], cone: Cone) -> str:
    """Return the part of a user's catalogue in a cone, in the words of the catalogue service.

    Parameters
    ----------
    columns : dict of str to numpy.ndarray
        As of `read_catalog`.
    cone : Cone
        Part of the sky.

    Returns
    -------
    str
        A reply with the columns of GAIAeDR3, positions at the epoch of each source, and nothing for values that are
        missing. Where some sources have errors above 0, the others get the largest of them.
    """
    count = len(columns["ra"])
    values = {key: columns.get(key, np.full(count, np.nan)) for key in _UNITS}
    for key in ("ra_error", "dec_error"):
        values[key] = _errors(columns, key, count)
    chosen = np.flatnonzero(cone.holds(columns["ra"], columns["dec"]))
    ra, dec = columns["ra"] % 360, columns["dec"]
    rows = [
        (number, f"{ra[k]:.10f}", f"{dec[k]:.10f}", *(_written(values[key][k]) for key in _AFTER_POSITION))
        for number, k in enumerate(chosen, start=1)
    ]
    return reply_text(COLUMNS[USER_CATALOG], rows)


def _written(value: float) -> str:
    return repr(float(value)) if np.isfinite(value) else ""


def reply_table(text: str, catalog: str) -> Table:
    """Return a reply of the service to a request without epoch as a table that `read_catalog` reads back."""
    lines = [line for line in text.split("\r\n")[1:] if line]
    rows = list(csv.DictReader(lines))
    table = Table(meta={"catalog": catalog})
    for name, theirs in _SERVICE_NAMES[catalog].items():
        values = np.array([_number(row[theirs]) for row in rows])
        if name == "epoch" and (values > _JULIAN).any():
            values = Time(values, format="jd").decimalyear
        table[name] = values
        table[name].unit = _UNITS[name]
    return table


def write_catalog(table: Table, path: Path) -> None:
    """Write a table in the format of its suffix.

    Raises
    ------
    AlignmentError
        If the suffix is none of `FORMATS`, or the file cannot be written.
    """
    try:
        table.write(path, format=check_format(path), overwrite=True)
    except OSError as error:
        raise AlignmentError(f"{path}: cannot be written ({error})", "choose another file") from error


def _read(path: Path) -> Table:
    try:
        return Table.read(path, format=check_format(path))
    except FileNotFoundError as error:
        raise AlignmentError(f"{path}: no such file", "check the name of the catalogue") from error
    except (OSError, ValueError, IndexError, TypeError, KeyError) as error:
        cause = str(error).strip().splitlines() or [type(error).__name__]
        raise AlignmentError(f"{path}: cannot be read ({cause[0]})", f"it is read as {check_format(path)}") from error


def check_format(path: Path) -> str:
    """Return what astropy calls the format of a file.

    Raises
    ------
    AlignmentError
        If its suffix is none of `FORMATS`.
    """
    suffix = path.suffix.lower()
    if suffix not in FORMATS:
        raise AlignmentError(f"{path}: unknown kind of catalogue", f"its name must end in {', '.join(FORMATS)}")
    return FORMATS[suffix]


def _names(table: Table, path: Path) -> dict[str, str]:
    """Return what the columns are called in a table, by our names for them."""
    names: dict[str, str] = {}
    for name in table.colnames:
        known = name.lower().removeprefix("\ufeff")  # spreadsheets begin a file with it
        if known in names and known in _UNITS:
            raise AlignmentError(f"{path}: has two columns {known} ({names[known]}, {name})", "leave one of them out")
        names[known] = name
    for theirs, ours in _SYNONYMS.items():
        if theirs in names:
            names.setdefault(ours, names[theirs])
    return names


def _check_epochs(columns: dict[str, np.ndarray], path: Path) -> None:
    epochs = columns.get("epoch", np.empty(0))
    epochs = epochs[np.isfinite(epochs)]
    wrong = epochs[(epochs < _YEARS[0]) | (epochs > _YEARS[1])]
    if wrong.size:
        raise AlignmentError(
            f"{path}: its epoch {wrong[0]:.10g} is not a year", "write it as a decimal year, such as 2016.0"
        )
    if not epochs.size and any(np.isfinite(columns.get(key, np.nan)).any() for key in ("pmra", "pmdec")):
        raise AlignmentError(f"{path}: has proper motions, but no epoch", "add a column epoch in decimal years")


def _year(epoch: object, path: Path) -> float:
    """Return an epoch such as 2016, ``2016.0``, ``J2016.0`` or a date as decimal years."""
    with suppress(ValueError, TypeError):
        return float(str(epoch))
    try:
        return float(Time(epoch).decimalyear)
    except (ValueError, TypeError) as error:
        raise AlignmentError(
            f"{path}: its epoch {epoch!r} is not understood", "write it as a decimal year, such as 2016.0"
        ) from error


def _values(table: Table, name: str, unit: u.UnitBase | None, path: Path) -> np.ndarray:
    column = table[name]
    try:
        values = np.ma.filled(np.ma.asarray(column).astype(float), np.nan)
        if values.ndim != 1:
            raise ValueError(f"{values.shape[1]} numbers a row")
        if unit is None or column.unit is None:
            return np.asarray(values)
        return np.asarray((values * column.unit).to_value(unit))
    except (TypeError, ValueError, u.UnitConversionError) as error:
        raise AlignmentError(f"{path}: column {name} is not usable ({error})", _COLUMNS) from error


def _errors(columns: dict[str, np.ndarray], key: str, count: int) -> np.ndarray:
    values = columns.get(key, np.full(count, np.nan))
    known = np.isfinite(values) & (values > 0)
    return np.where(known, values, values[known].max(initial=0.0))


def _number(text: str | None) -> float:
    try:
        return float(text or "nan")
    except ValueError:
        return float("nan")
