"""Steps of the background between overlapping exposures of a mosaic."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
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
_CELL, _SQUARE = 3.0, 4
"""Side of the cells of the sky in which exposures are compared, arcsec, and cells along the side of a square."""
_CLIP = 3.0
"""Standard deviations beyond which the difference in a cell counts as this many."""
_FEWEST = 4
"""Cells that an exposure must share with others, also in a square: samples of WFC3/IR are 4 arcsec long, so that some
cells have none."""
LISTED = 20
"""Pairs of exposures that are recorded, those with the largest steps."""
_MAD_TO_SIGMA = 1.4826
_OFFSET = 1 << 31
"""Makes rows of cells below a mosaic positive."""


@dataclass(frozen=True)
class PairStep:
    """Backgrounds of two overlapping exposures against each other."""

    first: str
    second: str
    """File names."""
    step: float
    """Median background of the first less that of the second, electrons per second and pixel of the detector."""
    residual: float
    """Robust standard deviation of the differences in cells of 3 arcsec, without the step."""
    largest: float
    """Size of the largest step in a square of 12 arcsec."""


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
    pairs: tuple[PairStep, ...] = ()
    """Pairs of overlapping exposures, those with the largest steps in a square first; at most 20 in files, none in
    those of older versions."""
    noise: float | None = None
    """Noise of the sky in a pixel of the mosaic, in the units of the step; None where it was not measured."""

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> Seams:
        """Return the seams that `dataclasses.asdict` converted."""
        return cls(
            step=float(raw["step"]),
            exposure=str(raw["exposure"]),
            residual=float(raw["residual"]),
            exposures=int(raw["exposures"]),
            pairs=tuple(PairStep(**pair) for pair in raw.get("pairs", ())),
            noise=raw.get("noise"),
        )


@dataclass(frozen=True, eq=False)
class LocalSteps:
    """The largest step in each square of 12 arcsec of a mosaic."""

    mosaic: WCS
    squares: NDArray[np.int64]
    """Numbers of squares, ascending."""
    sizes: Floats
    """Size of the largest step of any pair of exposures in each, electrons per second and pixel of the detector."""

    def at(self, sky: Floats) -> Floats:
        """Return the step at places on the sky (degrees, shape (n, 2)); NaN where no exposures overlap."""
        squares = _squares(_cells(sky, self.mosaic))
        index = np.minimum(np.searchsorted(self.squares, squares), len(self.squares) - 1)
        return np.where(self.squares[index] == squares, self.sizes[index], np.nan)


def measure_seams(
    exposures: Sequence[Exposure], subtracted: Mapping[tuple[str, int], float], mosaic: WCS
) -> tuple[Seams, LocalSteps] | None:
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
    tuple of Seams and LocalSteps, or None
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
    pairs, squares, sizes = _pair_steps({name: sampled[name] for name in names})
    found = Seams(
        step=steps[worst],
        exposure=names[worst],
        residual=_MAD_TO_SIGMA * float(np.median(np.abs(np.concatenate(residuals)))),
        exposures=len(steps),
        pairs=pairs,
    )
    return found, LocalSteps(mosaic, squares, sizes)


def noise_per_detector_pixel(noise: float, scale: float, exposure: Exposure) -> float | None:
    """Convert the noise of a mosaic to the units of steps.

    Parameters
    ----------
    noise : float
        Standard deviation of a pixel of the mosaic, electrons per second; may be NaN.
    scale : float
        Size of a pixel of the mosaic, arcsec.
    exposure : Exposure
        One of its exposures.

    Returns
    -------
    float or None
        Electrons per second and pixel of the detector; None if the noise is unknown or the exposure cannot be read.
    """
    from astropy.io import fits  # not needed to find that nothing is to be done

    try:
        header = fits.getheader(exposure.path, ("SCI", 1))
        area = abs(header["CD1_1"] * header["CD2_2"] - header["CD1_2"] * header["CD2_1"]) * 3600**2
    except (OSError, KeyError):  # moved or changed since
        return None
    converted = noise * area / scale**2
    return float(converted) if np.isfinite(converted) else None


def _pair_steps(
    sampled: Mapping[str, tuple[NDArray[np.int64], Floats]],
) -> tuple[tuple[PairStep, ...], NDArray[np.int64], Floats]:
    """Return all pairs that share enough cells, the largest step first; squares, and the largest step in each."""
    pairs, squares, sizes = [], [np.empty(0, np.int64)], [np.empty(0)]
    for (first, (cells, levels)), (second, (other_cells, other_levels)) in combinations(sampled.items(), 2):
        shared, own, other = np.intersect1d(cells, other_cells, assume_unique=True, return_indices=True)
        if len(shared) < _FEWEST:
            continue
        differences = levels[own] - other_levels[other]
        step = float(np.median(differences))
        residual = _MAD_TO_SIGMA * float(np.median(np.abs(differences - step)))
        around, places = np.unique(_squares(shared), return_inverse=True)
        counts = np.bincount(places)
        clipped = np.clip(differences, step - _CLIP * residual, step + _CLIP * residual)
        means = np.abs(np.bincount(places, clipped) / counts)
        full = counts >= _FEWEST
        squares.append(around[full])
        sizes.append(means[full])
        pairs.append(PairStep(first, second, step, residual, float(max(means[full], default=abs(step)))))
    numbers, places = np.unique(np.concatenate(squares), return_inverse=True)
    largest = np.zeros(len(numbers))
    np.maximum.at(largest, places, np.concatenate(sizes))
    return tuple(sorted(pairs, key=lambda pair: -pair.largest)), numbers, largest


def _cells(sky: Floats, mosaic: WCS) -> NDArray[np.int64]:
    """Return the numbers of the cells of a mosaic that contain places on the sky (degrees, shape (n, 2))."""
    scale = np.sqrt(abs(np.linalg.det(mosaic.pixel_scale_matrix))) * 3600
    return _numbers(*np.floor(mosaic.wcs_world2pix(sky, 0) * scale / _CELL).astype(np.int64).T)


def _squares(cells: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the numbers of the squares in which cells lie."""
    return _numbers((cells >> 32) // _SQUARE, ((cells & 0xFFFFFFFF) - _OFFSET) // _SQUARE)


def _numbers(x: NDArray[np.int64], y: NDArray[np.int64]) -> NDArray[np.int64]:
    return (x << 32) + y + _OFFSET


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
    positions, values = np.concatenate(places), np.concatenate(levels)
    if not len(positions):
        return np.empty(0, np.int64), np.empty(0)
    cells, inverse = np.unique(_cells(positions, mosaic), return_inverse=True)
    return cells, group_medians(values, inverse)


def group_medians(values: Floats, groups: NDArray[np.intp]) -> Floats:
    """Return the median of each group of values, shape (m,); groups are numbered from 0, none is empty."""
    values = values[np.lexsort((values, groups))]
    counts = np.bincount(groups)
    first = np.cumsum(counts) - counts
    return np.asarray((values[first + (counts - 1) // 2] + values[first + counts // 2]) / 2)


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
