"""Repairs of libraries that drizzlepac builds on: paths in stsci.tools, the order of ties in simplify_polyline."""

from __future__ import annotations

import functools
import itertools
import os
from typing import Any

from simplify_polyline import simplifiers


def keep_paths_relative() -> None:
    """Let absolute paths of files in the current directory be relative ones, in this process.

    drizzlepac's libraries take blanks, commas, ``[`` and ``$`` in the path of a file for separators, extensions and
    variables. Exposures have plain names in the task's directory, but `stsci.tools` makes the names of static masks
    absolute.
    """
    os.getcwd = lambda: os.curdir


def break_ties_in_order() -> None:
    """Make the simplification of S_REGION polygons repeatable.

    Equal triangles are taken in the order of their memory addresses, so that a vertex comes and goes from run to run.
    """
    counter = itertools.count()
    original = simplifiers.Point.__init__

    @functools.wraps(original)
    def numbered(self: Any, vert: Any) -> None:
        original(self, vert)
        self.number = next(counter)

    point: Any = simplifiers.Point
    point.__init__ = numbered
    point._sorting_key = property(lambda self: (self.doubled_area, self.number))
    point.__lt__ = _comes_first


def _comes_first(left: Any, right: Any) -> bool:
    """Compare points by area, then number; most differ in their areas, which needs no keys."""
    a, b = left.doubled_area, right.doubled_area
    return bool(a < b or (a == b and left.number < right.number))
