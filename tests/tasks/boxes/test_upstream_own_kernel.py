"""The kernel of this package gives the bits of drizzlepac's, whatever the chips and the boxes."""

import os
from dataclasses import dataclass

import numpy as np
import pytest
from astropy.wcs import WCS
from drizzlepac import cdriz
from hypothesis import example, given, settings
from hypothesis import strategies as st

from helpers.bent_planes import SCALE, plane
from hstmosaic.store.drizzle_kernel import is_compiled
from hstmosaic.tasks.boxes import geometry, own_kernel
from hstmosaic.tasks.boxes.records import Box, ChipRecord

pytestmark = pytest.mark.upstream

PLANES = 2


def needs_kernel():
    if not is_compiled():
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)("the kernel is not compiled")


@dataclass
class Chip:
    record: ChipRecord
    wcs: WCS
    pixels: np.ndarray
    weights: np.ndarray


def make_chip(rng, shape, number, pixfrac, scale, odd, units):
    """Make a chip somewhere on the mosaic or next to it; some of its values are odd ones if asked for."""
    size = tuple(int(length) for length in rng.integers(2, 90, 2))
    crpix = rng.uniform(-0.7, 0.7, 2) * shape[::-1] / scale + np.array(size[::-1]) / 2
    bend, turn = rng.uniform(-1e-4, 1e-4, 6), rng.choice([0.0, np.pi / 2, rng.uniform(0, 2 * np.pi)])
    wcs = plane(size, crpix, turn, SCALE * scale, bend if rng.random() < 0.8 else None, rng.random() < 0.5)
    pixels = rng.normal(3, 4, size).astype(np.float32)
    weights = np.where(rng.random(size) < 0.8, rng.uniform(0, 200, size), 0).astype(np.float32)
    if odd:
        values = np.array([np.nan, np.inf, -np.inf, 0, -0.0, 1e-44, 3e38, -3e38], np.float32)
        for array in pixels, weights:
            chosen = rng.random(size) < 0.04
            array[chosen] = rng.choice(values, np.count_nonzero(chosen))
    step = float(rng.choice([10, 10, 1, 7, 200]))
    record = ChipRecord(
        name="", shape=size, pixels="", weight=None, mask="", geometry="", extver=1, nodes="", pixel_ratio=1 / scale,
        number=number, exposure_time=350.3, units=units, weight_scale=float(rng.uniform(0.5, 2)), pixfrac=pixfrac,
        kernel="square", step=step,
    )  # fmt: skip
    return Chip(record, wcs, pixels, weights)


def drizzle_at_once(chips, grid, arrays):
    science, total, context = arrays
    for chip in chips:
        one = chip.record
        mapping = geometry.make_mapping(chip.wcs, grid, one.shape, one.step)
        cdriz.tdriz(
            chip.pixels.copy(), chip.weights, science, total, context[(one.number - 1) // 32], one.number, 0, 1, 1,
            one.shape[0], one.pixel_ratio, 1.0, 1.0, "center", one.pixfrac, "square", one.units, one.exposure_time,
            one.weight_scale, "INDEF", 0, 0, 1, mapping,
        )  # fmt: skip


def bits(array):
    return np.ascontiguousarray(array).view(np.uint32)


@given(
    seed=st.integers(0, 10**6),
    shape=st.tuples(st.integers(1, 150), st.integers(1, 150)),
    cut=st.tuples(st.floats(0, 1), st.floats(0, 1)),
    pixfracs=st.lists(st.one_of(st.just(1.0), st.floats(0.1, 1)), min_size=1, max_size=4),
    scale=st.floats(0.2, 5),
    odd=st.booleans(),
    context=st.booleans(),
    units=st.sampled_from(["cps", "counts"]),
    instructions=st.sampled_from(["auto", "plain"]),
)
@settings(max_examples=100, deadline=None)
@example(1, (150, 150), (0.5, 0.5), [1.0, 0.6], 1.0, True, True, "cps", "auto")
@example(1, (150, 150), (0.5, 0.5), [1.0, 0.6], 1.0, True, False, "cps", "plain")
def test_bits_are_those_of_drizzlepac(seed, shape, cut, pixfracs, scale, odd, context, units, instructions):
    needs_kernel()
    rng = np.random.default_rng(seed)
    grid = plane(shape, [shape[1] / 2 + 0.5, shape[0] / 2 + 0.5])
    chips = [
        make_chip(rng, shape, 20 * number + 1, pixfrac, scale, odd, units) for number, pixfrac in enumerate(pixfracs)
    ]
    empty = np.float32(rng.choice([0, np.nan]))
    expected = np.full(shape, empty), np.zeros(shape, np.float32), np.zeros((PLANES, *shape), np.int32)
    drizzle_at_once(chips, grid, expected)
    row, column = (int(part * length) for part, length in zip(cut, shape, strict=True))
    for box in (
        Box(0, row, 0, shape[1]), Box(row, shape[0], 0, column), Box(row, shape[0], column, shape[1]),
    ):  # fmt: skip
        size = box.bottom - box.top, box.right - box.left
        if 0 in size:
            continue
        found = np.full(size, empty), np.zeros(size, np.float32), np.zeros((PLANES * context, *size), np.int32)
        for chip in chips:
            table = own_kernel.node_table(chip.wcs, grid, chip.record.shape, chip.record.step)
            own_kernel.drizzle_chip(
                chip.record, chip.pixels.copy(), chip.weights, 0, table, box, shape, found, instructions
            )
        place = ..., slice(box.top, box.bottom), slice(box.left, box.right)
        for ours, theirs in zip(found, expected, strict=True):
            if len(ours):
                np.testing.assert_array_equal(bits(ours), bits(theirs[place]))
