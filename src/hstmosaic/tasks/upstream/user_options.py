"""Options of the user in drizzlepac: drizzle parameters and grids."""

from __future__ import annotations

import copy
import functools
from typing import TYPE_CHECKING, Any

import numpy as np
from drizzlepac import astrodrizzle, imageObject
from drizzlepac.haputils import config_utils, poller_utils, product

if TYPE_CHECKING:
    from hstmosaic.store.task_specs import DrizzleSpec

_STEP = "astrodrizzle"
_DEPTH = "MEANNEXP"
_OVERLAPPING = 2.0
"""Mean number of exposures from which drizzlepac selects the set for overlapping exposures."""


def use_parameters(spec: DrizzleSpec) -> None:
    """Have drizzlepac's `HapConfig` return the parameters of a specification for mosaics.

    Everything else comes from drizzlepac's own files, and AstroDrizzle checks names and values as usual.

    Parameters
    ----------
    spec : DrizzleSpec
        With ``parameters`` and ``fixed_set``.
    """
    if not (spec.parameters or spec.fixed_set or spec.grids):
        return

    class CustomConfig(config_utils.HapConfig):  # type: ignore[misc]
        def __init__(self, prod_obj: Any, *args: Any, **options: Any) -> None:
            super().__init__(prod_obj, *args, **options)
            if hasattr(prod_obj, "skycell"):
                self.pars[_STEP].outpars.update(spec.parameters)
                if spec.grids:
                    self.pars[_STEP].outpars["final_rot"] = None  # that of the grid

        def _determine_conditions(self, prod_obj: Any) -> None:
            depth = prod_obj.mask_kws[_DEPTH] if spec.fixed_set and hasattr(prod_obj, "skycell") else [_OVERLAPPING]
            measured = depth[0]
            try:
                depth[0] = max(measured, _OVERLAPPING)
                super()._determine_conditions(prod_obj)
            finally:
                depth[0] = measured

    config_utils.HapConfig = CustomConfig


def use_grids(spec: DrizzleSpec) -> None:
    """Have drizzlepac make the mosaics of a task on the grids of its specification.

    drizzlepac's own mosaics are cut out of the plane of a projection cell. Everything after that choice, from
    footprints to the kernel, uses the plane that it is given.

    Parameters
    ----------
    spec : DrizzleSpec
        With ``grids``.
    """
    if not spec.grids:
        return
    grids = {grid.coarse: grid for grid in spec.grids}
    interpret = poller_utils.interpret_mvm_input

    @functools.wraps(interpret)
    def interpret_mvm_input(*args: Any, **options: Any) -> tuple[Any, list[Any]]:
        found, mosaics = interpret(*args, **options)
        return found, [mosaic for mosaic in mosaics if _is_coarse(mosaic) in grids]

    def generate_metawcs(self: Any, custom_limits: Any = None) -> Any:
        grid = grids[_is_coarse(self)]
        plane = copy.deepcopy(self.skycell.projection_cell.wcs)
        plane.wcs.crpix, plane.wcs.crval = list(grid.crpix), list(grid.crval)
        plane.wcs.cd = np.reshape(grid.cd, (2, 2))
        plane.wcs.ctype = [f"RA---{grid.projection}", f"DEC--{grid.projection}"]
        # those of the projection cell; headers leave them out
        plane.wcs.lonpole, plane.wcs.latpole = np.nan, 90.0
        plane.wcs.set()
        plane.pixel_shape = [grid.shape[1], grid.shape[0]]
        # as HSTWCS, to the bit
        plane.pscale = np.sqrt(np.power(grid.cd[0], 2) + np.power(grid.cd[2], 2)) * 3600.0
        plane.orientat = float(np.rad2deg(np.arctan2(grid.cd[1], grid.cd[3])))
        self.bounding_box = [slice(0, grid.shape[0]), slice(0, grid.shape[1])]
        self.meta_wcs, self.meta_bounded_wcs = plane, copy.deepcopy(plane)
        return self.meta_bounded_wcs

    poller_utils.interpret_mvm_input = interpret_mvm_input
    product.SkyCellProduct.generate_metawcs = generate_metawcs


def use_context(spec: DrizzleSpec) -> None:
    """Have AstroDrizzle write the context image, which drizzlepac switches off for mosaics.

    Parameters
    ----------
    spec : DrizzleSpec
        With ``context``.
    """
    if not spec.context:
        return
    drizzle = astrodrizzle.AstroDrizzle

    @functools.wraps(drizzle)
    def drizzle_with_context(*args: Any, **options: Any) -> Any:
        return drizzle(*args, **options | {"context": True})

    astrodrizzle.AstroDrizzle = drizzle_with_context


def use_inverse_variances(spec: DrizzleSpec) -> None:
    """Have weights of the type ERR be inverse variances for all cameras.

    drizzlepac takes errors as electrons and squares them over the exposure time. Those of WFC3/IR are electrons per
    second, so that its weights are too large by the square of the exposure time.

    Parameters
    ----------
    spec : DrizzleSpec
        With ``error``; without it, weights are left as drizzlepac makes them.
    """
    if not spec.error:
        return
    build = imageObject.baseImageObject.buildERRmask

    @functools.wraps(build)
    def build_mask(self: Any, chip: int, dqarr: np.ndarray, scale: float) -> np.ndarray:
        weights: np.ndarray = build(self, chip, dqarr, scale)
        if self.native_units.lower().endswith("/s"):
            weights = (weights / self._image[self.scienceExt, chip]._exptime ** 2).astype(np.float32)
        return weights

    imageObject.baseImageObject.buildERRmask = build_mask


def _is_coarse(mosaic: Any) -> bool:
    return bool(mosaic.skycell.scale > mosaic.skycell.projection_cell.wcs.pscale * 1.5)
