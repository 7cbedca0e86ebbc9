"""Dask's configuration: which of it holds for a run, and what is wrong with it."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from hstmosaic.errors import ProfileError

if TYPE_CHECKING:
    from collections.abc import Mapping

_NEXT_STEP = "correct or remove the file in ~/.config/dask, or the variable that begins with DASK_"


def check_dask_settings() -> None:
    """Import Dask, which reads the user's configuration meanwhile.

    Raises
    ------
    ProfileError
        If Dask cannot read it.
    """
    try:
        import dask.config
        import distributed  # noqa: F401

        dask.config.collect()
    except ImportError:
        raise
    except Exception as error:  # whatever Dask's own code makes of a value of the wrong kind
        words = " ".join(str(error).split())
        raise ProfileError(f"Dask's configuration cannot be used: {words}", _NEXT_STEP) from error


def dask_defaults(nested: Mapping[str, Any] | None = None, where: str = "") -> dict[str, Any]:
    """Return the settings that Dask comes with, by dotted keys: a run without a cluster uses no others.

    Parameters
    ----------
    nested : mapping of str to object, optional
        A part of them; all when None.
    where : str
        Beginning of the keys of that part.
    """
    import dask.config

    found: dict[str, Any] = {}
    for given in dask.config.defaults if nested is None else [nested]:
        for key, value in given.items():
            inner = isinstance(value, dict) and value
            found |= dask_defaults(value, f"{where}{key}.") if inner else {f"{where}{key}": value}
    return found


def find_address() -> str:
    """Let Dask find the address of this host, and return what it warns of; it does so once in a process."""
    from distributed.utils import get_ip

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        get_ip()
    return "; ".join(str(warning.message) for warning in caught)


def address_note() -> str:
    """Return a warning for the user where this host has no address that others can reach, else nothing."""
    import dask.config

    if dask.config.get("jobqueue.slurm.interface", None) or not (words := find_address()):
        return ""
    return f"{words}; if workers do not come, name a network in jobqueue.slurm.interface"
