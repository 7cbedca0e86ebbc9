"""Memory, time and disk space of tasks, estimated from headers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from hstmosaic.plan.pixel_bytes import DOCUMENTED_BYTES

if TYPE_CHECKING:
    from hstmosaic.plan.exposures import Exposure
    from hstmosaic.plan.limits import Grid
    from hstmosaic.plan.pixel_bytes import PixelBytes
    from hstmosaic.plan.tiles import Tile

_MB = 1_000_000
MODEL = 2
"""Number of this model; measurements against another model correct nothing."""
LEAST_MEMORY_MB = 300
"""Idle Python with drizzlepac, with a margin; no estimate is below it."""


@dataclass(frozen=True)
class Estimate:
    """Resources of one task on one core."""

    memory_mb: int
    """Peak resident memory of the task's processes, 10^6 bytes."""
    seconds: float
    """Wall time."""
    disk_mb: int
    """Space for working copies and products, 10^6 bytes."""
    group: str = ""
    """Similar tasks, whose measurements correct one another, e.g. ``drizzle wfc3_uvis``."""
    memory_factor: float = 1.0
    """Factor by which measurements of earlier runs changed the memory."""
    time_factor: float = 1.0
    """The same for the time."""


@dataclass(frozen=True)
class Factors:
    """Resources that earlier tasks of a group took, as multiples of the model's estimates."""

    memory: float
    time: float
    """CPU time."""
    tasks: int
    """Number of tasks."""


@dataclass(frozen=True)
class Learned:
    """Corrections of the model by measurements of earlier runs."""

    runs: int = 0
    factors: Mapping[str, Factors] = field(default_factory=dict)
    """By group."""
    pace: float = 1.0
    """Wall time per CPU time; more than 1 on shared machines or slow disks."""

    @property
    def tasks(self) -> int:
        """Number of measured tasks."""
        return sum(factors.tasks for factors in self.factors.values())

    @property
    def machine(self) -> float:
        """Typical CPU time of a task of any kind, as a multiple of the model's estimate."""
        logarithms = sum(factors.tasks * math.log(factors.time) for factors in self.factors.values())
        return math.exp(logarithms / self.tasks) if self.tasks else 1.0

    def correct(self, estimate: Estimate) -> Estimate:
        """Return an estimate corrected by measurements of its group."""
        factors = self.factors.get(estimate.group, Factors(1.0, 1.0, 0))
        memory = estimate.memory_mb
        if factors.memory != 1:
            memory = max(round(factors.memory * memory), LEAST_MEMORY_MB)
        time = factors.time * self.pace
        return replace(
            estimate,
            memory_mb=memory,
            memory_factor=memory / estimate.memory_mb,
            seconds=round(time * estimate.seconds, 2),
            time_factor=time,
        )


NOTHING_LEARNED = Learned()


@dataclass(frozen=True)
class Sizes:
    """Sizes from which the model estimates a task, in 10^6 pixels."""

    exposures: int
    chip: float
    """Of the largest chip."""
    exposure: float
    """Of the largest exposure, all chips."""
    detector: float
    """Of all exposures."""
    largest: float = 0.0
    """Of the largest product."""
    output: float = 0.0
    """Of all products."""
    largest_touched: float = 0.0
    """Of the part of the largest product that exposures touch."""
    touched: float = 0.0
    """Of the same part of all products."""
    passes: int = 0
    """Every exposure is drizzled into every product."""
    drawn: float = 0.0
    """Of all exposures, each as often as there are products."""
    constant: float = 1.0


