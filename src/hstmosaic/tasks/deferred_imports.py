"""Import libraries that drizzlepac names but that no task of a run needs only when they are used.

They take a third of the time in which drizzlepac is imported: clustering of exposure times, queries of the archive,
plots, and statistics.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import Any

_DEFERRED = {
    "sklearn.cluster": ("KMeans",),
    "astroquery.mast": ("Observations",),
    "matplotlib.pyplot": (),
    "scipy.stats": ("pearsonr", "scoreatpercentile"),
}
"""Modules, and the names that drizzlepac and its libraries import from them."""


class _Member:
    """A name of a deferred module."""

    def __init__(self, module: str, name: str) -> None:
        self._module, self._name = module, name

    def __call__(self, *args: Any, **options: Any) -> Any:
        return getattr(_load(self._module), self._name)(*args, **options)

    def __getattr__(self, name: str) -> Any:
        return getattr(getattr(_load(self._module), self._name), name)


class _Module(ModuleType):
    """A deferred module: any attribute except those set here imports it."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(_load(self.__name__), name)


def _load(name: str) -> ModuleType:
    if isinstance(sys.modules[name], _Module):
        del sys.modules[name]
    return importlib.import_module(name)


def defer_unneeded_imports() -> None:
    """Defer the import of these libraries in this process; call it before drizzlepac is imported."""
    for name, members in _DEFERRED.items():
        module = _Module(name)
        for member in members:
            setattr(module, member, _Member(name, member))
        sys.modules.setdefault(name, module)
