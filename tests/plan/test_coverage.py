"""Depth of overlapping chips."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hstmosaic.plan.coverage import Coverage, coverage

QUICK = settings(max_examples=50, deadline=None, derandomize=True)
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
