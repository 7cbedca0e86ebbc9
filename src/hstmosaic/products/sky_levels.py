"""Sky of exposures before and after drizzlepac subtracted what it found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from astropy.io import fits

    from hstmosaic.plan.exposures import Exposure

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
        table = hdus["HDRTAB"].data if "HDRTAB" in hdus else None
        if table is None or not {"ROOTNAME", "EXTVER", "MDRIZSKY"} <= set(table.names):
            return {}
        names = [str(name).strip().lower() for name in table["ROOTNAME"]]
        rows = zip(names, table["EXTVER"].tolist(), table["MDRIZSKY"].tolist(), strict=True)
        return {(name, int(extver)): float(sky) for name, extver, sky in rows}


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
