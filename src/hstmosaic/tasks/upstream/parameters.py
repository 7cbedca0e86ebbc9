"""Records of the parameters that drizzlepac hands to AstroDrizzle."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from drizzlepac.haputils import product

if TYPE_CHECKING:
    from hstmosaic.store.task_results import Parameters


def record_parameters() -> dict[str, Parameters]:
    """Record the parameters of AstroDrizzle for each mosaic; nothing else changes.

    Returns
    -------
    dict of str to dict
        By name of the mosaic, filled while drizzlepac runs: ``set``, the conditions by which drizzlepac chose its
        parameters, and the parameters that JSON has types for.
    """
    recorded: dict[str, Parameters] = {}
    drizzle = product.SkyCellProduct.wcs_drizzle_product

    @functools.wraps(drizzle)
    def drizzle_and_record(self: Any, meta_wcs: Any) -> Any:
        made = drizzle(self, meta_wcs)
        used = self.configobj_pars.get_pars("astrodrizzle")
        plain = {key: value for key, value in used.items() if isinstance(value, str | int | float | bool | None)}
        recorded[self.drizzle_filename] = {"set": list(self.configobj_pars.conditions)} | plain
        return made

    product.SkyCellProduct.wcs_drizzle_product = drizzle_and_record
    return recorded
