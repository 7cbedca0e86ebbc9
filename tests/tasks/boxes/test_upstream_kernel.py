"""Boxes with either kernel, put together, are the mosaic that it drizzles at once, bit for bit."""

from dataclasses import dataclass
from itertools import chain

import numpy as np
import pytest
from drizzlepac import adrizzle
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.bent_planes import SCALE, plane
from hstmosaic.tasks.boxes import geometry, kernel, layout, own_kernel
from hstmosaic.tasks.boxes.boxes import lay_out
from hstmosaic.tasks.boxes.pixels import save_weights
from hstmosaic.tasks.boxes.records import Box, ChipRecord, MosaicRecord

pytestmark = pytest.mark.upstream

PLANES = 4


@dataclass
class Case:
    record: MosaicRecord
    wcs: dict
    arrays: list


def make_case(rng, folder, shape, chips, fill, offset):
    grid = plane(shape, [shape[1] / 2 + 0.5, shape[0] / 2 + 0.5])
    records, wcs, arrays = [], {}, []
    for number in range(chips):
        size = tuple(int(length) for length in rng.integers(60, 260, 2))
        ratio = rng.choice([1.0, 1.25, 3.2, 8.0])
        # some chips begin just inside of the mosaic, others anywhere, partly outside
        corner = np.array([offset - shape[1] / 2, offset - shape[0] / 2]) if number == 0 else None
        turn = 0.0 if number == 0 else rng.uniform(0, 2 * np.pi)
        centre = rng.uniform(-0.6, 0.6, 2) * shape[::-1] / ratio if corner is None else -corner / ratio
        bend = rng.uniform(-2e-5, 2e-5, 6)
        crpix = centre if corner is not None else centre + np.array(size[::-1]) / 2
        chip = plane(size, crpix, turn, SCALE * ratio, bend)
        pixels = rng.normal(3, 2, size).astype(np.float32)
        weights = np.where(rng.random(size) < 0.97, np.float32(100.0 + number), np.float32(0))
        units, time = ("counts", 350.5) if number % 2 else ("cps", 1.0)
        mapping, pixfrac = geometry.make_mapping(chip, grid, size, 10), float(rng.choice([1.0, 0.6]))
        np.save(folder / f"{number}_nodes.npy", geometry.node_positions(mapping, size).astype(np.float32))
        np.save(folder / f"{number}_pixels.npy", pixels)
        value = save_weights(folder / f"{number}_weights.npy", weights)
        records.append(
            ChipRecord(
                name=str(number), shape=size, pixels=f"{number}_pixels.npy", weight=value, mask=f"{number}_weights.npy",
                geometry="", extver=number, nodes=f"{number}_nodes.npy", pixel_ratio=1 / ratio, number=20 * number + 1,
                exposure_time=time, units=units, weight_scale=1.0 + number, pixfrac=pixfrac, kernel="square", step=10.0,
            )
        )  # fmt: skip
        wcs[number] = chip
        arrays.append((pixels, weights, ratio))
    empty = np.nan if fill is None else fill
    record = MosaicRecord(
        "m.fits", shape, geometry.describe_grid(grid), empty, fill, None, False, tuple(records), PLANES
    )
    return Case(record, wcs, arrays)


def drizzle_at_once(case):
    shape = case.record.shape
    science, weights = np.full(shape, np.nan, np.float32), np.zeros(shape, np.float32)
    context = np.zeros((PLANES, *shape), np.int32)
    grid = geometry.grid_wcs(case.record.grid)
    grid.pscale = 1.0
    fill = "INDEF" if case.record.fill is None else case.record.fill
    for chip, (pixels, weight, ratio) in zip(case.record.chips, case.arrays, strict=True):
        adrizzle.do_driz(
            pixels.copy(), case.wcs[chip.extver], weight, grid, science, weights, context, chip.exposure_time,
            chip.units, chip.weight_scale, wcslin_pscale=ratio, uniqid=chip.number, pixfrac=chip.pixfrac,
            kernel="square", fillval=fill, stepsize=10, wcsmap=None,
        )  # fmt: skip
    return science, weights, context


@given(
    seed=st.integers(0, 10**6),
    shape=st.tuples(st.integers(70, 700), st.integers(70, 700)),
    chips=st.integers(1, 6),
    fill=st.sampled_from([None, 0.0]),
    offset=st.floats(-3, 20),
    edge=st.sampled_from([16, 48, 256]),
    pixels=st.sampled_from([3_000, 20_000, 10**9]),
    tasks=st.integers(1, 4),
    own=st.booleans(),
)
@settings(max_examples=60)
def test_boxes_are_the_mosaic(tmp_path_factory, seed, shape, chips, fill, offset, edge, pixels, tasks, own):
    folder = tmp_path_factory.mktemp("case")
    case = make_case(np.random.default_rng(seed), folder, shape, chips, fill, offset)
    expected = drizzle_at_once(case)
    found = (
        np.full(shape, case.record.empty, np.float32),
        np.zeros(shape, np.float32),
        np.zeros((PLANES, *shape), np.int32),
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(layout, "EDGE", edge)
        patch.setattr(kernel, "chip_wcs", lambda _, number, __: case.wcs[number])
        if not own:
            patch.setattr(own_kernel, "is_compiled", lambda: False)
        for box in chain(*lay_out(folder, case.record, pixels, tasks)):
            place = slice(box.top, box.bottom), slice(box.left, box.right)
            for array, part in zip(found, kernel.drizzle_box(folder, case.record, box), strict=True):
                array[..., *place] = part
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_array_equal(ours.view(np.uint32), theirs.view(np.uint32))


@given(
    seed=st.integers(0, 10**6),
    shape=st.tuples(st.integers(300, 5000), st.integers(300, 5000)),
    chips=st.integers(1, 5),
    pixels=st.sampled_from([70_000, 500_000, 10**9]),
    tasks=st.integers(1, 5),
    own=st.booleans(),
)
@settings(max_examples=40)
def test_boxes_do_not_overlap_and_keep_their_size(tmp_path_factory, seed, shape, chips, pixels, tasks, own):
    folder = tmp_path_factory.mktemp("case")
    case = make_case(np.random.default_rng(seed), folder, shape, chips, None, 0.0)
    with pytest.MonkeyPatch.context() as patch:
        if not own:
            patch.setattr(own_kernel, "is_compiled", lambda: False)
        found = list(chain(*lay_out(folder, case.record, pixels, tasks)))
    large_drops = max(ratio for *_, ratio in case.arrays) >= 4
    covered = np.zeros(shape, np.uint8)
    for box in found:
        assert box.top % layout.EDGE == box.left % layout.EDGE == 0
        assert box.bottom % layout.EDGE == 0 or box.bottom == shape[0]
        assert box.right % layout.EDGE == 0 or box.right == shape[1]
        size = (box.bottom - box.top) * (box.right - box.left)
        assert size <= max(pixels, layout.EDGE**2) or (large_drops and not own)
        covered[box.top : box.bottom, box.left : box.right] += 1
    assert covered.max(initial=0) <= 1
    # drizzlepac's kernel omits large drops at the edges of boxes
    assert len(found) <= 1 or own or not large_drops


def test_a_box_that_indices_cannot_reach_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(own_kernel, "is_compiled", lambda: False)
    case = make_case(np.random.default_rng(1), tmp_path, (300, 300), 1, None, 0.0)
    with pytest.raises(ValueError, match="too large for the kernel"):
        kernel.drizzle_box(tmp_path, case.record, Box(0, 1 << 16, 0, 1 << 15))