Linear = Mapping[str, float]
"""Coefficient of each of the `Sizes`."""
MEMORY_MB: Mapping[str, Sequence[Linear]] = {
    "screen": [{"constant": 255, "chip": 48}],
    "sources": [{"constant": 285, "exposure": 70}],
    "align": [{"constant": 265, "exposure": 12, "exposures": 1}],
    "drizzle": [
        {"constant": 310, "largest_touched": 31.5, "exposure": 5},
        {"constant": 300, "detector": 12.4, "exposure": 11},
    ],
    "prepare": [{"constant": 300, "detector": 12.4, "exposure": 11}],
    "box": [{"constant": 300, "chip": 20, "largest_touched": 12}],
    "assemble": [{"constant": 330}],
}
"""Memory of a kind of task at each of its peaks; ``tests/calibrate.py`` compares it with measurements.

Drizzling has two peaks: the footprint and S_REGION of a product, and the sky, for which all exposures are held at once.
"""
SECONDS: Mapping[str, Linear] = {
    "screen": {"constant": 0.06, "chip": 0.07, "exposure": 0.043},
    "sources": {"constant": 0.22, "exposure": 0.66},
    "align": {"constant": 0.1, "exposures": 0.16, "detector": 0.05},
    "drizzle": {"constant": 0.1, "output": 0.03, "touched": 0.01, "drawn": 0.2, "passes": 0.4},
    "prepare": {"constant": 0.3, "drawn": 0.1, "passes": 0.32},
    "box": {"constant": 0.1, "touched": 0.02, "drawn": 0.08},
    "assemble": {"constant": 0.3, "output": 0.05},
}
"""Time of a kind of task on one core."""
_UNEVEN, _TWICE = 1.5, 1.1
"""Size of the largest box relative to the mean one, and rows of chips that boxes drizzle in relation to all rows."""
_MASK_BYTES = 0.3
"""Files of the coverage of boxes, bytes of a pixel."""
_LARGEST_CHIP, _LEAST_BOX = 8.5, 256 * 256
"""Largest chip, 10^6 pixels, and smallest box, pixels."""
PICTURES: Linear = {"constant": 0.6, "output": 0.01}
"""Time for the pictures at the end of a run, with the measurement of registration."""
PICTURES_OF_PRODUCT, PICTURES_ALONE = 0.4, 1.0
"""The same for each product, and for a process that draws them all after the last task."""


def sizes_of(exposures: Sequence[Exposure], grids: Sequence[Grid] = (), touched: float = 1.0) -> Sizes:
    """Return the sizes of a task on exposures, which have their chips, and of its products' grids.

    Parameters
    ----------
    exposures : sequence of Exposure
        The exposures.
    grids : sequence of Grid
        Grids of the products.
    touched : float
        Share of the products that exposures touch.
    """
    chips = [[chip.shape[0] * chip.shape[1] / 1e6 for chip in exposure.chips] for exposure in exposures]
    products = [grid.shape[0] * grid.shape[1] / 1e6 for grid in grids]
    return Sizes(
        exposures=len(exposures),
        chip=max((size for sizes in chips for size in sizes), default=0.0),
        exposure=max(map(sum, chips), default=0.0),
        detector=sum(map(sum, chips)),
        largest=max(products, default=0.0),
        output=sum(products),
        largest_touched=touched * max(products, default=0.0),
        touched=touched * sum(products),
        passes=len(grids) * len(exposures),
        drawn=len(grids) * sum(map(sum, chips)),
    )


def model(kind: str, sizes: Sizes) -> tuple[int, float]:
    """Return memory (10^6 bytes) and time (s) of a task by the model.

    Parameters
    ----------
    kind : {'screen', 'sources', 'align', 'drizzle', 'prepare', 'box', 'assemble'}
        Kind of task.
    sizes : Sizes
        Sizes of its input and output.
    """
    return round(max(_sum(peak, sizes) for peak in MEMORY_MB[kind])), round(_sum(SECONDS[kind], sizes), 2)


def _sum(linear: Linear, sizes: Sizes) -> float:
    return float(sum(factor * getattr(sizes, name) for name, factor in linear.items()))


def estimate_pictures(grids: Sequence[Grid], *, alone: bool = True) -> float:
    """Estimate the time for the pictures of some products of a run, seconds.

    Parameters
    ----------
    grids : sequence of Grid
        The grids of the products.
    alone : bool
        Whether a process starts for them, instead of one that has drawn others before.
    """
    seconds = _sum(PICTURES, sizes_of([], grids)) + PICTURES_OF_PRODUCT * len(grids)
    return round(seconds + alone * PICTURES_ALONE, 2)


def estimate_screen(exposure: Exposure, learned: Learned = NOTHING_LEARNED) -> Estimate:
    """Estimate the screening of one exposure, which has its chips."""
    return _estimate("screen", sizes_of([exposure]), 1, [exposure], learned)


def estimate_sources(exposure: Exposure, learned: Learned = NOTHING_LEARNED) -> Estimate:
    """Estimate the search for sources in one exposure, which has its chips."""
    return _estimate("sources", sizes_of([exposure]), 1, [exposure], learned)


def estimate_fit(exposures: Sequence[Exposure], learned: Learned = NOTHING_LEARNED) -> Estimate:
    """Estimate the joint fit of exposures, which have their chips."""
    copies = sum(exposure.size for exposure in exposures) // _MB + 1
    return _estimate("align", sizes_of(exposures), copies, [], learned)


