"""Repairs of drizzling a layer: files, flags of filled pixels, parameters of ACS/SBC, and repeated work."""

from __future__ import annotations

import functools
import shutil
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
from drizzlepac import imageObject
from drizzlepac.haputils import analyze, config_utils, product

if TYPE_CHECKING:
    from collections.abc import Sequence

_SBC_SOUGHT, _SBC_INDEXED = "acs_sbc_any_any", "acs_sbc_any_n2"
"""Condition of ACS/SBC that drizzlepac looks for, and its name in the index of parameters."""
_DROPPED_WITH_UNDERSCORE = "x"


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
    """Return what drizzlepac must be given to name files with `prefix`: it cuts a final underscore off and one more."""
    return prefix + _DROPPED_WITH_UNDERSCORE + "_" if prefix.endswith("_") else prefix


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


def weigh_by_time_fast() -> None:
    """Multiply masks with exposure times without an array in double precision of the size of a chip."""

    def build_mask(self: Any, chip: int, dqarr: np.ndarray) -> np.ndarray:
        time = self._image[self.scienceExt, chip]._exptime
        found = np.empty(dqarr.shape, np.float32)
        # each product is rounded to single precision in the same way
        np.multiply(time, dqarr, out=found, dtype=np.result_type(time, dqarr), casting="same_kind")
        return found

    imageObject.baseImageObject.buildEXPmask = build_mask


def find_sbc_parameters() -> None:
    """Drizzle layers of ACS/SBC with the parameters that drizzlepac has for them.

    It looks for the condition ``acs_sbc_any_any``, but its index has ``acs_sbc_any_n2``. Filters other than F115LP and
    F122M get general parameters instead, which reject photons as cosmic rays, although ACS/SBC sees none, and fill
    holes with 0.
    """
    original = config_utils.read_index

    @functools.wraps(original)
    def read_index(*args: Any, **kwargs: Any) -> tuple[dict[str, Any], str]:
        index, folder = original(*args, **kwargs)
        found = index["astrodrizzle"]
        if _SBC_INDEXED in found:
            found.setdefault(_SBC_SOUGHT, found[_SBC_INDEXED])
        return index, folder

    config_utils.read_index = read_index


def reject_filled_pixels(keyword: str, flag: int) -> None:
    """Give pixels no weight that were filled in a working copy, also where all flags are accepted.

    The parameter set for few exposures accepts every flag (``final_bits`` is 65535): exposures then count with all
    pixels, and no flag of 16 bits could keep a pixel out.

    Parameters
    ----------
    keyword : str
        Keyword in the header of DQ of a working copy with filled pixels.
    flag : int
        Flag of such pixels.
    """
    original = imageObject.baseImageObject.buildMask

    @functools.wraps(original)
    def build_mask(self: Any, chip: int, bits: Any = 0, write: bool = False) -> np.ndarray:
        mask: np.ndarray = original(self, chip, bits, write)
        if keyword in self._image[self.maskExt, chip].header:
            mask[(self.getData(f"{self.maskExt},{chip}") & flag) != 0] = 0
        return mask

    imageObject.baseImageObject.buildMask = build_mask
