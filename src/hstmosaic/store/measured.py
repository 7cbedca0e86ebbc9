"""Resources that an attempt of a task took."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields, replace
from typing import TYPE_CHECKING, Any

from hstmosaic.store.files import ENCODING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


@dataclass(frozen=True)
class Measured:
    """Resources that the last attempt of a task took."""

    wall_seconds: float
    cpu_seconds: float
    max_rss_mb: float
    """Peak resident memory of the task's process, 10^6 bytes."""
    host: str
    started: float
    """Seconds since 1970."""
    job: str = ""
    """Number of the Slurm job that it ran in."""

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Measured:
        """Return the measurement that `dataclasses.asdict` turned into `values`.

        Raises
        ------
        TypeError
            If a value is missing.
        """
        known = {item.name for item in fields(cls)}
        return cls(**{name: value for name, value in values.items() if name in known})


def together(measured: Sequence[Measured | None]) -> Measured | None:
    """Return the resources of the tasks of a layer: wall time from the first start to the last end, and peak memory."""
    known = [one for one in measured if one is not None]
    if not known:
        return None
    first = min(known, key=lambda one: one.started)
    end = max(one.started + one.wall_seconds for one in known)
    return replace(
        first,
        wall_seconds=round(end - first.started, 3),
        cpu_seconds=round(sum(one.cpu_seconds for one in known), 3),
        max_rss_mb=max(one.max_rss_mb for one in known),
    )


def write_measured(path: Path, measured: Measured) -> None:
    """Write a measurement to a JSON file."""
    path.write_text(json.dumps(asdict(measured)), ENCODING)


def read_measured(path: Path) -> Measured | None:
    """Read a measurement; None if the file is missing or incomplete, as on a full disk."""
    try:
        return Measured.from_dict(json.loads(path.read_text(ENCODING)))
    except (FileNotFoundError, ValueError, TypeError, AttributeError):
        return None
