"""Every repair of drizzlepac, in one place; each is tested for still being needed.

Functions here replace attributes of drizzlepac's modules in the process of one task. Nothing of the installed package
is changed.
"""

from __future__ import annotations

import functools
import shutil
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from drizzlepac.haputils import analyze, cell_utils, product

if TYPE_CHECKING:
    from collections.abc import Sequence

_NOT_DROPPED_CHARACTER = "x"


def seed_guiding_check(seed: int) -> None:
    """Make `analyze.verify_guiding` give one verdict for one file.

    Its Hough transform samples at random without a seed, so that an exposure is accepted in one run and dropped in
    the next.
    """
    original = analyze.probabilistic_hough_line
    original = getattr(original, "func", original)
    analyze.probabilistic_hough_line = functools.partial(original, rng=seed)


def trust_screening() -> None:
    """Let every exposure of the poller through: the verdicts were taken before the fan-out."""

    def all_viable(files: Sequence[str], *_: Any, **__: Any) -> tuple[list[str], list[int], int]:
        return list(files), list(range(len(files))), analyze.Ret_code.OK.value

    analyze.analyze_wrapper = all_viable


def copy_without_mode() -> None:
    """Keep working copies writable where the user's exposures are read-only.

    ``shutil.copy`` hands the mode on to the copy, whose header drizzlepac then cannot update.
    """
    product.shutil = SimpleNamespace(copy=shutil.copyfile, move=shutil.move)


def exact_prefix(prefix: str) -> str:
    """Return what drizzlepac must be given to name files with `prefix`: it cuts two characters off at a final dash."""
    return prefix + _NOT_DROPPED_CHARACTER + "_" if prefix.endswith("_") else prefix


def compute_footprints_once() -> None:
    """Remember the bounding box of the common grid; drizzlepac paints the same masks for each use of it."""
    original = product.SkyCellProduct.generate_metawcs
    known: dict[tuple[Any, ...], tuple[Any, Any, Any]] = {}

    @functools.wraps(original)
    def generate_metawcs(self: Any, custom_limits: Sequence[int] | None = None) -> Any:
        key = (self.skycell.scale, tuple(custom_limits or ()), tuple(self.all_mvm_exposures))
        if key not in known:
            original(self, custom_limits=custom_limits)
            known[key] = (self.meta_wcs, self.meta_bounded_wcs, getattr(self, "bounding_box", None))
        full, bounded, box = known[key]
        self.meta_wcs, self.meta_bounded_wcs = full.deepcopy(), bounded.deepcopy()
        if box is not None:
            self.bounding_box = list(box)
        return self.meta_bounded_wcs

    product.SkyCellProduct.generate_metawcs = generate_metawcs


__all__ = [
    "cell_utils",
    "compute_footprints_once",
    "copy_without_mode",
    "exact_prefix",
    "seed_guiding_check",
    "trust_screening",
]
