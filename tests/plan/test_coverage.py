"""Depth of overlapping chips."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from hstmosaic.plan.coverage import Coverage, coverage

QUICK = settings(max_examples=50)
sizes = st.floats(300.0, 5000.0)
angles = st.floats(0.0, 360.0)
positions = st.floats(-2e5, 4e5)


def box(
    width: float, height: float, angle: float = 0.0, x: float = 0.0, y: float = 0.0, points: int = 20
) -> np.ndarray:
    """Outline of a turned rectangle, with points along its sides."""
    t = np.arange(points) / points
    unit = np.concatenate(
        [np.column_stack(side) for side in ((t, 0 * t), (1 + 0 * t, t), (1 - t, 1 + 0 * t), (0 * t, 1 - t))]
    )
    a = np.radians(angle)
    turn = np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]])
    return ((unit - 0.5) * [width, height]) @ turn.T + [x, y]


def shoelace(polygon: np.ndarray) -> float:
    """Area of a polygon."""
    x, y = polygon.T
    return abs(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2


@QUICK
@given(st.integers(1, 6), sizes, sizes, angles, positions, positions)
def test_identical_chips_lie_over_each_other(number, width, height, angle, x, y):
    outline = box(width, height, angle, x, y)
    assert coverage([outline] * number).mean_chips == number


@QUICK
@given(st.integers(1, 4), sizes, sizes, angles)
def test_chips_apart_are_one_deep(number, width, height, angle):
    reach = 1.1 * np.hypot(width, height)
    depth = coverage([box(width, height, angle, k * reach, 0) for k in range(number)])
    assert depth.mean_chips == 1
    assert depth.covered == pytest.approx(number * width * height, rel=0.02)


@QUICK
@given(sizes, sizes, angles, positions, positions, st.floats(-0.4, 0.4))
def test_covered_area_is_that_of_the_polygon(width, height, angle, x, y, skew):
    outline = box(width, height) @ np.array([[1, skew], [0, 1]])
    a = np.radians(angle)
    outline = outline @ np.array([[np.cos(a), np.sin(a)], [-np.sin(a), np.cos(a)]]) + [x, y]
    assert coverage([outline]).covered == pytest.approx(shoelace(outline), rel=0.02)


@QUICK
@given(sizes, st.floats(0.0, 0.9), angles)
def test_depth_follows_from_the_shared_area_at_any_angle(width, shift, angle):
    a = np.radians(angle)
    moved = np.array([np.cos(a), np.sin(a)]) * shift * width
    depth = coverage([box(width, width, angle), box(width, width, angle, *moved)])
    assert depth.mean_chips == pytest.approx(2 / (1 + shift), rel=0.02)


def test_a_small_chip_on_a_large_one():
    depth = coverage([box(6000, 6000), box(600, 600, 30.0)])
    assert depth.mean_chips == pytest.approx(1.01, abs=0.001)


def painted_depth(outlines) -> float:
    """Mean depth by painting every pixel."""
    width, height = np.ceil(np.max([outline.max(axis=0) for outline in outlines], axis=0)).astype(int) + 1
    depth = np.zeros((height, width), dtype=np.uint8)
    for outline in outlines:
        chip = Image.new("1", (int(width), int(height)))
        ImageDraw.Draw(chip).polygon([tuple(point) for point in outline], fill=1)
        depth += np.asarray(chip)
    return float(depth[depth > 0].mean())


@pytest.mark.parametrize(("frames", "step", "subarrays"), [(20, 25.0, 1), (3, 1700.0, 1), (1, 0.0, 60)])
def test_full_frames_near_small_subarrays_need_little_memory(frames, step, subarrays):
    """WFC3/IR full frames and some with IRSUB64."""
    outlines = [box(3200, 2900, 20.0, 3000 + step * k, 3000 + 10 * k) for k in range(frames)]
    outlines += [box(200, 180, 20.0, 2800 + 7 * k, 3100 + 3 * k) for k in range(subarrays)]
    tracemalloc.start()
    depth = coverage(outlines)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert depth.mean_chips == pytest.approx(painted_depth(outlines), rel=0.005)
    assert peak < 20e6


def test_a_wide_field_needs_little_memory():
    outlines = [box(4100, 2050, 30.0, 225_000 + x, 225_000 + y) for x in (-2e5, 2e5) for y in (-2e5, 2e5)]
    outlines.append(box(4100, 2050, 30.0, 25_000 + 1025, 25_000))
    tracemalloc.start()
    depth = coverage(outlines)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    near = [outline - 20_000 for outline in (outlines[0], outlines[-1])]
    union = 2 * 4100 * 2050 / painted_depth(near)
    assert depth.mean_chips == pytest.approx(5 * 4100 * 2050 / (union + 3 * 4100 * 2050), rel=0.02)
    assert peak < 150e6


@pytest.mark.parametrize(
    ("mean_chips", "parameter_set", "close"),
    [
        (1.0, "n1", False),
        (1.48, "n1", True),
        (1.5, "n2", True),
        (1.52, "n2", True),
        (1.6, "n2", False),
        (7, "n2", False),
    ],
)
def test_parameter_set_follows_drizzlepacs_rounding(mean_chips, parameter_set, close):
    depth = Coverage(mean_chips, 1e6)
    assert (depth.parameter_set, depth.is_close_call) == (parameter_set, close)
