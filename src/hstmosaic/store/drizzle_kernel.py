"""The kernels of this installation: drizzlepac's, and a faster one where it was compiled."""

from __future__ import annotations

import platform
from importlib.util import find_spec

_MODULE = "hstmosaic.tasks.boxes.square"


def is_compiled() -> bool:
    """Return whether the faster kernel is installed."""
    return find_spec(_MODULE) is not None


def is_possible() -> bool:
    """Return whether it can be compiled here: compilers for other machines fuse products and sums in drizzlepac's."""
    return platform.machine() == "x86_64"
