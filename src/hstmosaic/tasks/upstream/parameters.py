"""Which parameters drizzlepac has used, as it is about to use them."""

from __future__ import annotations

import functools
from typing import Any

from drizzlepac.haputils import product


def note_parameters() -> dict[str, dict[str, Any]]:
    """Note what AstroDrizzle is called with for each mosaic; nothing is changed.

    Returns
    -------
    dict of str to dict
        By name of the mosaic, filled while drizzlepac runs: ``set``, the conditions by which drizzlepac has chosen its
        parameters, and the parameters that JSON has types for.
    """
    noted: dict[str, dict[str, Any]] = {}
    drizzle = product.SkyCellProduct.wcs_drizzle_product

    @functools.wraps(drizzle)
    def wcs_drizzle_product(self: Any, meta_wcs: Any) -> Any:
        made = drizzle(self, meta_wcs)
        used = self.configobj_pars.get_pars("astrodrizzle")
        plain = {key: value for key, value in used.items() if isinstance(value, str | int | float | bool | None)}
        noted[self.drizzle_filename] = {"set": list(self.configobj_pars.conditions)} | plain
        return made

    product.SkyCellProduct.wcs_drizzle_product = wcs_drizzle_product
    return noted
