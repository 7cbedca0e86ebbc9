"""Runs drizzlepac's own make_custom_mosaic in this directory: upstream_perform.py LIST PREFIX.

Two dice of drizzlepac are fixed, so that its run can be compared with another: the guiding check gets a seed, and ties
in the simplification of S_REGION polygons are broken in order instead of by memory address.
"""

import functools
import itertools
import sys

from drizzlepac import make_custom_mosaic
from drizzlepac.haputils import analyze
from simplify_polyline.simplifiers import Point

from hstmosaic.store.task_specs import GUIDING_SEED

analyze.probabilistic_hough_line = functools.partial(analyze.probabilistic_hough_line, rng=GUIDING_SEED)

_numbers = itertools.count()
_init = Point.__init__


def _numbered(self, vert):
    _init(self, vert)
    self.number = next(_numbers)


Point.__init__ = _numbered
Point._sorting_key = property(lambda self: (self.doubled_area, self.number))

if __name__ == "__main__":
    source, prefix = sys.argv[1:]
    sys.exit(make_custom_mosaic.perform(source, output_file_prefix=prefix, skip_gaia_alignment=True))
