"""Sky of exposures before and after drizzlepac subtracted what it found."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from astropy.io import fits

    from hstmosaic.plan.exposures import Exposure

_TYPES = {"A": "S", "L": "i1", "B": "u1", "I": ">i2", "J": ">i4", "K": ">i8", "E": ">f4", "D": ">f8"}
"""Types of numpy by the codes of columns."""
_TYPE = re.compile(rf"([1-9][0-9]*|)([{''.join(_TYPES)}])")
_CONVERTED = ("TSCAL", "TZERO", "TNULL", "TDIM")
"""Keywords of columns whose values are not those in the file."""
_ROWS = 32
"""Number of rows of each chip that are read."""


@dataclass(frozen=True)
class SkyLevel:
    """Sky of an exposure, electrons per second and pixel, mean over its chips."""

    before: float
    """Median of its pixels."""
    after: float
    """The same less what AstroDrizzle subtracted."""

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> SkyLevel:
        """Return the level that `dataclasses.asdict` converted."""
        return cls(float(raw["before"]), float(raw["after"]))


def subtracted_skies(mosaic: Path) -> dict[tuple[str, int], float]:
    """Read what AstroDrizzle subtracted from each chip, in the units of the exposure, by root name and ``EXTVER``.

    Parameters
    ----------
    mosaic : pathlib.Path
        The mosaic; its table of exposures has ``MDRIZSKY``.
    """
    from astropy.io import fits  # not needed to find that nothing is to be done

    with fits.open(mosaic, memmap=False, lazy_load_hdus=True) as hdus:
        columns = read_columns(hdus["HDRTAB"], ("ROOTNAME", "EXTVER", "MDRIZSKY")) if "HDRTAB" in hdus else None
    if columns is None:
        return {}
    roots, versions, skies = (column.tolist() for column in columns)
    rows = zip(roots, versions, skies, strict=True)
    return {(str(root).strip().lower(), int(extver)): float(sky) for root, extver, sky in rows}


def read_columns(table: fits.BinTableHDU, names: Sequence[str]) -> list[np.ndarray] | None:
    """Read some columns of a table, without astropy's objects for each of the hundreds that drizzlepac writes.

    Parameters
    ----------
    table : astropy.io.fits.BinTableHDU
        A table of a file that is open.
    names : sequence of str
        Names of columns with texts or numbers.

    Returns
    -------
    list of numpy.ndarray or None
        The columns, shape (n,) each; None if one is missing.
    """
    header = table.header
    numbers = {header.get(f"TTYPE{number}"): str(number) for number in range(1, header["TFIELDS"] + 1)}
    if not numbers.keys() >= set(names):
        return None
    types = {number: _TYPE.fullmatch(header[f"TFORM{number}"].strip()) for number in numbers.values()}
    fields = [(number, _numpy_type(found[1], found[2])) for number, found in types.items() if found]
    rows = np.dtype(fields)
    converted = any(f"{keyword}{numbers[name]}" in header for keyword in _CONVERTED for name in names)
    if converted or len(fields) < header["TFIELDS"] or rows.itemsize != header["NAXIS1"]:
        return [np.asarray(table.data[name]) for name in names]
    place = table.fileinfo()
    place["file"].seek(place["datLoc"])
    read = np.frombuffer(place["file"].read(header["NAXIS1"] * header["NAXIS2"]), rows)
    columns = [read[numbers[name]] for name in names]
    return [np.char.decode(column, "ascii") if column.dtype.kind == "S" else column for column in columns]


def _numpy_type(repeat: str, code: str) -> str:
    return f"S{repeat or 1}" if code == "A" else f"{repeat}{_TYPES[code]}"


def sky_levels(subtracted: Mapping[tuple[str, int], float], exposures: Iterable[Exposure]) -> dict[str, SkyLevel]:
    """Measure the skies of the exposures of a mosaic.

    Parameters
    ----------
    subtracted : mapping of tuple to float
        What AstroDrizzle subtracted, as `subtracted_skies` returns it.
    exposures : iterable of Exposure
        The exposures in the mosaic.

    Returns
    -------
    dict of str to SkyLevel
        By file name; without exposures that are missing or not in the table.
    """
    found = {}
    for exposure in exposures:
        level = _level(exposure, subtracted)
        if level is not None:
            found[exposure.name] = level
    return found


def chips_with_skies(
    hdus: fits.HDUList, exposure: Exposure, subtracted: Mapping[tuple[str, int], float]
) -> Iterator[tuple[fits.ImageHDU, float, float]]:
    """Yield the chips of an exposure that are in a mosaic.

    Parameters
    ----------
    hdus : astropy.io.fits.HDUList
        The open exposure.
    exposure : Exposure
        The exposure.
    subtracted : mapping of tuple to float
        What AstroDrizzle subtracted, as `subtracted_skies` returns it.

    Yields
    ------
    tuple
        Science extension, what was subtracted from it in its units, and seconds by which its pixels divide to be rates.

    Raises
    ------
    KeyError
        If the exposure lacks a chip.
    """
    for (name, extver), sky in subtracted.items():
        if name == exposure.rootname:
            chip = hdus["SCI", extver]
            total = "/S" not in str(chip.header.get("BUNIT", "")).upper()
            yield chip, sky, exposure.exptime if total else 1.0


def _level(exposure: Exposure, subtracted: Mapping[tuple[str, int], float]) -> SkyLevel | None:
    from astropy.io import fits

    before, after = [], []
    try:
        with fits.open(exposure.path, memmap=False, lazy_load_hdus=True) as hdus:
            for chip, sky, seconds in chips_with_skies(hdus, exposure, subtracted):
                median = _median(chip)
                before.append(median / seconds)
                after.append((median - sky) / seconds)
    except (OSError, KeyError):  # moved or changed since
        return None
    if not before or not np.isfinite(before).all():
        return None
    return SkyLevel(float(np.mean(before)), float(np.mean(after)))


def _median(chip: fits.ImageHDU) -> float:
    height = int(chip.header["NAXIS2"])
    step = max(1, height // _ROWS)
    rows = np.concatenate([np.ravel(chip.section[row]) for row in range(step // 2, height, step)])
    finite = rows[np.isfinite(rows)]
    return float(np.median(finite)) if finite.size else float("nan")
