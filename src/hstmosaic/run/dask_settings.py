"""Checks and defaults of Dask's configuration, and the address of this host."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from hstmosaic.errors import ProfileError

if TYPE_CHECKING:
    from collections.abc import Mapping

QUIET: Mapping[str, object] = {
    "distributed.worker.memory.terminate": False,
    # the defaults wake event loops two hundred times a second, for statistics that nobody reads
    "distributed.admin.system-monitor.interval": "10s",
    "distributed.admin.tick.interval": "1s",
    "distributed.worker.profile.enabled": False,
}
"""Settings of all clusters."""
_NEXT_STEP = "correct or remove the file in ~/.config/dask, or the variable that begins with DASK_"


def check_dask_settings() -> None:
    """Import Dask, which reads the user's configuration.

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
    except Exception as error:  # Dask raises errors of many types for invalid values
        message = " ".join(str(error).split())
        raise ProfileError(f"Dask's configuration cannot be used: {message}", _NEXT_STEP) from error


def dask_defaults(nested: Mapping[str, object] | None = None, where: str = "") -> dict[str, object]:
    """Return the default settings of Dask, by dotted keys; a run without a cluster uses these alone.

    Parameters
    ----------
    nested : mapping of str to object, optional
        A part of them; all when None.
    where : str
        Beginning of the keys of that part.
    """
    import dask.config

    found: dict[str, object] = {}
    for given in dask.config.defaults if nested is None else [nested]:
        for key, value in given.items():
            if isinstance(value, dict) and value:
                found |= dask_defaults(value, f"{where}{key}.")
            else:
                found[f"{where}{key}"] = value
    return found


def find_address() -> str:
    """Let Dask find the address of this host, and return its warnings; it warns once in a process."""
    from distributed.utils import get_ip

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        get_ip()
    return "; ".join(str(warning.message) for warning in caught)


def address_note() -> str:
    """Return a warning if this host has no address that others can reach, else an empty string."""
    import dask.config

    if dask.config.get("jobqueue.slurm.interface", None) or not (warning := find_address()):
        return ""
    return f"{warning}; if workers do not connect, name a network in jobqueue.slurm.interface"
