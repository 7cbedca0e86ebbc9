"""Drizzle parameters of the user, merged into the sets that drizzlepac selects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from drizzlepac.haputils import config_utils

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
    if not (spec.parameters or spec.fixed_set):
        return

    class CustomConfig(config_utils.HapConfig):  # type: ignore[misc]
        def __init__(self, prod_obj: Any, *args: Any, **options: Any) -> None:
            super().__init__(prod_obj, *args, **options)
            if hasattr(prod_obj, "skycell"):
                self.pars[_STEP].outpars.update(spec.parameters)

        def _determine_conditions(self, prod_obj: Any) -> None:
            depth = prod_obj.mask_kws[_DEPTH] if spec.fixed_set and hasattr(prod_obj, "skycell") else [_OVERLAPPING]
            measured = depth[0]
            try:
                depth[0] = max(measured, _OVERLAPPING)
                super()._determine_conditions(prod_obj)
            finally:
                depth[0] = measured

    config_utils.HapConfig = CustomConfig
