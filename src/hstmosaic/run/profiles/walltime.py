"""Walltimes in Slurm's notation."""

from __future__ import annotations

import math
import re

_FORM = re.compile(r"(?:(?P<days>\d+)-)?(?P<rest>\d+(?::\d+){0,2})")


def parse_walltime(text: str) -> float:
    """Return the seconds of a time in Slurm's notation.

    Parameters
    ----------
    text : str
        ``minutes``, ``minutes:seconds``, ``hours:minutes:seconds``, ``days-hours``, ``days-hours:minutes`` or
        ``days-hours:minutes:seconds``; ``UNLIMITED`` and ``infinite`` are infinite.

    Raises
    ------
    ValueError
        If the text has another form.
    """
    if text.strip().lower() in ("unlimited", "infinite"):
        return math.inf
    found = _FORM.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"invalid time {text!r}; write it as 30, 02:00:00 or 1-12:00:00")
    parts = [int(part) for part in found["rest"].split(":")]
    if found["days"] is not None:
        hours, minutes, seconds = (*parts, 0, 0)[:3]
        return float(86400 * int(found["days"]) + 3600 * hours + 60 * minutes + seconds)
    if len(parts) == 1:
        return 60.0 * parts[0]
    if len(parts) == 2:
        return 60.0 * parts[0] + parts[1]
    return 3600.0 * parts[0] + 60 * parts[1] + parts[2]


def format_walltime(seconds: float) -> str:
    """Return ``hours:minutes:seconds``, rounded up to whole minutes as Slurm does."""
    minutes = math.ceil(seconds / 60)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:00"
