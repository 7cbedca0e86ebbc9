"""Steps of the background between overlapping exposures of a mosaic."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from hstmosaic.products.sky_levels import chips_with_skies

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from astropy.io import fits
    from astropy.wcs import WCS
    from numpy.typing import NDArray

    from hstmosaic.plan.exposures import Exposure

    Floats = NDArray[np.float64]

_ROWS = 48
"""Number of rows of each chip that are read."""
_SEGMENT, _SEGMENTS = (8, 32), 16
"""Fewest and most pixels of a row behind a sample of the background, and smallest number of samples in a row."""
_CELL = 3.0
"""Side of the cells of the sky in which exposures are compared, arcsec."""
_FEWEST = 4
"""Cells that an exposure must share with others."""
_MAD_TO_SIGMA = 1.4826


@dataclass(frozen=True)
class Seams:
    """Backgrounds of the exposures of a mosaic against each other, after AstroDrizzle's subtraction."""

    step: float
    """Largest difference of an exposure from the mean of those that it overlaps, electrons per second and pixel of the
    detector."""
    exposure: str
    """The exposure with this step."""
    residual: float
    """Robust standard deviation of the differences in cells of 3 arcsec, without the steps."""
    exposures: int
    """Exposures that overlap others."""

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> Seams:
        """Return the seams that `dataclasses.asdict` converted."""
        return cls(float(raw["step"]), str(raw["exposure"]), float(raw["residual"]), int(raw["exposures"]))


def measure_seams(
    exposures: Sequence[Exposure], subtracted: Mapping[tuple[str, int], float], mosaic: WCS
) -> Seams | None:
    """Compare the backgrounds of overlapping exposures.

    Parameters
    ----------
    exposures : sequence of Exposure
        The exposures of a mosaic.
    subtracted : mapping of tuple to float
        Sky that AstroDrizzle subtracted, in the units of the exposure, by root name and extension version.
    mosaic : astropy.wcs.WCS
        WCS of the mosaic.

    Returns
    -------
    Seams or None
        None if no two exposures share enough of the sky.
    """
    sampled = {exposure.name: _samples(exposure, subtracted, mosaic) for exposure in exposures}
    names = [name for name, (cells, _) in sampled.items() if len(cells)]
    if len(names) < 2:
        return None
    cells, places = np.unique(np.concatenate([sampled[name][0] for name in names]), return_inverse=True)
    levels = np.concatenate([sampled[name][1] for name in names])
    owners = np.repeat(np.arange(len(names)), [len(sampled[name][0]) for name in names])
    totals, counts = (np.bincount(places, weights, len(cells)) for weights in (levels, np.ones(len(levels))))
    shared = counts[places] > 1
    others = (totals[places] - levels)[shared] / (counts[places][shared] - 1)
    differences, owners = levels[shared] - others, owners[shared]
    steps: dict[int, float] = {}
    residuals = []
    for owner in np.unique(owners):
        own = differences[owners == owner]
        if len(own) >= _FEWEST:
            steps[int(owner)] = float(np.median(own))
            residuals.append(own - steps[int(owner)])
    if not steps:
        return None
    worst = max(steps, key=lambda owner: abs(steps[owner]))
    residual = _MAD_TO_SIGMA * float(np.median(np.abs(np.concatenate(residuals))))
    return Seams(steps[worst], names[worst], residual, len(steps))


def _samples(
    exposure: Exposure, subtracted: Mapping[tuple[str, int], float], mosaic: WCS
) -> tuple[NDArray[np.int64], Floats]:
    """Return cells of the sky and the median background of an exposure in each."""
    from astropy.io import fits  # not needed to find that nothing is to be done
    from astropy.wcs import WCS

    places, levels = [np.empty((0, 2))], [np.empty(0)]
    try:
        with fits.open(exposure.path, memmap=False, lazy_load_hdus=True) as hdus:
            for chip, sky, seconds in chips_with_skies(hdus, exposure, subtracted):
                pixels, values = _segments(chip)
                places.append(np.column_stack(WCS(chip.header, hdus).all_pix2world(*pixels.T, 0)))
                levels.append((values - sky) / seconds)
    except (OSError, KeyError, ValueError):  # moved or changed since
        return np.empty(0, np.int64), np.empty(0)
    scale = np.sqrt(abs(np.linalg.det(mosaic.pixel_scale_matrix))) * 3600
    positions, values = np.concatenate(places), np.concatenate(levels)
    if not len(positions):
        return np.empty(0, np.int64), np.empty(0)
    x, y = np.floor(mosaic.wcs_world2pix(positions, 0) * scale / _CELL).astype(np.int64).T
    cells, inverse = np.unique((x << 32) + y, return_inverse=True)
    return cells, np.array([np.median(values[inverse == k]) for k in range(len(cells))])


def _segments(chip: fits.ImageHDU) -> tuple[Floats, Floats]:
    """Return the middles (x, y) and medians of pieces of some rows of a chip, without those that are not finite."""
    height, width = int(chip.header["NAXIS2"]), int(chip.header["NAXIS1"])
    length = int(np.clip(width // _SEGMENTS, *_SEGMENT))
    step, count = max(1, height // _ROWS), width // length
    rows = np.arange(step // 2, height, step)
    if not count:
        return np.empty((0, 2)), np.empty(0)
    pieces = np.stack([np.ravel(chip.section[row])[: count * length] for row in rows]).astype(float)
    medians = np.median(pieces.reshape(len(rows), count, length), axis=2)
    y, x = np.meshgrid(rows, (np.arange(count) + 0.5) * length - 0.5, indexing="ij")
    good = np.isfinite(medians)
    return np.column_stack([x[good], y[good]]).astype(float), medians[good]
