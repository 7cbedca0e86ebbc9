"""Seamless multi-visit mosaics of Hubble exposures: one per filter, on a common grid.

The names in `__all__` are the public API. They are imported on first use, so that planning loads neither Dask nor
drizzlepac.
"""

from importlib import import_module

__version__ = "0.1.0"

_HOMES = {
    "HstMosaicError": "hstmosaic.errors",
    "Outcome": "hstmosaic.run.outcome",
    "Plan": "hstmosaic.plan.plan",
    "RunOptions": "hstmosaic.run.options",
    "make_plan": "hstmosaic.plan.build",
    "run_mosaic": "hstmosaic.run.driver",
}
"""Modules that define the public names."""

__all__ = ["HstMosaicError", "Outcome", "Plan", "RunOptions", "__version__", "make_plan", "run_mosaic"]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()[name] = getattr(import_module(_HOMES[name]), name)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