def estimate_drizzle(
    exposures: Sequence[Exposure],
    grids: Sequence[Grid],
    learned: Learned = NOTHING_LEARNED,
    tiles: Sequence[Tile] = (),
    pixel: PixelBytes = DOCUMENTED_BYTES,
    touched: float = 1.0,
) -> Estimate:
    """Estimate the drizzling of one layer.

    Parameters
    ----------
    exposures : sequence of Exposure
        The exposures of the layer, with their chips.
    grids : sequence of Grid
        The grids of its products.
    learned : Learned
        Corrections by earlier runs.
    tiles : sequence of Tile
        Tiles that are cut out of its products.
    pixel : PixelBytes
        Space of their pixels.
    touched : float
        Share of the products that exposures touch.

    Returns
    -------
    Estimate
        Memory depends on the touched pixels of the largest product or, for many exposures, on theirs; time on both.
    """
    sizes = sizes_of(exposures, grids, touched)
    copies = sum(exposure.size for exposure in exposures) / _MB
    return _estimate("drizzle", sizes, round(copies + _products_mb(sizes, tiles, pixel)) + 1, exposures, learned)


def _products_mb(sizes: Sizes, tiles: Sequence[Tile], pixel: PixelBytes) -> float:
    """Return the space that mosaics and tiles take while they are made, 10^6 bytes."""
    cut = sum(tile.width * tile.height for tile in tiles) / 1e6
    if pixel.compressed and not pixel.plain_first:
        return pixel.total * (sizes.touched + cut)
    return pixel.total * (sizes.output + cut + (sizes.largest if pixel.compressed else 0.0))


def box_pixels(memory_mb: float) -> int:
    """Return the number of pixels of the largest box that can be drizzled in some memory, 10^6 bytes."""
    peak = MEMORY_MB["box"][0]
    left = memory_mb - peak["constant"] - peak["chip"] * _LARGEST_CHIP
    return max(_LEAST_BOX, int(left / peak["largest_touched"] * 1e6))


def box_sizes(sizes: Sizes, boxes: int) -> Sizes:
    """Return the sizes of one of the boxes of a layer."""
    return replace(
        sizes,
        largest_touched=_UNEVEN * sizes.largest_touched / boxes,
        touched=sizes.touched / boxes,
        drawn=_TWICE * sizes.drawn / boxes,
    )


def box_seconds(exposures: Sequence[Exposure], grids: Sequence[Grid], touched: float = 1.0) -> float:
    """Return the time of all boxes of a layer by the model, seconds."""
    return model("box", sizes_of(exposures, grids, touched))[1]


def estimate_boxes(
    exposures: Sequence[Exposure],
    grids: Sequence[Grid],
    boxes: int,
    learned: Learned = NOTHING_LEARNED,
    tiles: Sequence[Tile] = (),
    pixel: PixelBytes = DOCUMENTED_BYTES,
    touched: float = 1.0,
) -> tuple[Estimate, Estimate, Estimate]:
    """Estimate the tasks of a layer that is divided: to prepare it, to drizzle each box, to assemble its mosaics.

    Parameters
    ----------
    exposures : sequence of Exposure
        The exposures of the layer, with their chips.
    grids : sequence of Grid
        The grids of its products.
    boxes : int
        How many boxes.
    learned : Learned
        Corrections by earlier runs.
    tiles : sequence of Tile
        Tiles that are cut out of its products.
    pixel : PixelBytes
        Space of their pixels.
    touched : float
        Share of the products that exposures touch.
    """
    sizes = sizes_of(exposures, grids, touched)
    part = box_sizes(sizes, boxes)
    copies = sum(exposure.size for exposure in exposures) / _MB
    masks = sizes.drawn / 8
    return (
        _estimate("prepare", sizes, round(copies + masks) + 1, exposures, learned),
        _estimate("box", part, round((pixel.drizzled + _MASK_BYTES) * part.touched) + 1, exposures, learned),
        _estimate("assemble", sizes, round(_products_mb(sizes, tiles, pixel)) + 1, exposures, learned),
    )


def _estimate(kind: str, sizes: Sizes, disk_mb: int, exposures: Sequence[Exposure], learned: Learned) -> Estimate:
    memory, seconds = model(kind, sizes)
    cameras = {f" {exposure.instrument}_{exposure.detector}" for exposure in exposures}
    return learned.correct(Estimate(memory, seconds, disk_mb, group=kind + "".join(sorted(cameras))))
